/**
 * The bytes of the leader epoch file, and what a reader after a crash may make of them. Pure; when
 * entries are written and synced is `leader-epochs.ts`'s.
 *
 *     header  "SPOOLLEP" 8 bytes, version u32 = 1, crc32c u32 of the 12 bytes before
 *     entry   topic id 16 bytes, partition u32, epoch u32, startOffset i64,
 *             raise u32, left u32, crc32c u32 of the 40 before
 *
 * Entries are written by the raise: one write, one sync, and the next raise only after it. `raise` counts
 * them, `left` is how many entries of the same raise follow. That tells a torn tail from corruption, where
 * a power cut may keep a later sector and lose an earlier one:
 *
 *     raise 4: left 2, 1, 0 │ raise 5: left 3, 2, ▒, 0          raise 5 was never synced: cut whole
 *     raise 4: left 2, ▒, 0 │ raise 5: left 3, 2, 1, 0          ▒ had been synced: corruption, refused
 */

import { StorageError } from '../errors.ts'
import { TOPIC_ID_BYTES, topicIdFromBytes, topicIdToBytes } from '../file/topic-id.ts'
import { crc32c } from '../record/crc32c.ts'
import { readInt64, writeInt64 } from '../record/int64.ts'
import { type Offset, toOffset } from '../record/offsets.ts'

const MAGIC = Buffer.from('SPOOLLEP', 'latin1')
const VERSION = 1
export const EPOCH_HEADER_BYTES = MAGIC.length + 4 + 4

const PARTITION_AT = TOPIC_ID_BYTES
const EPOCH_AT = PARTITION_AT + 4
const START_OFFSET_AT = EPOCH_AT + 4
const RAISE_AT = START_OFFSET_AT + 8
const LEFT_AT = RAISE_AT + 4
const CRC_AT = LEFT_AT + 4
export const EPOCH_ENTRY_BYTES = CRC_AT + 4

export interface PartitionId {
  /** A UUID in its usual text form. */
  readonly topicId: string
  readonly partition: number
}

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: Offset
}

export interface EpochEntry extends PartitionId, EpochStart {}

export interface EpochFile {
  readonly entries: readonly EpochEntry[]
  /** The number of the newest whole raise; 0 when there was none. */
  readonly raise: number
  /** Where it begins; everything before was synced. */
  readonly raiseAt: number
  /** Where it ends; what lies behind was never used. */
  readonly endAt: number
}

export function encodeEpochHeader(): Buffer {
  const bytes = Buffer.alloc(EPOCH_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32BE(VERSION, MAGIC.length)
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, EPOCH_HEADER_BYTES - 4)), EPOCH_HEADER_BYTES - 4)
  return bytes
}

/** The entries of one raise. */
export function encodeRaise(raise: number, entries: readonly EpochEntry[]): Buffer {
  const bytes = Buffer.alloc(entries.length * EPOCH_ENTRY_BYTES)
  for (const [index, entry] of entries.entries()) {
    const at = index * EPOCH_ENTRY_BYTES
    const slot = bytes.subarray(at, at + EPOCH_ENTRY_BYTES)
    topicIdToBytes(entry.topicId).copy(slot)
    slot.writeUInt32BE(entry.partition, PARTITION_AT)
    slot.writeUInt32BE(entry.epoch, EPOCH_AT)
    writeInt64(slot, entry.startOffset, START_OFFSET_AT)
    slot.writeUInt32BE(raise, RAISE_AT)
    slot.writeUInt32BE(entries.length - 1 - index, LEFT_AT)
    slot.writeUInt32BE(crc32c(slot.subarray(0, CRC_AT)), CRC_AT)
  }
  return bytes
}

/** What `bytes`, the whole file, holds. Throws `KAFKA_STORAGE_ERROR` where synced entries are damaged. */
export function parseEpochFile(bytes: Buffer, path: string): EpochFile {
  if (!bytes.subarray(0, EPOCH_HEADER_BYTES).equals(encodeEpochHeader())) {
    throw damaged(path, `not a leader epoch file of version ${VERSION}`)
  }
  const entries: EpochEntry[] = []
  let raise = 0
  let left = 0
  let raiseAt = EPOCH_HEADER_BYTES
  let at = EPOCH_HEADER_BYTES
  for (; at < bytes.length; at += EPOCH_ENTRY_BYTES) {
    const next = decodeEntry(bytes, at)
    const isNextRaise = left === 0 && next?.raise === raise + 1
    const isSameRaise = left > 0 && next?.raise === raise && next.left === left - 1
    if (next === undefined || !(isNextRaise || isSameRaise)) break
    if (isNextRaise) raiseAt = at
    raise = next.raise
    left = next.left
    entries.push(next.entry)
  }
  // The entry at `at` belongs to this raise; a sound one of a later raise says that it had been synced.
  const tornRaise = left > 0 ? raise : raise + 1
  for (let later = at; later < bytes.length; later += EPOCH_ENTRY_BYTES) {
    const found = decodeEntry(bytes, later)
    if (found === undefined || found.raise <= tornRaise) continue
    throw damaged(path, `the entry at byte ${at} is damaged, with a later one at byte ${later}`)
  }
  const endAt = Math.min(at, bytes.length)
  if (left === 0) return { entries, raise, raiseAt, endAt }
  const whole = entries.slice(0, (raiseAt - EPOCH_HEADER_BYTES) / EPOCH_ENTRY_BYTES)
  return { entries: whole, raise: raise - 1, raiseAt, endAt: raiseAt }
}

function decodeEntry(
  bytes: Buffer,
  at: number,
): { entry: EpochEntry; raise: number; left: number } | undefined {
  const slot = bytes.subarray(at, at + EPOCH_ENTRY_BYTES)
  if (slot.length < EPOCH_ENTRY_BYTES) return undefined
  if (slot.readUInt32BE(CRC_AT) !== crc32c(slot.subarray(0, CRC_AT))) return undefined
  const entry = {
    topicId: topicIdFromBytes(slot.subarray(0, PARTITION_AT)),
    partition: slot.readUInt32BE(PARTITION_AT),
    epoch: slot.readUInt32BE(EPOCH_AT),
    startOffset: toOffset(readInt64(slot, START_OFFSET_AT)),
  }
  return { entry, raise: slot.readUInt32BE(RAISE_AT), left: slot.readUInt32BE(LEFT_AT) }
}

function damaged(path: string, problem: string): StorageError {
  return new StorageError('KAFKA_STORAGE_ERROR', `${path}: ${problem}`, { values: { path } })
}
