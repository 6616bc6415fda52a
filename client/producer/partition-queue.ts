/**
 * The records of one partition on their way: the batch that is being filled, and the line of those that
 * are full. A batch is closed when it is full, or when it is due and could go at once; until then it
 * fills.
 */

import { SpoolError } from '../api/errors.ts'
import { encodeText } from '../serdes/text.ts'
import type { BatchFate, OpenBatch, ProducerNumbers } from '../transport.ts'
import { asSpoolError } from './line-answer.ts'
import type { LineBatch } from './line-batch.ts'
import { PartitionLine, type ProducerIdentity } from './partition-line.ts'
import { type BatchPlace, ProducerBatch } from './producer-batch.ts'
import type { ProducerContinuation } from './producer-options.ts'
import type { RecordParts } from './record-parts.ts'
import type { SendingContext } from './sending-context.ts'

/** Length, attributes, two deltas, three lengths and the count of headers, at their longest. */
const RECORD_OVERHEAD_BYTES_MAX = 40
const HEADER_OVERHEAD_BYTES_MAX = 10
/** A UTF-16 unit becomes at most three bytes. */
const UTF8_BYTES_MAX = 3
const FIRST_BATCH_BYTES = 4 * 1024

interface PreparingBatch {
  readonly batch: ProducerBatch
  readonly recordCount: number
  isReady: boolean
}

/** What its topic lends it. */
export interface QueueTopic {
  /** How large a batch of several records may grow before compression. */
  readonly batchBytesMax: number
  /** The topic's `max.message.bytes`. */
  readonly messageBytesMax: number
  batchClosed(partition: number): void
  batchFailed(error: SpoolError, topicId: string): void
}

export class PartitionQueue {
  readonly place: BatchPlace
  readonly line: PartitionLine<ProducerBatch>
  /** The one its line was given last. */
  identity: ProducerIdentity | undefined
  /** True while it is in the sender's list of queues to look at. */
  isListed = false
  readonly #topic: QueueTopic
  readonly #context: SendingContext
  #open: ProducerBatch | undefined
  /** Closed, being compressed or behind one that is, in order. */
  readonly #preparing: PreparingBatch[] = []
  /** The next batch will be about as large as the last: a thousand slow partitions need little memory. */
  #expectedBytes = FIRST_BATCH_BYTES

  constructor(place: BatchPlace, topic: QueueTopic, context: SendingContext) {
    this.place = place
    this.#topic = topic
    this.#context = context
    const { settings, transport } = context
    this.line = new PartitionLine({
      place: `${place.topic}-${place.partition}`,
      isIdempotent: settings.idempotent,
      // Without sequences a repeat would come behind those that were sent after it.
      inFlightMax: settings.idempotent ? transport.inFlightPerPartitionMax : 1,
      deliveryTimeoutMs: settings.deliveryTimeoutMs,
      backoff: settings,
      continues: numbersIn(place, settings.continues),
    })
  }

  get isEmpty(): boolean {
    return this.#open === undefined && this.#preparing.length === 0 && this.line.length === 0
  }

  /** The next time after `nowMs` something happens by itself: it is due, may go again, is out of time. */
  wakeAtMs(nowMs: number): number {
    const { deadlineMs, retryAtMs } = this.line
    const open = this.#open?.times
    let atMs = open === undefined ? deadlineMs : Math.min(deadlineMs, open.deadlineMs)
    if (open !== undefined && open.dueAtMs > nowMs) atMs = Math.min(atMs, open.dueAtMs)
    // A time that has passed is no reason: it waits for an answer then.
    return retryAtMs > nowMs ? Math.min(atMs, retryAtMs) : atMs
  }

  /** Appends a record; the bytes are copied. Returns its batch, of which it is the last. */
  append(parts: RecordParts): ProducerBatch {
    let open = this.#open
    if (open !== undefined) {
      const size = open.records.sizeBytes + recordBytesMax(parts)
      if (size > this.#topic.batchBytesMax) {
        this.close()
        this.#context.sender.ready(this)
        open = undefined
      }
    }
    const batch = open ?? this.#newBatch()
    const { records } = batch
    const before = open === undefined ? 0 : records.sizeBytes
    appendTo(records, parts)
    if (open === undefined) this.#opened(batch)
    const bytes = records.sizeBytes - before
    batch.heldBytes += bytes
    this.#context.ledger.take(bytes)
    return batch
  }

  /** The batch that is being filled joins the line. */
  close(): void {
    const batch = this.#open
    if (batch === undefined) return
    this.#open = undefined
    this.#topic.batchClosed(this.place.partition)
    const { recordCount, sizeBytes } = batch.records
    this.#expectedBytes = Math.min(sizeBytes, this.#topic.batchBytesMax)
    const error = this.#refusalOf(batch)
    if (error !== undefined) {
      const behind = this.line.skipped(error)
      queueMicrotask(() => {
        this.#context.ledger.tell(batch, { error })
        this.#tellAll(behind)
      })
      return
    }
    const prepared = batch.records.prepare?.()
    const preparing = { batch, recordCount, isReady: prepared === undefined }
    this.#preparing.push(preparing)
    this.#joinReady()
    const ready = () => {
      preparing.isReady = true
      this.#joinReady()
      this.#context.sender.ready(this)
    }
    // A batch that could not be prepared is made when it is sealed, or fails then.
    prepared?.then(ready, ready)
  }

  /** Why a batch is not sent at all. */
  #refusalOf(batch: ProducerBatch): SpoolError | undefined {
    const { messageBytesMax } = this.#topic
    if (batch.records.sizeBytes <= messageBytesMax) return undefined
    try {
      const { sizeBytes } = batch.seal(undefined)
      return sizeBytes > messageBytesMax ? tooLarge(batch, sizeBytes, messageBytesMax) : undefined
    } catch (error) {
      return asSpoolError(error)
    }
  }

  /** What is ready joins the line, and stays behind what came before it. */
  #joinReady(): void {
    while (this.#preparing[0]?.isReady === true) this.#join(this.#preparing.shift()!)
  }

  #join({ batch, recordCount }: PreparingBatch): void {
    this.line.push(batch, recordCount, batch.times.deadlineMs)
  }

  /** The next batch to send now; closes the one that is being filled if it is due and can go. */
  next(nowMs: number, isFlushing: boolean): LineBatch<ProducerBatch> | undefined {
    const open = this.#open
    if (this.#preparing.length > 0) return this.line.next(nowMs)
    if (open !== undefined && (isFlushing || nowMs >= open.times.dueAtMs)) {
      if (this.line.isOpen(nowMs)) this.close()
    }
    return this.line.next(nowMs)
  }

  /** Tells what ran out of time. */
  expire(nowMs: number): void {
    if (this.#open !== undefined && nowMs >= this.#open.times.deadlineMs) this.close()
    this.#tellAll(this.line.expire(nowMs))
  }

  /** Gives up everything that is not sent, and waits for no answer. */
  abandon(reason: SpoolError): void {
    this.close()
    for (const preparing of this.#preparing.splice(0)) this.#join(preparing)
    this.#tellAll(this.line.abandon(reason))
  }

  answered(
    batch: LineBatch<ProducerBatch>,
    answer: Parameters<PartitionLine<ProducerBatch>['answered']>[1],
    fate: BatchFate,
    nowMs: number,
    random: number,
  ): void {
    for (const { item, error } of this.line.answered(batch, answer, nowMs, random)) {
      this.#context.ledger.tell(item, error === undefined ? fate : { error })
    }
    if (fate.error === undefined) batch.item.records.release?.()
    else this.#topic.batchFailed(fate.error, this.place.topicId)
  }

  #tellAll(settled: ReturnType<PartitionLine<ProducerBatch>['expire']>): void {
    for (const { item, error } of settled) {
      if (error !== undefined) this.#context.ledger.tell(item, { error })
    }
  }

  /** Becomes the open one with its first record: that may be refused. */
  #newBatch(): ProducerBatch {
    const { transport, settings, ledger } = this.#context
    const createdAtMs = performance.now()
    const records = transport.newBatch({
      compression: settings.compression,
      sizeBytes: this.#expectedBytes,
    })
    const times = {
      createdAtMs,
      dueAtMs: createdAtMs + settings.lingerMs,
      deadlineMs: createdAtMs + settings.deliveryTimeoutMs,
    }
    return new ProducerBatch(this.place, records, times, ledger.generation)
  }

  #opened(batch: ProducerBatch): void {
    this.#open = batch
    this.#context.ledger.begin(batch.generation)
    this.#context.sender.opened(this, batch.times.createdAtMs)
  }
}

/** @throws SpoolError INCONSISTENT_TOPIC_ID where they are of a topic that had this name before. */
function numbersIn(
  { topic, topicId, partition }: BatchPlace,
  continues: ProducerContinuation | undefined,
): ProducerNumbers | undefined {
  if (continues === undefined) return undefined
  const { producerId, producerEpoch, sequences } = continues
  if (continues.topicId === topicId) {
    return { producerId, producerEpoch, baseSequence: sequences[partition] ?? 0 }
  }
  throw new SpoolError(
    'INCONSISTENT_TOPIC_ID',
    `the producer continues in the topic with id ${continues.topicId}; ${topic} is another now, with id ${topicId}`,
    { outcome: 'refused' },
  )
}

function appendTo(records: OpenBatch, parts: RecordParts): void {
  const { timestampMs, key, value, text, headers } = parts
  if (text === undefined) records.append(timestampMs, key, value, headers)
  else if (records.appendText !== undefined) records.appendText(timestampMs, key, text, headers)
  else records.append(timestampMs, key, encodeText(text), headers)
}

function recordBytesMax({ key, value, text, headers }: RecordParts): number {
  let bytes = RECORD_OVERHEAD_BYTES_MAX
  if (key !== null) bytes += key.length
  if (value !== null) bytes += value.length
  if (text !== undefined) bytes += UTF8_BYTES_MAX * text.length
  for (const header of headers) {
    bytes += HEADER_OVERHEAD_BYTES_MAX + header.name.length + (header.value?.length ?? 0)
  }
  return bytes
}

function tooLarge(batch: ProducerBatch, sizeBytes: number, messageBytesMax: number): SpoolError {
  const { topic } = batch.place
  const what = batch.records.recordCount === 1 ? 'a record' : 'a batch'
  return new SpoolError(
    'MESSAGE_TOO_LARGE',
    `${what} for ${topic} has ${sizeBytes} bytes as it would be stored, more than the topic's max.message.bytes, ${messageBytesMax}`,
    { outcome: 'refused' },
  )
}
