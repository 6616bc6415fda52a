/**
 * When each partition got a new leader: `{topic id, partition, epoch, first offset under it}`, for all
 * partitions of a data directory in one append-only file. One file, because becoming the leader of
 * 10,000 partitions must cost one fsync, not 10,000.
 *
 *     header  "SPOOLLEP" 8 bytes, version u32 = 1, crc32c u32 of the 12 bytes before
 *     entry   topic id 16 bytes, partition u32, epoch u32, startOffset i64, crc32c u32 of the 32 before
 *
 * Entries are synced before any batch carries their epoch. A tail that does not verify was therefore
 * never used and is cut; a bad entry with a good one after it is corruption and is refused.
 */

import { StorageError } from '../errors.ts'
import type { FileSystem, StorageFile } from '../file/file-system.ts'
import { parsePartitionDirectory } from '../file/names.ts'
import { crc32c } from '../record/crc32c.ts'
import { type Offset, toOffset } from '../record/offsets.ts'

const MAGIC = Buffer.from('SPOOLLEP', 'latin1')
const VERSION = 1
const HEADER_BYTES = MAGIC.length + 4 + 4
const PARTITION_AT = 16
const EPOCH_AT = PARTITION_AT + 4
const START_OFFSET_AT = EPOCH_AT + 4
const CRC_AT = START_OFFSET_AT + 8
export const EPOCH_ENTRY_BYTES = CRC_AT + 4
/** The file is rewritten at start when it holds more than this many entries nobody needs. */
const SURPLUS_ENTRIES_MAX = 4_096

export interface EpochStart {
  readonly epoch: number
  readonly startOffset: Offset
}

export interface PartitionId {
  /** A UUID in its usual text form. */
  readonly topicId: string
  readonly partition: number
}

export class LeaderEpochs {
  readonly #fileSystem: FileSystem
  readonly #path: string
  #file: StorageFile
  #sizeBytes: number
  /** Epochs rise and start offsets do not fall within one partition's list. */
  readonly #epochs = new Map<string, EpochStart[]>()
  #tail: Promise<void> = Promise.resolve()
  #failure: unknown

  private constructor(fileSystem: FileSystem, path: string, file: StorageFile, sizeBytes: number) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#file = file
    this.#sizeBytes = sizeBytes
  }

  /** Opens or creates the file at `path`; `directory` is the one that holds it. */
  static async open(
    fileSystem: FileSystem,
    directory: string,
    path: string,
  ): Promise<LeaderEpochs> {
    if ((await fileSystem.status(path)) === undefined) {
      await refuseLostEpochs(fileSystem, directory, path)
      await writeWhole(fileSystem, directory, path, [])
    }
    const bytes = await fileSystem.readFile(path)
    checkHeader(bytes, path)
    const { entries, endAt } = parseEntries(bytes, path)
    const file = await fileSystem.open(path, 'write')
    if (endAt < bytes.length) {
      await file.truncate(endAt)
      await file.sync()
    }
    const epochs = new LeaderEpochs(fileSystem, path, file, endAt)
    for (const { id, start } of entries) epochs.#remember(id, start)
    return epochs
  }

  /** The epoch the partition is in; -1 when it never had a leader. */
  latest(id: PartitionId): number {
    return this.#epochs.get(keyOf(id))?.at(-1)?.epoch ?? -1
  }

  /** The partition's epochs, oldest first. */
  history(id: PartitionId): readonly EpochStart[] {
    return this.#epochs.get(keyOf(id)) ?? []
  }

  /**
   * Gives each partition its next epoch, beginning at its `startOffset`, and makes all of them durable
   * with one write and one sync. Returns the new epochs in the order of the request.
   */
  raise(starts: readonly (PartitionId & { startOffset: Offset })[]): Promise<number[]> {
    const raised = this.#tail.then(() => this.#raiseNow(starts))
    this.#tail = raised.then(
      () => {},
      () => {},
    )
    return raised
  }

  /** Drops what no longer matters: topics not in `known`, and epochs under which nothing was written. */
  async prune(known: ReadonlySet<string>, directory: string): Promise<void> {
    const total = (this.#sizeBytes - HEADER_BYTES) / EPOCH_ENTRY_BYTES
    for (const [key, history] of this.#epochs) {
      if (known.has(key.slice(0, key.indexOf('/')))) this.#epochs.set(key, withoutEmpty(history))
      else this.#epochs.delete(key)
    }
    const kept = [...this.#epochs].flatMap(([key, history]) =>
      history.map((start) => encodeEntry(idOf(key), start)),
    )
    if (total - kept.length < SURPLUS_ENTRIES_MAX) return
    await this.#file.close()
    await writeWhole(this.#fileSystem, directory, this.#path, kept)
    this.#file = await this.#fileSystem.open(this.#path, 'write')
    this.#sizeBytes = HEADER_BYTES + kept.length * EPOCH_ENTRY_BYTES
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#file.close()
  }

  async #raiseNow(starts: readonly (PartitionId & { startOffset: Offset })[]): Promise<number[]> {
    if (starts.length === 0) return []
    const raised = starts.map((start) => ({
      epoch: this.latest(start) + 1,
      startOffset: start.startOffset,
    }))
    const bytes = Buffer.concat(starts.map((id, index) => encodeEntry(id, raised[index]!)))
    if (this.#failure !== undefined) throw this.#failure
    try {
      await this.#file.write([bytes], this.#sizeBytes)
      await this.#file.sync()
    } catch (error) {
      // What of it is on disk nobody knows: another try on this descriptor would prove nothing.
      this.#failure = error
      throw error
    }
    this.#sizeBytes += bytes.length
    for (const [index, id] of starts.entries()) this.#remember(id, raised[index]!)
    return raised.map(({ epoch }) => epoch)
  }

  #remember(id: PartitionId, start: EpochStart): void {
    const history = this.#epochs.get(keyOf(id))
    if (history === undefined) this.#epochs.set(keyOf(id), [start])
    else history.push(start)
  }
}

/** Epochs that begin again at 0 below older ones would make recovery take good batches for bad. */
async function refuseLostEpochs(
  fileSystem: FileSystem,
  directory: string,
  path: string,
): Promise<void> {
  const entries = await fileSystem.list(directory)
  const partition = entries.find(({ name }) => parsePartitionDirectory(name)?.kind === 'partition')
  if (partition === undefined) return
  throw new StorageError(
    'KAFKA_STORAGE_ERROR',
    `${path} is missing beside partitions (${partition.name}): restore it, or use another data directory`,
    { values: { path } },
  )
}

/** Epochs under which at least one record was written, and always the last one. */
function withoutEmpty(history: readonly EpochStart[]): EpochStart[] {
  return history.filter((start, index) => history[index + 1]?.startOffset !== start.startOffset)
}

function keyOf({ topicId, partition }: PartitionId): string {
  return `${topicId}/${partition}`
}

function idOf(key: string): PartitionId {
  const slash = key.indexOf('/')
  return { topicId: key.slice(0, slash), partition: Number(key.slice(slash + 1)) }
}

function encodeEntry({ topicId, partition }: PartitionId, start: EpochStart): Buffer {
  const entry = Buffer.alloc(EPOCH_ENTRY_BYTES)
  entry.write(topicId.replaceAll('-', ''), 0, 'hex')
  entry.writeUInt32BE(partition, PARTITION_AT)
  entry.writeUInt32BE(start.epoch, EPOCH_AT)
  entry.writeBigInt64BE(BigInt(start.startOffset), START_OFFSET_AT)
  entry.writeUInt32BE(crc32c(entry.subarray(0, CRC_AT)), CRC_AT)
  return entry
}

function decodeEntry(
  bytes: Buffer,
  at: number,
): { id: PartitionId; start: EpochStart } | undefined {
  const entry = bytes.subarray(at, at + EPOCH_ENTRY_BYTES)
  if (entry.length < EPOCH_ENTRY_BYTES) return undefined
  if (entry.readUInt32BE(CRC_AT) !== crc32c(entry.subarray(0, CRC_AT))) return undefined
  const hex = entry.toString('hex', 0, PARTITION_AT)
  const topicId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return {
    id: { topicId, partition: entry.readUInt32BE(PARTITION_AT) },
    start: {
      epoch: entry.readUInt32BE(EPOCH_AT),
      startOffset: toOffset(Number(entry.readBigInt64BE(START_OFFSET_AT))),
    },
  }
}

function parseEntries(bytes: Buffer, path: string) {
  const entries: { id: PartitionId; start: EpochStart }[] = []
  let at = HEADER_BYTES
  for (; at < bytes.length; at += EPOCH_ENTRY_BYTES) {
    const entry = decodeEntry(bytes, at)
    if (entry === undefined) break
    entries.push(entry)
  }
  for (let later = at + EPOCH_ENTRY_BYTES; later < bytes.length; later += EPOCH_ENTRY_BYTES) {
    if (decodeEntry(bytes, later) === undefined) continue
    throw new StorageError(
      'KAFKA_STORAGE_ERROR',
      `${path}: the entry at byte ${at} is damaged, with a sound one after it at byte ${later}`,
    )
  }
  return { entries, endAt: at < bytes.length ? at : bytes.length }
}

function header(): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32BE(VERSION, MAGIC.length)
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  return bytes
}

function checkHeader(bytes: Buffer, path: string): void {
  if (bytes.subarray(0, HEADER_BYTES).equals(header())) return
  throw new StorageError(
    'KAFKA_STORAGE_ERROR',
    `${path}: not a leader epoch file of version ${VERSION}`,
  )
}

/** Writes the file anew beside the old one and puts it in its place: tmp, fsync, rename, fsync directory. */
async function writeWhole(
  fileSystem: FileSystem,
  directory: string,
  path: string,
  entries: readonly Buffer[],
): Promise<void> {
  const temporary = `${path}.tmp`
  if ((await fileSystem.status(temporary)) !== undefined) await fileSystem.removeFile(temporary)
  const file = await fileSystem.open(temporary, 'create')
  await file.write([Buffer.concat([header(), ...entries])], 0)
  await file.sync()
  await file.close()
  await fileSystem.rename(temporary, path)
  await fileSystem.syncDirectory(directory)
}
