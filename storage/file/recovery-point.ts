/**
 * The lower bound of what is on stable storage in one partition. Two slots of 512 bytes, a disk sector
 * each, are written in turn, so that a torn write spoils at most the newer one. A slot is written only
 * after the sync it tells of returned: whichever slot verifies is true, the newer one is the better.
 *
 * Owns the layout and the turns. Slots are written unsynced (they are a bound, not a promise) and
 * survive kill -9 that way; `sync` is for roll, clean stop and a moved `logStartOffset`. Does not know
 * when a log synced.
 *
 * A slot, big-endian:
 * | field             | bytes | |
 * |-------------------|-------|-|
 * | version           | 2     | 1 |
 * | topicId           | 16    | UUID of the topic the directory belongs to |
 * | segmentBaseOffset | 8     | the segment `position` is in |
 * | position          | 8     | bytes of that segment that are synced; earlier segments wholly |
 * | flushedOffset     | 8     | next offset after the synced records |
 * | logStartOffset    | 8     | first offset kept |
 * | lastAppendMs      | 8     | wall clock of the last append; for retention |
 * | counter           | 8     | of writes; slot `counter % 2` holds it |
 * | isRelaxed         | 1     | 1: acknowledgements do not wait for a sync, so many groups may be unsynced |
 * | crc               | 4     | CRC32C over all bytes before it |
 * | zeros             | to 512 | |
 */

import { StorageError } from '../errors.ts'
import { crc32c } from '../record/crc32c.ts'
import { readInt64, writeInt64 } from '../record/int64.ts'
import { type Offset, type Position, toOffset, toPosition } from '../record/offsets.ts'
import { fileErrorCode } from './file-system.ts'
import type { LazyFile, OpenFiles } from './open-files.ts'
import { TOPIC_ID_BYTES, topicIdFromBytes, topicIdToBytes } from './topic-id.ts'

export interface RecoveryPoint {
  /** UUID, 36 characters, lower case. */
  readonly topicId: string
  readonly segmentBaseOffset: Offset
  readonly position: Position
  readonly flushedOffset: Offset
  readonly logStartOffset: Offset
  /** Wall clock, integer milliseconds; may be negative. */
  readonly lastAppendMs: number
  /** Relaxed flush: what lies above the point may be any number of groups, not one. */
  readonly isRelaxed: boolean
  readonly counter: number
}

/** What a log says; the file adds whose it is and the turn. */
export type RecoveryPointUpdate = Omit<RecoveryPoint, 'topicId' | 'counter'>

const SLOT_VERSION = 1
const VERSION_AT = 0
const VERSION_BYTES = 2
const TOPIC_ID_AT = VERSION_AT + VERSION_BYTES
const SEGMENT_BASE_OFFSET_AT = TOPIC_ID_AT + TOPIC_ID_BYTES
const POSITION_AT = SEGMENT_BASE_OFFSET_AT + 8
const FLUSHED_OFFSET_AT = POSITION_AT + 8
const LOG_START_OFFSET_AT = FLUSHED_OFFSET_AT + 8
const LAST_APPEND_AT = LOG_START_OFFSET_AT + 8
const COUNTER_AT = LAST_APPEND_AT + 8
const IS_RELAXED_AT = COUNTER_AT + 8
const CRC_AT = IS_RELAXED_AT + 1

/** The fields that are never negative. */
const NUMBERS_AT = [
  SEGMENT_BASE_OFFSET_AT,
  POSITION_AT,
  FLUSHED_OFFSET_AT,
  LOG_START_OFFSET_AT,
  COUNTER_AT,
]

/** A disk writes 512 bytes wholly or not at all. */
export const SLOT_BYTES = 512
const SLOTS = 2

function writeSlot(
  target: Buffer,
  topicIdBytes: Buffer,
  point: Omit<RecoveryPoint, 'topicId'>,
): void {
  target.writeUInt16BE(SLOT_VERSION, VERSION_AT)
  topicIdBytes.copy(target, TOPIC_ID_AT)
  writeInt64(target, point.segmentBaseOffset, SEGMENT_BASE_OFFSET_AT)
  writeInt64(target, point.position, POSITION_AT)
  writeInt64(target, point.flushedOffset, FLUSHED_OFFSET_AT)
  writeInt64(target, point.logStartOffset, LOG_START_OFFSET_AT)
  writeInt64(target, point.lastAppendMs, LAST_APPEND_AT)
  writeInt64(target, point.counter, COUNTER_AT)
  target.writeUInt8(point.isRelaxed ? 1 : 0, IS_RELAXED_AT)
  target.writeUInt32BE(crc32c(target.subarray(0, CRC_AT)), CRC_AT)
}

/** The 512 bytes of one slot. */
export function encodeSlot(point: RecoveryPoint): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES)
  writeSlot(slot, topicIdToBytes(point.topicId), point)
  return slot
}

/** What a slot says, or `undefined` when it was never written, is torn, damaged or of another version. */
export function decodeSlot(slot: Buffer): RecoveryPoint | undefined {
  if (slot.byteLength < SLOT_BYTES) return undefined
  if (slot.readUInt32BE(CRC_AT) !== crc32c(slot.subarray(0, CRC_AT))) return undefined
  if (slot.readUInt16BE(VERSION_AT) !== SLOT_VERSION) return undefined
  const numbers = NUMBERS_AT.map((at) => readInt64(slot, at))
  const areCounts = numbers.every((value) => Number.isSafeInteger(value) && value >= 0)
  const lastAppendMs = readInt64(slot, LAST_APPEND_AT)
  if (!areCounts || !Number.isSafeInteger(lastAppendMs)) return undefined
  return {
    topicId: topicIdFromBytes(slot.subarray(TOPIC_ID_AT, TOPIC_ID_AT + TOPIC_ID_BYTES)),
    segmentBaseOffset: toOffset(readInt64(slot, SEGMENT_BASE_OFFSET_AT)),
    position: toPosition(readInt64(slot, POSITION_AT)),
    flushedOffset: toOffset(readInt64(slot, FLUSHED_OFFSET_AT)),
    logStartOffset: toOffset(readInt64(slot, LOG_START_OFFSET_AT)),
    lastAppendMs,
    counter: readInt64(slot, COUNTER_AT),
    isRelaxed: slot.readUInt8(IS_RELAXED_AT) === 1,
  }
}

/** The valid slot with the highest counter. */
function newestPoint(path: string, bytes: Buffer): RecoveryPoint {
  const points = [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))]
  const newest = points
    .filter((point) => point !== undefined)
    .reduce<RecoveryPoint | undefined>(
      (best, point) => (best === undefined || point.counter > best.counter ? point : best),
      undefined,
    )
  if (newest !== undefined) return newest
  throw new StorageError(
    'KAFKA_STORAGE_ERROR',
    `recovery point ${path} has no valid slot in its ${bytes.byteLength} bytes`,
    { values: { path } },
  )
}

export class RecoveryPointFile {
  readonly #file: LazyFile
  readonly #topicIdBytes: Buffer
  #current: RecoveryPoint
  /** Of the newest slot that was written wholly. Invariant: a write goes to the other slot. */
  #writtenCounter: number
  /** The write in flight, when the file was not open; it carries on until the newest point is written. */
  #writing: Promise<void> | undefined

  private constructor(file: LazyFile, point: RecoveryPoint) {
    this.#file = file
    this.#topicIdBytes = topicIdToBytes(point.topicId)
    this.#current = point
    this.#writtenCounter = point.counter
  }

  /**
   * Makes the file (`EEXIST` when there is one) with `initial` in it, synced. Its name is durable only
   * after the caller's sync of the directory.
   */
  static async create(
    openFiles: OpenFiles,
    path: string,
    initial: Omit<RecoveryPoint, 'counter'>,
  ): Promise<RecoveryPointFile> {
    const point = { ...initial, counter: 0 }
    const created = await openFiles.fileSystem.open(path, 'create')
    try {
      await created.write([encodeSlot(point), Buffer.alloc(SLOT_BYTES)], 0)
      await created.sync()
    } finally {
      await created.close()
    }
    return new RecoveryPointFile(lazyFile(openFiles, path), point)
  }

  /**
   * Reads the file; `current` is then the newest valid slot. Rejects with `KAFKA_STORAGE_ERROR` when
   * there is none or no file.
   */
  static async open(
    openFiles: OpenFiles,
    path: string,
  ): Promise<{ file: RecoveryPointFile; point: RecoveryPoint }> {
    const point = await readRecoveryPoint(openFiles, path)
    return { file: new RecoveryPointFile(lazyFile(openFiles, path), point), point }
  }

  /** The newest point recorded, whether or not it reached the file yet. */
  get current(): RecoveryPoint {
    return this.#current
  }

  get isOpen(): boolean {
    return this.#file.isOpen
  }

  /**
   * Puts `next` into the operating system's cache, in the slot whose turn it is. Done on return when
   * the file is open, else when the promise resolves. The caller's part: everything `next` says is
   * already synced.
   */
  record(next: RecoveryPointUpdate): Promise<void> | undefined {
    const counter = this.#writtenCounter + 1
    this.#current = { ...next, topicId: this.#current.topicId, counter }
    return this.#writeCurrent()
  }

  #writeCurrent(): Promise<void> | undefined {
    if (this.#writing !== undefined) return this.#writing
    if (!this.#file.isOpen) return this.#writeWhenOpen()
    const { counter } = this.#current
    writeSlot(slotInHand, this.#topicIdBytes, this.#current)
    this.#file.writeNow(slotInHand, slotPosition(counter))
    this.#writtenCounter = counter
    return undefined
  }

  #writeWhenOpen(): Promise<void> {
    this.#writing = this.#writeUntilNewest().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  /** Writes one slot after the other, never two at once, until the last one was the newest point. */
  async #writeUntilNewest(): Promise<void> {
    for (let written: RecoveryPoint | undefined; written !== this.#current; ) {
      if (written !== undefined) this.#current = { ...this.#current, counter: written.counter + 1 }
      written = this.#current
      await this.#file.write([encodeSlot(written)], slotPosition(written.counter))
      this.#writtenCounter = written.counter
    }
  }

  /**
   * Makes the newest point durable. It is written once more first: the file may have been closed with
   * that write unsynced, and an error the kernel met meanwhile would be reported to nobody.
   */
  async sync(): Promise<void> {
    await this.#writeCurrent()
    await this.#file.sync()
  }

  movedTo(path: string): void {
    this.#file.movedTo(path)
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => {})
    await this.#file.close()
  }
}

/** One for all: it is filled and written in one turn. The zeros after the CRC are never touched. */
const slotInHand = Buffer.alloc(SLOT_BYTES)

function slotPosition(counter: number): number {
  return (counter % SLOTS) * SLOT_BYTES
}

function lazyFile(openFiles: OpenFiles, path: string): LazyFile {
  return openFiles.file(path, 'write', { isEvictableUnsynced: true })
}

async function readRecoveryPoint(openFiles: OpenFiles, path: string): Promise<RecoveryPoint> {
  try {
    return newestPoint(path, await openFiles.fileSystem.readFile(path))
  } catch (cause) {
    if (fileErrorCode(cause) !== 'ENOENT') throw cause
    const message = `recovery point ${path} is missing`
    throw new StorageError('KAFKA_STORAGE_ERROR', message, { values: { path }, cause })
  }
}
