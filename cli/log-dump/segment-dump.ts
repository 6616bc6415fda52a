/**
 * One `.log` file walked from front to back: its batches, on request their records, and whatever is
 * wrong with them. Both indexes are compared with the log on the same walk, entry by entry, so
 * that a file of any size needs no more memory than one batch.
 */

import { StorageError } from '../../storage/errors.ts'
import type { StorageFile } from '../../storage/file/file-system.ts'
import { BatchScanner } from '../../storage/log/batch-scanner.ts'
import type { OffsetIndex } from '../../storage/log/offset-index.ts'
import type { TimeIndex } from '../../storage/log/time-index.ts'
import { readRecords } from '../../storage/record/batch-reader.ts'
import { type Offset, toPosition } from '../../storage/record/offsets.ts'
import type { RecordBatch } from '../../storage/record/record-batch.ts'
import { note, problem, type Row } from './rows.ts'

/** A batch is never larger when it is unpacked to be shown; a log may hold anything. */
const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

export interface SegmentToDump {
  readonly file: StorageFile
  /** As the user named it. */
  readonly name: string
  readonly sizeBytes: number
  readonly baseOffset: Offset
  readonly offsetIndex: { readonly name: string; readonly index: OffsetIndex } | undefined
  readonly timeIndex: { readonly name: string; readonly index: TimeIndex } | undefined
  /** Damage before this is corruption, after it a tail to be cut. Infinity: all of the file counts. */
  readonly durableBytes: number
  readonly withRecords: boolean
}

/** What the next segment is checked against. */
export interface SegmentEnd {
  readonly nextOffset: number
  readonly leaderEpoch: number
  readonly batches: number
  readonly records: number
}

/** Yields rows; returns where the segment ends. `walked` hears how many bytes are done. */
export async function* dumpSegment(
  segment: SegmentToDump,
  before: Pick<SegmentEnd, 'nextOffset' | 'leaderEpoch'> | undefined,
  walked: (bytes: number) => void,
): AsyncGenerator<Row, SegmentEnd> {
  const { name } = segment
  if (before !== undefined && before.nextOffset !== segment.baseOffset) {
    yield problem(
      name,
      `begins at ${segment.baseOffset}, the segment before ends at ${before.nextOffset}`,
    )
  }
  const scanner = new BatchScanner(segment.file, {
    from: toPosition(0),
    to: segment.sizeBytes,
    wholeFrom: 0,
  })
  const indexes = new IndexComparison(segment)
  let end: SegmentEnd = {
    nextOffset: segment.baseOffset,
    leaderEpoch: before?.leaderEpoch ?? -1,
    batches: 0,
    records: 0,
  }
  while (true) {
    const batch = scanner.take()
    if (batch === undefined) {
      walked(scanner.position)
      if (await scanner.fill()) continue
      break
    }
    const at = scanner.takenPosition
    yield { kind: 'batch', file: name, values: batchValues(batch, at) }
    yield* continuityProblems(name, batch, at, end)
    yield* indexes.compare(batch, at)
    if (segment.withRecords) yield* recordRows(name, batch, at)
    end = {
      nextOffset: batch.nextOffset,
      leaderEpoch: batch.leaderEpoch,
      batches: end.batches + 1,
      records: end.records + batch.recordCount,
    }
  }
  yield* endProblem(segment, scanner)
  yield* indexes.rest(scanner.position >= segment.durableBytes)
  return end
}

function batchValues(batch: RecordBatch, position: number): Record<string, unknown> {
  const producer =
    batch.producerId === -1
      ? {}
      : {
          producerId: batch.producerId,
          producerEpoch: batch.producerEpoch,
          baseSequence: batch.baseSequence,
        }
  return {
    position,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    records: batch.recordCount,
    bytes: batch.sizeBytes,
    leaderEpoch: batch.leaderEpoch,
    compression: compressionOf(batch),
    timestampType: batch.timestampType,
    maxTimestamp: batch.maxTimestamp,
    crc: batch.crc,
    ...(batch.deleteHorizonMs === undefined ? {} : { deleteHorizonMs: batch.deleteHorizonMs }),
    ...producer,
    ...(batch.isTransactional ? { isTransactional: true } : {}),
    ...(batch.isControl ? { isControl: true } : {}),
  }
}

function compressionOf(batch: RecordBatch): string {
  try {
    return batch.compression
  } catch (error) {
    return (error as Error).message
  }
}

function* continuityProblems(
  name: string,
  batch: RecordBatch,
  at: number,
  end: SegmentEnd,
): Generator<Row> {
  if (batch.baseOffset !== end.nextOffset) {
    yield problem(name, `base offset ${batch.baseOffset} where ${end.nextOffset} should follow`, at)
  }
  if (batch.leaderEpoch < end.leaderEpoch) {
    yield problem(name, `leader epoch ${batch.leaderEpoch} after ${end.leaderEpoch}`, at)
  }
}

function* recordRows(name: string, batch: RecordBatch, at: number): Generator<Row> {
  try {
    for (const record of readRecords(batch, { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX })) {
      const { offset, timestamp, key, value } = record
      const headers = record.headers.map((header) => [shown(header.name), shown(header.value)])
      yield {
        kind: 'record',
        file: name,
        values: { offset, timestamp, key: shown(key), value: shown(value), headers },
      }
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    yield problem(name, error.message, at)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Text where the bytes are UTF-8, else `{"base64"}`, as the HTTP face shows them. */
function shown(bytes: Buffer | null): unknown {
  if (bytes === null) return null
  try {
    return utf8.decode(bytes)
  } catch {
    return { base64: bytes.toString('base64') }
  }
}

function* endProblem(segment: SegmentToDump, scanner: BatchScanner): Generator<Row> {
  const found = scanner.problem
  if (found !== undefined && found.position >= segment.durableBytes) {
    const bytes = segment.sizeBytes - found.position
    yield note(
      segment.name,
      `the last ${bytes} bytes, after what is known to be durable, are no whole batch (${found.reason}): a broker is writing them, or its next start cuts them`,
    )
  } else if (found !== undefined) {
    yield problem(segment.name, found.reason, found.position)
  }
  if (segment.sizeBytes < segment.durableBytes && Number.isFinite(segment.durableBytes)) {
    yield problem(
      segment.name,
      `${segment.sizeBytes} bytes, of which ${segment.durableBytes} should be durable`,
    )
  }
}

/** Walks both indexes beside the log: every entry must meet the batch it names. */
class IndexComparison {
  readonly #offsets: { name: string; entries: Iterator<{ offset: number; position: number }> }
  readonly #times: { name: string; entries: Iterator<{ timestamp: number; offset: number }> }
  #nextOffset: { offset: number; position: number } | undefined
  #nextTime: { timestamp: number; offset: number } | undefined
  #maxTimestamp = -1

  constructor(segment: SegmentToDump) {
    const { offsetIndex, timeIndex } = segment
    this.#offsets = {
      name: offsetIndex?.name ?? '',
      entries: iterate(offsetIndex?.index.entries()),
    }
    this.#times = { name: timeIndex?.name ?? '', entries: iterate(timeIndex?.index.entries()) }
    this.#nextOffset = next(this.#offsets.entries)
    this.#nextTime = next(this.#times.entries)
  }

  *compare(batch: RecordBatch, at: number): Generator<Row> {
    this.#maxTimestamp = Math.max(this.#maxTimestamp, batch.maxTimestamp)
    while (this.#nextOffset !== undefined && this.#nextOffset.position <= at) {
      const { offset, position } = this.#nextOffset
      if (position !== at) yield this.#misplaced(offset, position, 'no batch begins there')
      else if (offset !== batch.lastOffset) {
        yield this.#misplaced(
          offset,
          position,
          `the batch there ends at offset ${batch.lastOffset}`,
        )
      }
      this.#nextOffset = next(this.#offsets.entries)
    }
    while (this.#nextTime !== undefined && this.#nextTime.offset <= batch.lastOffset) {
      const { timestamp, offset } = this.#nextTime
      if (timestamp < this.#maxTimestamp) {
        yield problem(
          this.#times.name,
          `says no record up to offset ${offset} is younger than ${timestamp}; one has ${this.#maxTimestamp}`,
        )
      }
      this.#nextTime = next(this.#times.entries)
    }
  }

  /** Entries that the log does not reach: of no weight where only its undurable tail is missing. */
  *rest(isTail: boolean): Generator<Row> {
    const say = isTail ? note : problem
    if (this.#nextOffset !== undefined) {
      const { offset, position } = this.#nextOffset
      yield say(this.#offsets.name, `entry ${offset} → byte ${position}: the log ends before`)
    }
    if (this.#nextTime !== undefined) {
      yield say(this.#times.name, `entry for offset ${this.#nextTime.offset} is beyond the log`)
    }
  }

  #misplaced(offset: number, position: number, reason: string): Row {
    return problem(this.#offsets.name, `entry ${offset} → byte ${position}: ${reason}`)
  }
}

function iterate<Entry>(entries: Iterable<Entry> | undefined): Iterator<Entry> {
  return (entries ?? [])[Symbol.iterator]()
}

function next<Entry>(entries: Iterator<Entry>): Entry | undefined {
  const result = entries.next()
  return result.done === true ? undefined : result.value
}
