/**
 * What compaction leaves of one batch. Record by record, three questions: is there a later one with its
 * key, is it below the log's start, is it a tombstone whose time is over? All the rest stays, byte for
 * byte as it came; a batch of which nothing goes is not touched at all.
 *
 *     offset              0      1       2      3      4     5       mapEnd
 *     key = value         a=1    b=1     a=2    c=1    b=∅   a=3     …
 *     left the 1st time   │      │       │      c=1    b=∅*  a=3     *now with a delete horizon
 *     left after that     │      │       │      c=1    │     a=3
 *
 * A tombstone stays for `delete.retention.ms` after compaction first met it: whoever began to read before
 * that must learn of the deletion (KIP-534; the horizon is in the batch's header). It goes only below
 * `mapEnd`, where everything older with its key goes in the same turn or has gone before. Were it to go
 * first, the value it deleted would be back.
 *
 * A batch has one date for all its tombstones: it gets it once all of them were met, and never where the dates
 * would make it longer than may be unpacked, so that those stay.
 *
 * A record without a key (the topic was not compacted when it came) is replaced by nothing, and stays.
 */

import { StorageError } from '../errors.ts'
import { decompress } from '../record/compression.ts'
import { release } from '../record/native-memory.ts'
import { RECORD_BATCH_HEADER_BYTES, type RecordBatch } from '../record/record-batch.ts'
import { RecordWalk } from '../record/record-walk.ts'
import { readVarint, readVarlong, varintEnd, writeVarint, writeVarlong } from '../record/varint.ts'
import type { KeyHash } from './key-hash.ts'
import type { KeyOffsetMap } from './key-offset-map.ts'
import { emptiedBatch, isFiller, remadeBatch } from './remade-batch.ts'

export interface FilterRules {
  readonly map: KeyOffsetMap
  readonly hash: KeyHash
  /** The map knows of every record below it, as far as earlier compactions did not, and of none after. */
  readonly mapEnd: number
  readonly logStartOffset: number
  /** Wall clock. */
  readonly nowMs: number
  readonly deleteRetentionMs: number
  /** The last offset of the newest batch of each producer that is remembered. */
  readonly newestOfProducers: ReadonlySet<number>
  readonly maxDecompressedBytes: number
}

/** All of it; nothing; or another batch in its place, of the same offsets. */
export type Remainder = 'whole' | 'nothing' | Buffer

const SCRATCH_BYTES = 1024 * 1024
/** How much longer a record may become when its timestamp is written against another base. */
const REBASE_BYTES_MAX = 13

export class BatchFilter {
  readonly #rules: FilterRules
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  /** The records of the batch in hand that stay. */
  #kept: Buffer = Buffer.alloc(0)
  recordsRead = 0
  recordsKept = 0

  constructor(rules: FilterRules) {
    this.#rules = rules
  }

  /** What is left of `batch`, a whole one with a good CRC. Throws `StorageError` for one that is not sound. */
  filter(batch: RecordBatch): Remainder {
    const { mapEnd, logStartOffset, newestOfProducers } = this.#rules
    this.recordsRead += batch.recordCount
    const isNewest = batch.producerId >= 0 && newestOfProducers.has(batch.lastOffset)
    if (isFiller(batch)) return 'nothing'
    const isUntouched = batch.baseOffset >= mapEnd || batch.isControl
    if (isUntouched || (batch.recordCount === 0 && isNewest)) {
      this.recordsKept += batch.recordCount
      return 'whole'
    }
    const isGone = batch.lastOffset < logStartOffset || batch.recordCount === 0
    const remainder = isGone ? 'nothing' : this.#filterRecords(batch)
    return remainder === 'nothing' && isNewest ? emptiedBatch(batch) : remainder
  }

  #filterRecords(batch: RecordBatch): Remainder {
    const { compression } = batch
    const stored = batch.buffer.subarray(RECORD_BATCH_HEADER_BYTES)
    const records = decompress(compression, stored, this.#rules.maxDecompressedBytes, this.#scratch)
    try {
      return this.#walk(batch, records)
    } finally {
      if (compression !== 'none' && records.buffer !== this.#scratch.buffer) release(records)
    }
  }

  #walk(batch: RecordBatch, records: Buffer): Remainder {
    const { baseOffset, lastOffsetDelta, deleteHorizonMs, recordCount, baseTimestamp } = batch
    const { mapEnd, nowMs, deleteRetentionMs, maxDecompressedBytes } = this.#rules
    // Where the map ends within it, part of its tombstones are met next time; the one date is for all of them.
    const isMet = batch.lastOffset < mapEnd
    const dropsTombstones = deleteHorizonMs !== undefined && nowMs >= deleteHorizonMs
    const walk = new RecordWalk(records, recordCount)
    let deltaBefore = -1
    let keptCount = 0
    let keptBytes = 0
    let keptFrom = 0
    let maxDelta = Number.NEGATIVE_INFINITY
    let needsHorizon = false
    while (walk.next()) {
      const delta = walk.offsetDelta
      if (delta <= deltaBefore || delta > lastOffsetDelta) throw outOfOrder(batch, delta)
      deltaBefore = delta
      const offset = baseOffset + delta
      const isTombstone = walk.valueStart < 0
      if (this.#stays(walk, offset, isTombstone && dropsTombstones)) {
        keptCount += 1
        if (walk.timestampDelta > maxDelta) maxDelta = walk.timestampDelta
        if (isTombstone && isMet && walk.keyStart >= 0) needsHorizon = true
      } else {
        keptBytes = this.#keep(records, keptFrom, walk.recordStart, keptBytes)
        keptFrom = walk.recordEnd
      }
    }
    this.recordsKept += keptCount
    if (keptCount === 0) return 'nothing'
    const setsHorizon = needsHorizon && deleteHorizonMs === undefined
    if (keptCount === recordCount && !setsHorizon) return 'whole'
    keptBytes = this.#keep(records, keptFrom, records.length, keptBytes)
    const kept = this.#kept.subarray(0, keptBytes)
    const horizonMs = nowMs + deleteRetentionMs
    const dated = setsHorizon ? rebased(kept, keptCount, baseTimestamp - horizonMs) : kept
    // Longer than anybody would unpack: then its tombstones stay for good.
    const isDated = setsHorizon && dated.length <= maxDecompressedBytes
    if (keptCount === recordCount && !isDated) return 'whole'
    const hasOneTimestamp = batch.timestampType === 'LogAppendTime'
    return remadeBatch(batch, {
      records: isDated ? dated : kept,
      recordCount: keptCount,
      maxTimestamp: hasOneTimestamp ? batch.maxTimestamp : baseTimestamp + maxDelta,
      deleteHorizonMs: isDated ? horizonMs : undefined,
    })
  }

  #stays(walk: RecordWalk, offset: number, isOver: boolean): boolean {
    const { map, hash, mapEnd, logStartOffset } = this.#rules
    if (offset >= mapEnd) return true
    if (offset < logStartOffset) return false
    if (walk.keyStart < 0) return true
    hash.hash(walk.bytes, walk.keyStart, walk.keyEnd)
    return map.get(hash) <= offset && !isOver
  }

  /** Copies a stretch of records to those kept; returns how many bytes they are now. */
  #keep(records: Buffer, from: number, to: number, keptBytes: number): number {
    if (this.#kept.length < records.length) this.#kept = Buffer.allocUnsafeSlow(records.length)
    return keptBytes + records.copy(this.#kept, keptBytes, from, to)
  }
}

/** The same records with `shift` added to each timestamp's delta. */
function rebased(records: Buffer, recordCount: number, shift: number): Buffer {
  const bytes = Buffer.allocUnsafe(records.length + recordCount * REBASE_BYTES_MAX)
  const front = Buffer.alloc(REBASE_BYTES_MAX)
  let from = 0
  let at = 0
  for (let record = 0; record < recordCount; record++) {
    const length = readVarint(records, from, records.length)
    const attributesAt = varintEnd
    const delta = readVarlong(records, attributesAt + 1, records.length)
    const restAt = varintEnd
    const end = attributesAt + length
    front[0] = records[attributesAt]!
    const frontBytes = writeVarlong(front, delta + shift, 1)
    at = writeVarint(bytes, frontBytes + end - restAt, at)
    at += front.copy(bytes, at, 0, frontBytes)
    at += records.copy(bytes, at, restAt, end)
    from = end
  }
  return bytes.subarray(0, at)
}

function outOfOrder({ baseOffset, lastOffsetDelta }: RecordBatch, delta: number): StorageError {
  return new StorageError(
    'CORRUPT_MESSAGE',
    `a record with offset delta ${delta} where none can be, in the batch at ${baseOffset} whose last is ${lastOffsetDelta}`,
  )
}
