/**
 * What the tests of compaction stand on: an engine whose one topic is compacted, batches of keyed records,
 * and a look at everything a log holds, checked for what must hold in any log.
 */

import { expect } from 'vitest'
import type { Compacted } from '../../../storage/compaction/compactor.ts'
import type { SharedLimits } from '../../../storage/compaction/log-compaction.ts'
import { Throttle } from '../../../storage/compaction/pace.ts'
import { workPlaceHere } from '../../../storage/compaction/work-place.ts'
import type { Log } from '../../../storage/log/log.ts'
import type { LogAppend } from '../../../storage/log/log-append.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { RecordBatch } from '../../../storage/record/record-batch.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  append,
  type BatchOptions,
  batchesIn,
  DECOMPRESSED_BYTES_MAX,
  type Engine,
  type EngineOptions,
  startNew,
} from '../log/engine.ts'

export const START_MS = Date.UTC(2024, 0, 1)
export const COMPACTED = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': 0,
  'delete.retention.ms': 10_000,
}

export function startCompacted(
  config: Readonly<Record<string, number | string>> = {},
  options: EngineOptions = {},
): Promise<Engine> {
  return startNew({ ...options, config: { ...COMPACTED, ...config } })
}

/** A key, and its value or, for a tombstone, null. */
export type Entry = readonly [key: string | null, value: string | null]

export function keyedBatch(
  entries: readonly Entry[],
  options: BatchOptions = {},
  timestamp = START_MS,
): Buffer {
  const builder = new BatchBuilder({ compression: 'none', ...options })
  for (const [at, [key, value]] of entries.entries()) {
    builder.append(
      options.timestamps?.[at] ?? timestamp,
      key === null ? null : Buffer.from(key),
      value === null ? null : Buffer.from(value),
      [{ name: Buffer.from('at'), value: Buffer.from(String(at)) }],
    )
  }
  return builder.build()
}

/** Appends `k=v` words as one batch, `k=` being a tombstone, and waits until that is durable. */
export async function put(log: Log, words: string, options: BatchOptions = {}): Promise<LogAppend> {
  const entries = words.split(' ').map((word): Entry => {
    const [key, value] = word.split('=') as [string, string]
    return [key, value === '' ? null : value]
  })
  const appended = append(log, keyedBatch(entries, options))
  await appended.acknowledged
  return appended
}

/** Compacts the log now, due or not. */
export function compactNow(
  log: Log,
  limits: Partial<SharedLimits> = {},
): Promise<Compacted | undefined> {
  return log.compaction.run({
    work: workPlaceHere(),
    throttle: new Throttle(new ManualClock(), Number.MAX_SAFE_INTEGER),
    bufferBytes: 4_096,
    maxDecompressedBytes: DECOMPRESSED_BYTES_MAX,
    mapBytesMax: 1024 * 1024,
    reserveBytes: 0,
    ...limits,
  })
}

export interface Found {
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
  readonly headers: string
}

/** Every batch from the log's start on. Throws where one does not follow on the one before it. */
export async function batchesOf(log: Log, maxBytes = 2_000): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = []
  let next: number = log.logStartOffset
  while (next < log.highWatermark) {
    const read = await log.read(toOffset(next), { maxBytes })
    for (const batch of batchesIn(read.bytes)) {
      const isNext = batch.baseOffset === (batches.at(-1)?.nextOffset ?? batch.baseOffset)
      if (!isNext || !batch.hasValidCrc()) throw new Error(`bad batch at ${batch.baseOffset}`)
      batches.push(batch)
    }
    if (read.nextOffset <= next) throw new Error(`reading stands still at ${next}`)
    next = read.nextOffset
  }
  expect(next).toBe(log.highWatermark)
  return batches
}

/** Every record readers can see. */
export async function recordsOf(log: Log, maxBytes?: number): Promise<Found[]> {
  const records: Found[] = []
  for (const batch of await batchesOf(log, maxBytes)) {
    for (const record of readRecords(batch, { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX })) {
      if (record.offset < log.logStartOffset) continue
      const { offset, timestamp } = record
      records.push({
        offset,
        timestamp,
        key: record.key === null ? null : String(record.key),
        value: record.value === null ? null : String(record.value),
        headers: record.headers.map(({ name, value }) => `${name}:${value}`).join(),
      })
    }
  }
  return records
}

/** The records as words: `0:a=1 2:b=`. */
export async function wordsOf(log: Log): Promise<string> {
  const records = await recordsOf(log)
  return records.map(({ offset, key, value }) => `${offset}:${key}=${value ?? ''}`).join(' ')
}
