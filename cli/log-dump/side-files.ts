/**
 * The small files beside a segment, decoded from their bytes: both indexes, the producer snapshot and the
 * recovery point. What an index says is compared with the log while that is walked (`segment-dump.ts`).
 */

import { decodeSlot, type RecoveryPoint, SLOT_BYTES } from '../../storage/file/recovery-point.ts'
import { OffsetIndex, offsetIndexProblem } from '../../storage/log/offset-index.ts'
import { decodeProducerSnapshot } from '../../storage/log/producer-snapshot.ts'
import { ProducerState } from '../../storage/log/producer-state.ts'
import { TimeIndex, timeIndexProblem } from '../../storage/log/time-index.ts'
import type { Offset } from '../../storage/record/offsets.ts'
import { problem, type Row } from './rows.ts'

/** An index, or what makes it unreadable. */
export interface LoadedIndex<Index> {
  readonly index: Index | undefined
  readonly problem: string | undefined
}

export function loadOffsetIndex(
  bytes: Buffer,
  baseOffset: Offset,
  logSizeBytes: number,
): LoadedIndex<OffsetIndex> {
  const reason = offsetIndexProblem(bytes, logSizeBytes)
  if (reason !== undefined) return { index: undefined, problem: reason }
  return { index: new OffsetIndex(baseOffset, bytes), problem: undefined }
}

export function loadTimeIndex(bytes: Buffer, baseOffset: Offset): LoadedIndex<TimeIndex> {
  const reason = timeIndexProblem(bytes)
  if (reason !== undefined) return { index: undefined, problem: reason }
  return { index: new TimeIndex(baseOffset, bytes), problem: undefined }
}

/** The entries of an `.index` or `.timeindex` file, or the problem with it. */
export function* indexRows<Entry extends Readonly<Record<string, unknown>>>(
  kind: 'offset-index' | 'time-index',
  file: string,
  loaded: LoadedIndex<{ entries(): Iterable<Entry> }>,
): Generator<Row> {
  if (loaded.index === undefined) {
    yield problem(file, loaded.problem ?? 'unreadable')
    return
  }
  for (const entry of loaded.index.entries()) yield { kind, file, values: entry }
}

/** Every producer in a `.snapshot` file with the batches it is remembered by. */
export function* snapshotRows(file: string, bytes: Buffer): Generator<Row> {
  const state = new ProducerState({
    producersMax: Number.POSITIVE_INFINITY,
    expirationMs: Number.POSITIVE_INFINITY,
  })
  const reason = decodeProducerSnapshot(bytes, state)
  if (reason !== undefined) yield problem(file, reason)
  for (const [producerId, batches] of state.entries()) {
    const last = batches.at(-1)
    if (last === undefined) continue
    const { epoch, lastSequence, lastOffset } = last
    const appended = new Date(last.appendedAtMs).toISOString()
    const values = { producerId, epoch, lastSequence, lastOffset, appended }
    yield { kind: 'producer', file, values: { ...values, batches: batches.length } }
  }
}

/** Both slots; the one that counts is the valid one with the higher counter. */
export function readRecoveryPoint(
  file: string,
  bytes: Buffer,
): { rows: Row[]; point: RecoveryPoint | undefined } {
  const slots = [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))]
  const valid = slots.filter((slot) => slot !== undefined)
  const point = valid.toSorted((a, b) => b.counter - a.counter)[0]
  const rows = valid.map((slot): Row => {
    const { topicId, ...numbers } = slot
    return {
      kind: 'recovery-point',
      file,
      values: { ...numbers, isCurrent: slot === point, topicId },
    }
  })
  if (point === undefined) rows.push(problem(file, `no valid slot in ${bytes.length} bytes`))
  return { rows, point }
}
