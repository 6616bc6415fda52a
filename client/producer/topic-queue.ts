/**
 * The records of one topic: to which partition each goes, and what waits until that is known. What is
 * known of a topic may turn out to be old: partitions are added, the topic is made anew. Then records
 * wait here, in order, until the broker has been asked.
 */

import {
  partitionerReady,
  partitionForKey,
  StickyChooser,
} from '../../storage/record/partitioner.ts'
import { SpoolError } from '../api/errors.ts'
import type { TopicMetadata } from '../metadata.ts'
import { isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import { encodeText } from '../serdes/text.ts'
import type { HeaderToAppend } from '../transport.ts'
import { Fifo } from './fifo.ts'
import { asSpoolError, isAboutTopic } from './line-answer.ts'
import { PartitionQueue, type QueueTopic } from './partition-queue.ts'
import type { ProducerBatch, RecordOwner } from './producer-batch.ts'
import type { RecordParts } from './record-parts.ts'
import type { SendingContext } from './sending-context.ts'
import { WakeUp } from './wake-up.ts'

/** A record that waits for its partition; its bytes are copies. */
export interface HeldRecord {
  readonly parts: RecordParts
  readonly owner: RecordOwner | undefined
  readonly tag: unknown
  /** Which `flush` it belongs to. */
  readonly generation: number
  readonly bytes: number
  readonly deadlineMs: number
}

export class TopicQueue implements QueueTopic {
  readonly name: string
  readonly #context: SendingContext
  readonly #chooser: StickyChooser
  /** While undefined, or while records are held, everything that comes is held behind them. */
  #metadata: TopicMetadata | undefined
  #queues: (PartitionQueue | undefined)[] = []
  readonly #held = new Fifo<HeldRecord>()
  #isServingHeld = false
  /** Questions about the topic, by number: the last asked, the last answered, the last not to be believed. */
  #asked = 0
  #answered = 0
  #outdated = 0
  #isRefreshing = false
  readonly #wakeUp = new WakeUp(() => this.#expireHeld())
  batchBytesMax = 0
  messageBytesMax = 0

  constructor(name: string, context: SendingContext) {
    this.name = name
    this.#context = context
    this.#chooser = new StickyChooser(context.random)
  }

  /** True when a record for `partition` (or for any) gets its place at once. */
  isReadyFor(partition: number | undefined): boolean {
    if (this.#metadata === undefined || this.#held.length > 0) return false
    return partition === undefined || partition < this.#metadata.partitions
  }

  /**
   * Asks the broker about the topic, for a record that would have to be held.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION, or what was wrong when the delivery time-out was up.
   */
  async makeReadyFor(partition: number | undefined): Promise<void> {
    const endsAtMs = performance.now() + this.#context.settings.deliveryTimeoutMs
    for (let failures = 1; !this.isReadyFor(partition); failures++) {
      try {
        const topic = await this.#ask()
        if (partition !== undefined) this.#checkPartition(partition, topic)
      } catch (thrown) {
        const error = asSpoolError(thrown)
        if (!isWorthRetrying(error) || performance.now() >= endsAtMs) throw refused(error)
        await this.#pauseAfter(failures, error)
      }
    }
  }

  /** Appends the record, or holds it until its partition is known. */
  put(parts: RecordParts, owner: RecordOwner | undefined, tag: unknown): void {
    if (this.isReadyFor(parts.partition)) this.#place(parts, owner, tag)
    else this.#hold(heldRecord(parts, owner, tag, this.#context))
  }

  /** As `put`, of a record that has waited before. */
  putHeld(record: HeldRecord): void {
    if (this.isReadyFor(record.parts.partition)) this.#placeHeld(record)
    else this.#hold(record)
  }

  batchClosed(partition: number): void {
    const partitions = this.#metadata?.partitions ?? 1
    if (this.#chooser.choose(partitions) === partition) this.#chooser.batchDone(partitions)
  }

  batchFailed(error: SpoolError, topicId: string): void {
    const isOfNow = topicId === this.#metadata?.topicId
    if (!isAboutTopic(error) || !isOfNow) return
    this.#context.metadata.forget(this.name)
    this.#outdated = this.#asked
    // What comes from now on waits until it is known whether there is such a topic.
    if (error.code !== 'MESSAGE_TOO_LARGE') this.#metadata = undefined
    else this.#refresh()
  }

  /** Gives up what is held. */
  abandon(reason: SpoolError): void {
    this.#failHeld(this.#takeHeld(), refused(reason))
    this.#wakeUp.cancel()
  }

  #place(parts: RecordParts, owner: RecordOwner | undefined, tag: unknown): ProducerBatch {
    const { partitions, partitioner } = this.#metadata as TopicMetadata
    const { key } = parts
    const partition =
      parts.partition ??
      (key === null
        ? this.#chooser.choose(partitions)
        : partitionForKey(partitioner, key, partitions))
    const queue = this.#queues[partition] ?? this.#newQueue(partition)
    const batch = queue.append(parts)
    const index = batch.records.recordCount - 1
    if (owner === undefined) batch.hasUnowned = true
    else owner.placed(batch, index, parts.timestampMs)
    if (tag !== undefined) batch.tag(index, tag)
    if (index === 0 && this.#context.metadata.peek(this.name) === undefined) this.#refresh()
    return batch
  }

  #newQueue(partition: number): PartitionQueue {
    const { topicId } = this.#metadata as TopicMetadata
    const queue = new PartitionQueue({ topic: this.name, topicId, partition }, this, this.#context)
    this.#queues[partition] = queue
    return queue
  }

  #hold(record: HeldRecord): void {
    const { ledger } = this.#context
    ledger.take(record.bytes)
    ledger.begin(record.generation)
    this.#held.push(record)
    this.#wakeUp.at(record.deadlineMs)
    if (!this.#isServingHeld) void this.#serveHeld()
  }

  async #serveHeld(): Promise<void> {
    this.#isServingHeld = true
    for (let failures = 1; this.#held.length > 0; failures++) {
      try {
        const topic = await this.#ask()
        // One leaves only once it has its place: what gets room by that comes behind all that are held.
        for (let record = this.#held.first; record !== undefined; record = this.#held.first) {
          this.#release(record, topic)
        }
      } catch (thrown) {
        const error = asSpoolError(thrown)
        if (!isWorthRetrying(error)) this.#failHeld(this.#takeHeld(), refused(error))
        // Given up meanwhile: nothing is held any more.
        else await this.#pauseAfter(failures, error).catch(() => {})
      }
    }
    this.#isServingHeld = false
    this.#wakeUp.cancel()
  }

  /** However short its own time-out, a broker that is away is not asked without end. */
  #pauseAfter(failures: number, error: SpoolError): Promise<void> {
    const { settings, random, givenUp } = this.#context
    return pause(retryDelayMs(failures, settings, random.next(), error), givenUp)
  }

  /** The topic as the broker describes it now. */
  async #ask(): Promise<TopicMetadata> {
    for (;;) {
      this.#asked += 1
      const number = this.#asked
      const topic = await this.#askOnce()
      if (number > this.#outdated && number > this.#answered) {
        this.#answered = number
        this.#learn(topic)
        return topic
      }
      // A later question was answered first; else a batch has shown meanwhile that it is otherwise.
      if (number < this.#answered && this.#metadata !== undefined) return this.#metadata
    }
  }

  async #askOnce(): Promise<TopicMetadata> {
    const { metadata, givenUp } = this.#context
    // From memory where nobody found that to be wrong; else again.
    const topic = await (this.#metadata === undefined
      ? metadata.topic(this.name, givenUp)
      : metadata.refresh(this.name, givenUp))
    await partitionerReady(topic.partitioner)
    return topic
  }

  /** Nobody waits for it: what is known goes on being used. */
  #refresh(): void {
    if (this.#isRefreshing) return
    this.#isRefreshing = true
    const done = () => {
      this.#isRefreshing = false
    }
    this.#ask().then(done, done)
  }

  #learn(topic: TopicMetadata): void {
    // Of a topic made anew nothing is left: batches for the old one end by themselves.
    if (this.#metadata?.topicId !== topic.topicId) {
      const isSame = this.#queues.some((queue) => queue?.place.topicId === topic.topicId)
      if (!isSame) this.#queues = []
    }
    this.#metadata = topic
    this.messageBytesMax = topic.messageBytesMax
    const { batchBytes, compression } = this.#context.settings
    this.batchBytesMax = Math.min(batchBytes, beforeCompression(topic.messageBytesMax, compression))
  }

  #release(record: HeldRecord, topic: TopicMetadata): void {
    const { ledger } = this.#context
    try {
      if (record.parts.partition !== undefined) this.#checkPartition(record.parts.partition, topic)
      this.#placeHeld(record)
    } catch (error) {
      this.#held.shift()
      this.#failHeld([record], refused(asSpoolError(error)))
      return
    }
    this.#held.shift()
    ledger.release(record.bytes)
    ledger.end(record.generation)
  }

  #placeHeld({ parts, owner, tag, generation }: HeldRecord): void {
    const batch = this.#place(parts, owner, tag)
    this.#context.ledger.backdate(batch, generation)
  }

  #expireHeld(): void {
    const nowMs = performance.now()
    const late = this.#takeHeld(({ deadlineMs }) => deadlineMs <= nowMs)
    const { deliveryTimeoutMs } = this.#context.settings
    const detail = `nothing could be learnt of topic ${this.name} within ${deliveryTimeoutMs} ms; the record was not sent`
    this.#failHeld(late, new SpoolError('REQUEST_TIMED_OUT', detail, { outcome: 'refused' }))
    const next = this.#held.first
    if (next !== undefined) this.#wakeUp.at(next.deadlineMs)
  }

  /** From the front, while `isTaken` says so. */
  #takeHeld(isTaken: (record: HeldRecord) => boolean = () => true): HeldRecord[] {
    const taken: HeldRecord[] = []
    for (let record = this.#held.first; record !== undefined; record = this.#held.first) {
      if (!isTaken(record)) break
      taken.push(record)
      this.#held.shift()
    }
    return taken
  }

  #failHeld(records: readonly HeldRecord[], error: SpoolError): void {
    const { ledger } = this.#context
    const unowned: unknown[] = []
    for (const { owner, tag } of records) {
      if (owner === undefined) unowned.push(tag)
      else owner.failed(error)
    }
    if (unowned.length > 0) ledger.tellUnplaced(this.name, unowned, error)
    for (const { bytes, generation } of records) {
      ledger.release(bytes)
      ledger.end(generation)
    }
  }

  #checkPartition(partition: number, { partitions }: TopicMetadata): void {
    if (partition < partitions) return
    throw new SpoolError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `topic ${this.name} has ${partitions} partitions, there is no ${partition}`,
      { outcome: 'refused' },
    )
  }
}

/** A record that can not have its place yet. The program may change what it gave after this returns. */
export function heldRecord(
  parts: RecordParts,
  owner: RecordOwner | undefined,
  tag: unknown,
  { ledger, settings }: SendingContext,
): HeldRecord {
  const { key, text, headers, timestampMs, partition } = parts
  const value = text === undefined ? parts.value && new Uint8Array(parts.value) : encodeText(text)
  const copies = headers.map((header) => ({
    name: header.name,
    value: header.value && new Uint8Array(header.value),
  }))
  return {
    parts: {
      timestampMs,
      key: key && new Uint8Array(key),
      value,
      text: undefined,
      headers: copies,
      partition,
    },
    owner,
    tag,
    generation: ledger.generation,
    bytes: heldBytes(key, value, copies),
    deadlineMs: performance.now() + settings.deliveryTimeoutMs,
  }
}

/** About what the objects around its bytes take. */
const HELD_OVERHEAD_BYTES = 256
const HELD_HEADER_OVERHEAD_BYTES = 128

function heldBytes(
  key: Uint8Array | null,
  value: Uint8Array | null,
  headers: readonly HeaderToAppend[],
): number {
  let bytes = HELD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) {
    bytes += HELD_HEADER_OVERHEAD_BYTES + header.name.length + (header.value?.length ?? 0)
  }
  return bytes
}

/** Bytes which compressed are at most `bytesMax`: what does not compress grows by a little. */
function beforeCompression(bytesMax: number, compression: string): number {
  const share = compression === 'snappy' ? 6 : 128
  return Math.max(1, bytesMax - Math.ceil(bytesMax / share) - 64)
}

function refused({ code, detail, extensions, cause }: SpoolError): SpoolError {
  return new SpoolError(code, detail, { outcome: 'refused', extensions, cause })
}
