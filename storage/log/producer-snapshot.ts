/**
 * Producer state as bytes: Kafka's `.snapshot` file, version 1, followed by an extension of ours. Kafka
 * keeps one batch per producer there; we keep five, so that after a restart a retry of any request in
 * flight is still recognised. Its checksum runs to the end of the file, and its readers stop after the
 * counted entries, so its tools read our files and we read theirs.
 *
 *     version i16 = 1 │ crc32c u32 of all that follows │ count i32 │ entry × count │ extension
 *     entry      producerId i64, epoch i16, lastSequence i32, lastOffset i64, offsetDelta i32,
 *                timestamp i64 (wall clock of the append), coordinatorEpoch i32, currentTxnFirstOffset i64
 *     extension  for each entry, in order: count u8, then that many earlier batches, oldest first:
 *                epoch i16, lastSequence i32, lastOffset i64, offsetDelta i32, timestamp i64
 *
 * The two transaction fields are reserved: -1 until there are transactions.
 */

import { crc32c } from '../record/crc32c.ts'
import { type Offset, toOffset } from '../record/offsets.ts'
import { BATCHES_PER_PRODUCER, type ProducedBatch, type ProducerState } from './producer-state.ts'

const VERSION = 1
const VERSION_AT = 0
const CRC_AT = VERSION_AT + 2
const COUNT_AT = CRC_AT + 4
const ENTRIES_AT = COUNT_AT + 4
/** 8 producerId, 2 epoch, 4 lastSequence, 8 lastOffset, 4 offsetDelta, 8 timestamp, 4 + 8 transaction. */
const ENTRY_BYTES = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
const EARLIER_BYTES = 2 + 4 + 8 + 4 + 8
const NO_TRANSACTION = -1

/**
 * The whole content of a `.snapshot` file for `state` as it was at `offset`. Batches from there on are
 * left out: they may be enqueued and not written, and a retry of one that a crash took would otherwise
 * be answered as a repeat.
 */
export function encodeProducerSnapshot(state: ProducerState, offset: Offset): Buffer {
  const producers = [...state.entries()]
    .map(([producerId, batches]) => ({
      producerId,
      batches: batches.filter((batch) => batch.lastOffset < offset).slice(-BATCHES_PER_PRODUCER),
    }))
    .filter(({ batches }) => batches.length > 0)
  const earlierCount = producers.reduce((sum, { batches }) => sum + batches.length - 1, 0)
  const buffer = Buffer.alloc(
    ENTRIES_AT + producers.length * (ENTRY_BYTES + 1) + earlierCount * EARLIER_BYTES,
  )
  buffer.writeInt16BE(VERSION, VERSION_AT)
  buffer.writeInt32BE(producers.length, COUNT_AT)
  let at = ENTRIES_AT
  for (const { producerId, batches } of producers) at = writeEntry(buffer, at, producerId, batches)
  for (const { batches } of producers) at = writeEarlier(buffer, at, batches)
  buffer.writeUInt32BE(crc32c(buffer.subarray(COUNT_AT)), CRC_AT)
  return buffer
}

/** Fills `state` from the content of a `.snapshot` file. Returns what is wrong with it, if anything. */
export function decodeProducerSnapshot(bytes: Buffer, state: ProducerState): string | undefined {
  if (bytes.length < ENTRIES_AT) return `size ${bytes.length} is below ${ENTRIES_AT}`
  if (bytes.readInt16BE(VERSION_AT) !== VERSION) return `version ${bytes.readInt16BE(VERSION_AT)}`
  if (bytes.readUInt32BE(CRC_AT) !== crc32c(bytes.subarray(COUNT_AT))) return 'checksum differs'
  const count = bytes.readInt32BE(COUNT_AT)
  const extensionAt = ENTRIES_AT + count * ENTRY_BYTES
  if (count < 0 || extensionAt > bytes.length) return `count ${count} does not fit the size`
  let earlierAt = extensionAt
  for (let index = 0; index < count; index++) {
    const at = ENTRIES_AT + index * ENTRY_BYTES
    const earlierCount = earlierAt < bytes.length ? bytes.readUInt8(earlierAt) : 0
    earlierAt += 1
    if (earlierAt + earlierCount * EARLIER_BYTES > bytes.length && earlierCount > 0) {
      return 'the list of earlier batches is cut short'
    }
    const batches: ProducedBatch[] = []
    for (let batch = 0; batch < earlierCount; batch++, earlierAt += EARLIER_BYTES) {
      batches.push(readBatch(bytes, earlierAt))
    }
    batches.push(readBatch(bytes, at + 8))
    state.restore(Number(bytes.readBigInt64BE(at)), batches)
  }
  return undefined
}

function writeEntry(
  buffer: Buffer,
  at: number,
  producerId: number,
  batches: readonly ProducedBatch[],
): number {
  at = buffer.writeBigInt64BE(BigInt(producerId), at)
  at = writeBatch(buffer, at, batches[batches.length - 1]!)
  at = buffer.writeInt32BE(NO_TRANSACTION, at)
  return buffer.writeBigInt64BE(BigInt(NO_TRANSACTION), at)
}

function writeEarlier(buffer: Buffer, at: number, batches: readonly ProducedBatch[]): number {
  at = buffer.writeUInt8(batches.length - 1, at)
  for (const batch of batches.slice(0, -1)) at = writeBatch(buffer, at, batch)
  return at
}

/** The fields Kafka's entry and our extension share, in their common order. */
function writeBatch(buffer: Buffer, at: number, batch: ProducedBatch): number {
  at = buffer.writeInt16BE(batch.epoch, at)
  at = buffer.writeInt32BE(batch.lastSequence, at)
  at = buffer.writeBigInt64BE(BigInt(batch.lastOffset), at)
  at = buffer.writeInt32BE(batch.offsetDelta, at)
  return buffer.writeBigInt64BE(BigInt(batch.appendedAtMs), at)
}

function readBatch(bytes: Buffer, at: number): ProducedBatch {
  return {
    epoch: bytes.readInt16BE(at),
    lastSequence: bytes.readInt32BE(at + 2),
    lastOffset: toOffset(Number(bytes.readBigInt64BE(at + 6))),
    offsetDelta: bytes.readInt32BE(at + 14),
    appendedAtMs: Number(bytes.readBigInt64BE(at + 18)),
  }
}
