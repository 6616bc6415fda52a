/**
 * The producer a program writes with: takes records, makes them bytes, keeps the program from being faster
 * than the broker, and tells what became of each. Batches, requests and repeats are below it.
 */

import { SpoolError } from '../api/errors.ts'
import type { ClientContext } from '../client-context.ts'
import { requireWellFormed } from '../serdes/text.ts'
import { AbortListeners } from './abort-listeners.ts'
import type { Sent } from './delivery.ts'
import { encodeFailure } from './encode-failure.ts'
import { Ledger } from './ledger.ts'
import type { RecordOwner } from './producer-batch.ts'
import {
  type ProducerOptions,
  type ProducerSettings,
  producerSettings,
} from './producer-options.ts'
import { checkPartition, headerBytes, type RecordToSend, timestampMs } from './producer-record.ts'
import { ManySent, OneSent } from './record-owners.ts'
import type { RecordParts } from './record-parts.ts'
import { Sender } from './sender.ts'
import type { SendingContext } from './sending-context.ts'
import type { SentRecords } from './sent-records.ts'
import { heldRecord, TopicQueue } from './topic-queue.ts'
import { WaitingRoom } from './waiting-room.ts'

export interface SendOptions {
  /**
   * Aborted, the promise rejects with the signal's reason. A record that is in a batch by then is sent
   * all the same.
   */
  readonly signal?: AbortSignal
}

const NO_OPTIONS: SendOptions = {}

/**
 * After so many bytes in one turn of the event loop `enqueue` asks for a pause and `sendMany` makes one:
 * while a program never waits, no answer comes in and no further request goes out.
 */
const TURN_BYTES = 1024 * 1024

export class Producer<K = string | number | bigint | Uint8Array, V = unknown>
  implements AsyncDisposable
{
  readonly #client: ClientContext
  readonly #settings: ProducerSettings<K, V>
  readonly #context: SendingContext
  readonly #topics = new Map<string, TopicQueue>()
  /** The topic of records that name none. */
  readonly #topic: TopicQueue | undefined
  readonly #parts: RecordParts = {
    timestampMs: 0,
    key: null,
    value: null,
    text: undefined,
    headers: [],
    partition: undefined,
  }
  #turnBytes = 0
  #closed: Promise<void> | undefined
  readonly #aborts = new AbortListeners()
  readonly #waitingRoom: WaitingRoom
  /** Ends what waits for something, once the producer gives up. */
  readonly #givenUp = new AbortController()

  /** @internal Made by `client.producer`. */
  constructor(client: ClientContext, options: ProducerOptions<K, V>) {
    const settings = producerSettings(options)
    const { transport, metadata } = client
    const sender = new Sender(transport, settings)
    const ledger = new Ledger(settings.bufferBytesMax, settings.onDelivery)
    const random = { next: () => Math.random() }
    this.#client = client
    this.#settings = settings
    const givenUp = this.#givenUp.signal
    this.#context = { transport, metadata, settings, random, ledger, sender, givenUp }
    this.#waitingRoom = new WaitingRoom(this.#context, this.#aborts, () => this.#exhausted())
    this.#topic = settings.topic === undefined ? undefined : this.#topicNamed(settings.topic)
    sender.onTick(() => {
      this.#turnBytes = 0
    })
  }

  /** Bytes that are not acknowledged yet, before compression. */
  get bufferedBytes(): number {
    return this.#context.ledger.heldBytes
  }

  /**
   * Sends one record; resolves with its place once it is as safe as `acks` asks. Waits its turn where the
   * buffer is full. Records of one partition are appended in the order of these calls.
   *
   * @throws SpoolError Its `outcome` says whether the record is surely not in the log (`refused`) or may
   * be there (`unknown`): SERIALIZATION_FAILED, MESSAGE_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION,
   * REQUEST_TIMED_OUT, BUFFER_EXHAUSTED, CLIENT_CLOSED, and whatever the broker refuses with.
   */
  send(record: RecordToSend<K, V>, { signal }: SendOptions = NO_OPTIONS): Promise<Sent> {
    const owner = new OneSent()
    // Not an async function: that would make a promise of its own, and three functions, for each record.
    try {
      signal?.throwIfAborted()
      this.#checkOpen()
      const topic = this.#topicOf(record)
      const parts = this.#partsOf(record)
      if (!this.#context.ledger.isFull) topic.put(parts, owner, undefined)
      else {
        const record = heldRecord(parts, owner, undefined, this.#context)
        this.#waitingRoom.enter(record, topic, owner, signal)
      }
    } catch (error) {
      owner.failed(error)
    }
    return signal === undefined ? owner.promise : this.#aborts.race(owner.promise, signal)
  }

  /**
   * Sends many records and resolves with their places, in their order. Reads on only while there is room.
   * At the first that fails it stops reading, and rejects once the fate of those before is known.
   *
   * @throws SpoolError as `send`; `outcome` is `partial` where some were appended, and `extensions.sent`
   * says of each what became of it. Whatever the iterable throws.
   */
  async sendMany(
    records: Iterable<RecordToSend<K, V>> | AsyncIterable<RecordToSend<K, V>>,
    { signal }: SendOptions = {},
  ): Promise<SentRecords> {
    signal?.throwIfAborted()
    this.#checkOpen()
    const owner = new ManySent()
    const sending = this.#sendAll(records, owner, signal).then(
      () => owner.end(),
      async (error) => {
        if (error instanceof SpoolError && signal?.reason !== error) owner.failed(error)
        else await owner.end().catch(() => {})
        if (owner.error !== error) throw error
        return owner.end()
      },
    )
    return signal === undefined ? sending : this.#aborts.race(sending, signal)
  }

  /**
   * Takes a record, without a promise; its fate comes to `onDelivery`, with its batch, and there also
   * `tag`. False: taken, and the program is to wait for `room()` before the next.
   *
   * @throws SpoolError BUFFER_EXHAUSTED when there is no room for it; SERIALIZATION_FAILED,
   * INVALID_REQUEST, INVALID_TIMESTAMP, CLIENT_CLOSED. It was not taken then.
   */
  enqueue(record: RecordToSend<K, V>, tag?: unknown): boolean {
    this.#checkOpen()
    const { ledger } = this.#context
    if (ledger.isFull) throw this.#exhausted()
    this.#put(this.#topicOf(record), record, undefined, tag)
    return this.#turnBytes < TURN_BYTES && !ledger.isFull
  }

  /** Resolves when `enqueue` may go on. */
  async room(): Promise<void> {
    const { ledger, sender } = this.#context
    do {
      const { promise, resolve } = Promise.withResolvers<void>()
      if (ledger.isFull) ledger.whenRoom(resolve)
      else sender.whenTicked(resolve)
      await promise
    } while (ledger.isFull && this.#closed === undefined)
  }

  /**
   * Resolves when the fate of everything given before is told; nothing lingers meanwhile.
   *
   * @throws SpoolError the first failure of a record given to `enqueue` where there is no `onDelivery`.
   */
  async flush({ signal }: SendOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const { ledger, sender } = this.#context
    const settled = sender.flushing(ledger.settled())
    await (signal === undefined ? settled : this.#aborts.race(settled, signal))
    this.#throwUnheard()
  }

  /**
   * Takes nothing more, flushes within `closeTimeoutMs`, and fails the rest with CLIENT_CLOSED: as
   * refused what was not sent, as unknown what was. Idempotent.
   *
   * @throws SpoolError as `flush`.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { ledger, sender } = this.#context
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, this.#settings.closeTimeoutMs)
    await Promise.race([sender.flushing(ledger.settled()), late.promise])
    clearTimeout(timer)
    const reason = closedError('the producer was closed before this was acknowledged')
    this.#givenUp.abort(reason)
    this.#waitingRoom.abandon(reason)
    for (const topic of this.#topics.values()) topic.abandon(reason)
    sender.abandon(reason)
    this.#client.forget(this)
    this.#throwUnheard()
  }

  async #sendAll(
    records: Iterable<RecordToSend<K, V>> | AsyncIterable<RecordToSend<K, V>>,
    owner: ManySent,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { signal: givenUp } = this.#givenUp
    const isWanted = () => {
      signal?.throwIfAborted()
      givenUp.throwIfAborted()
      return owner.error === undefined
    }
    // Twice the same: one that awaits each record is no way to go through an array.
    if (Symbol.asyncIterator in records) {
      for await (const record of records) {
        while (!this.#canTakeNow(record) && isWanted()) await this.#nextChance(record)
        if (!isWanted()) return
        this.#put(this.#topicOf(record), record, owner, undefined)
      }
      return
    }
    for (const record of records) {
      while (!this.#canTakeNow(record) && isWanted()) await this.#nextChance(record)
      if (!isWanted()) return
      this.#put(this.#topicOf(record), record, owner, undefined)
    }
  }

  #canTakeNow(record: RecordToSend<K, V>): boolean {
    if (this.#turnBytes >= TURN_BYTES || this.#context.ledger.isFull) return false
    return this.#topicOf(record).isReadyFor(record.partition)
  }

  async #nextChance(record: RecordToSend<K, V>): Promise<void> {
    const topic = this.#topicOf(record)
    if (this.#turnBytes >= TURN_BYTES || this.#context.ledger.isFull) await this.room()
    else await topic.makeReadyFor(record.partition)
  }

  #put(
    topic: TopicQueue,
    record: RecordToSend<K, V>,
    owner: RecordOwner | undefined,
    tag: unknown,
  ): void {
    const { ledger, sender } = this.#context
    const parts = this.#partsOf(record)
    const before = ledger.heldBytes
    topic.put(parts, owner, tag)
    this.#turnBytes += ledger.heldBytes - before
    if (this.#turnBytes >= TURN_BYTES) sender.awaitTick()
  }

  /** The parts stay valid until the next call. */
  #partsOf(record: RecordToSend<K, V>): RecordParts {
    const { key, value, partition } = record
    const serdes = this.#settings
    if (partition !== undefined) checkPartition(partition)
    let keyBytes: Uint8Array | null = null
    let valueBytes: Uint8Array | null = null
    let text: string | undefined
    try {
      if (key !== undefined && key !== null) keyBytes = checkedBytes(serdes.key.serialize(key))
      if (value !== null) text = serdes.value.serializeText?.(value)
      if (text !== undefined) requireWellFormed(text)
      else if (value !== null) valueBytes = checkedBytes(serdes.value.serialize(value))
    } catch (error) {
      throw encodeFailure(error)
    }
    const headers = headerBytes(record.headers)
    const timeMs = timestampMs(record.timestamp)
    // Not before: the program's serdes and iterables may have given this producer another record.
    const parts = this.#parts
    parts.key = keyBytes
    parts.value = valueBytes
    parts.text = text
    parts.headers = headers
    parts.timestampMs = timeMs
    parts.partition = partition
    return parts
  }

  #topicOf({ topic }: RecordToSend<K, V>): TopicQueue {
    if (topic !== undefined) return this.#topics.get(topic) ?? this.#topicNamed(topic)
    if (this.#topic !== undefined) return this.#topic
    throw new SpoolError(
      'INVALID_REQUEST',
      'the record names no topic, and neither does the producer: give one of them a topic',
      { outcome: 'refused' },
    )
  }

  #topicNamed(name: string): TopicQueue {
    const topic = new TopicQueue(name, this.#context)
    this.#topics.set(name, topic)
    return topic
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw closedError('the producer was closed')
  }

  #throwUnheard(): void {
    const unheard = this.#context.ledger.takeUnheard()
    if (unheard !== undefined) throw unheard
  }

  #exhausted(): SpoolError {
    const { bufferBytesMax } = this.#settings
    return new SpoolError(
      'BUFFER_EXHAUSTED',
      `${this.bufferedBytes} bytes wait for their acknowledgement, bufferBytesMax is ${bufferBytesMax}: wait for room()`,
      { outcome: 'refused' },
    )
  }
}

function closedError(detail: string): SpoolError {
  return new SpoolError('CLIENT_CLOSED', detail, { outcome: 'refused' })
}

/** What a program's own serde gave, in whatever language it was written. */
function checkedBytes(given: Uint8Array | null): Uint8Array | null {
  if (given === null || given instanceof Uint8Array) return given
  throw new TypeError(`serialize gave ${typeof given}, not a Uint8Array or null`)
}
