/**
 * What is in the log of an upload that was interrupted. Every record of it is numbered by its place among
 * the records of its partition, and the broker appends each number once and in order: so the last number
 * that is there tells how many are. They are looked up where they must be, from the offset that the last
 * mark gives to the end.
 *
 * What was appended after the end was asked for is not seen, such as a batch whose sender is gone. Then
 * sending is refused because of its number, and whoever sent it looks again.
 */

import type { Client, ProducerIdentity, ReadBatch, TopicOffsets } from '../../client/index.ts'
import { crc32c } from '../../storage/record/crc32c.ts'
import { RecordBatch } from '../../storage/record/record-batch.ts'
import { openBatch, readFailure } from '../stored-records.ts'
import type { Mark } from './acknowledged.ts'
import { beginAgain } from './begin-again.ts'

const SEQUENCE_COUNT = 2 ** 31
/** Prints that are kept; what is beyond is taken on its number alone. */
const PRINTS_MAX = 4_000_000

/** Of each partition, how many records of the upload are there, and what they look like. */
export class Arrived {
  readonly #counts: number[]
  /** The number of the first print of each partition. */
  readonly #from: readonly number[]
  readonly #prints: (number | undefined)[][]
  #printCount = 0

  constructor({ taken }: Mark) {
    this.#counts = [...taken]
    this.#from = taken
    this.#prints = taken.map(() => [])
  }

  /** How many records of the partition are there: numbers below this. */
  count(partition: number): number {
    return this.#counts[partition]!
  }

  /** Numbers to go on with, as the producer takes them. */
  sequences(): Record<number, number> {
    return Object.fromEntries(
      this.#counts.map((count, partition) => [partition, count % SEQUENCE_COUNT]),
    )
  }

  /** Records after the mark. */
  get total(): number {
    return this.#counts.reduce((sum, count, at) => sum + count - this.#from[at]!, 0)
  }

  /** Numbers `first` to before `next` are there. */
  add(partition: number, next: number): void {
    this.#counts[partition] = Math.max(this.#counts[partition]!, next)
  }

  addPrint(partition: number, number: number, print: number): void {
    const at = number - this.#from[partition]!
    if (at < 0 || at >= PRINTS_MAX || this.#printCount >= PRINTS_MAX) return
    const prints = this.#prints[partition]!
    while (prints.length < at) prints.push(undefined)
    prints[at] = print
    this.#printCount += 1
  }

  /** False: the record with that number is another than this. */
  matches(partition: number, number: number, print: number): boolean {
    const found = this.#prints[partition]![number - this.#from[partition]!]
    return found === undefined || found === print
  }
}

/** Any odd number that spreads its factor over all bits. */
const SPREAD = 0x9e3779b1

/** A record's key and value in one number. */
export function printOf(key: Uint8Array | null, value: Uint8Array | null): number {
  const ofKey = key === null ? 0 : crc32c(key)
  const both = value === null ? ~ofKey : crc32c(value, ofKey)
  // Where the key ends counts too.
  return both ^ Math.imul(key === null ? 0 : key.length + 1, SPREAD)
}

/**
 * Looks up what has arrived since `mark`.
 *
 * @throws CommandError where acknowledged records are gone, or what would tell is.
 */
export async function lookUpArrived(
  client: Client,
  topic: string,
  mark: Mark,
  { producerId, producerEpoch }: ProducerIdentity,
  signal: AbortSignal,
): Promise<Arrived> {
  const arrived = new Arrived(mark)
  const { from, until, unsure } = rangesOf(mark, await client.admin.offsets(topic, { signal }))
  const partitions = Object.keys(from).map(Number)
  if (partitions.length > 0) {
    const reader = client.reader(topic, { from, until, partitions, signal })
    for await (const batch of reader.batches()) {
      const stored = storedBatch(batch)
      if (stored.producerId !== producerId || stored.producerEpoch !== producerEpoch) continue
      unsure.delete(batch.partition)
      try {
        addBatch(arrived, batch, mark.taken[batch.partition]!)
      } catch (error) {
        throw readFailure(error, batch)
      }
    }
  }
  for (const partition of unsure) {
    throw beginAgain(
      `can not tell which lines are in ${topic}/${partition}: records from ${mark.offsets[partition]} on are no longer kept`,
    )
  }
  return arrived
}

interface Ranges {
  readonly from: Record<number, number>
  readonly until: Record<number, number>
  /** Partitions of which the beginning is gone: only a later record of the upload tells what was there. */
  readonly unsure: Set<number>
}

/** Where records may have arrived: after the mark, up to the end. */
function rangesOf({ offsets }: Mark, { topic, partitions }: TopicOffsets): Ranges {
  const ranges: Ranges = { from: {}, until: {}, unsure: new Set() }
  for (const { partition, logStartOffset, highWatermark } of partitions) {
    const offset = offsets[partition]
    if (offset === undefined) continue
    if (offset > highWatermark) {
      throw beginAgain(
        `${topic}/${partition} ends at ${highWatermark}, and records up to ${offset} were acknowledged`,
      )
    }
    if (offset < logStartOffset) ranges.unsure.add(partition)
    const begin = Math.max(offset, logStartOffset)
    if (begin === highWatermark) continue
    ranges.from[partition] = begin
    ranges.until[partition] = highWatermark
  }
  return ranges
}

/** The batch is of the upload, in a partition of which `taken` records are known to be there. */
function addBatch(arrived: Arrived, batch: ReadBatch, taken: number): void {
  const { partition } = batch
  const { baseSequence, baseOffset, lastOffsetDelta, recordCount } = storedBatch(batch)
  const first = numberOf(baseSequence, taken)
  arrived.add(partition, first + lastOffsetDelta + 1)
  // Compaction leaves a batch without records where only its producer is to be remembered.
  if (recordCount === 0) return
  const cursor = openBatch(batch)
  while (cursor.next()) {
    const print = printOf(cursor.key(), cursor.value())
    arrived.addPrint(partition, first + cursor.offset - baseOffset, print)
  }
}

function storedBatch({ bytes }: ReadBatch): RecordBatch {
  if (bytes === undefined) throw new Error('a batch without its bytes')
  return new RecordBatch(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}

/** The number that a sequence stands for: the one nearest to `near`. */
export function numberOf(sequence: number, near: number): number {
  const ahead = (((sequence - near) % SEQUENCE_COUNT) + SEQUENCE_COUNT) % SEQUENCE_COUNT
  return near + (ahead < SEQUENCE_COUNT / 2 ? ahead : ahead - SEQUENCE_COUNT)
}
