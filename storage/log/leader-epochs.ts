/**
 * When each partition got a new leader, for all partitions of a data directory in one append-only file.
 * One file, because becoming the leader of 10,000 partitions must cost one fsync, not 10,000. Owns when
 * entries are written and synced; their bytes are `leader-epoch-entries.ts`.
 *
 * Entries are synced before any batch carries their epoch. A tail that does not verify was therefore
 * never used and is cut; damage below it is refused.
 */

import { StorageError } from '../errors.ts'
import { replaceFile } from '../file/checkpoint.ts'
import type { FileSystem, StorageFile } from '../file/file-system.ts'
import { parsePartitionDirectory } from '../file/names.ts'
import type { Offset } from '../record/offsets.ts'
import {
  EPOCH_ENTRY_BYTES,
  EPOCH_HEADER_BYTES,
  type EpochEntry,
  type EpochStart,
  encodeEpochHeader,
  encodeRaise,
  type PartitionId,
  parseEpochFile,
} from './leader-epoch-entries.ts'

/** The file is rewritten at start when it holds more than this many entries nobody needs. */
const SURPLUS_ENTRIES_MAX = 4_096

export class LeaderEpochs {
  readonly #fileSystem: FileSystem
  readonly #path: string
  #file: StorageFile
  #sizeBytes: number
  /** The number of the last raise that is in the file. */
  #raise = 0
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
      await replaceFile(fileSystem, path, encodeWhole([]))
    }
    const bytes = await fileSystem.readFile(path)
    const known = parseEpochFile(bytes, path)
    const file = await fileSystem.open(path, 'write')
    try {
      await proveTail(file, bytes, known.raiseAt, known.endAt)
    } catch (error) {
      await file.close()
      throw error
    }
    const epochs = new LeaderEpochs(fileSystem, path, file, known.endAt)
    epochs.#raise = known.raise
    for (const entry of known.entries) epochs.#remember(entry)
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
  async prune(known: ReadonlySet<string>): Promise<void> {
    const total = (this.#sizeBytes - EPOCH_HEADER_BYTES) / EPOCH_ENTRY_BYTES
    for (const [key, history] of this.#epochs) {
      if (known.has(key.slice(0, key.indexOf('/')))) this.#epochs.set(key, withoutEmpty(history))
      else this.#epochs.delete(key)
    }
    const kept = [...this.#epochs].flatMap(([key, history]) =>
      history.map((start) => ({ ...idOf(key), ...start })),
    )
    if (total - kept.length < SURPLUS_ENTRIES_MAX) return
    await this.#file.close()
    await replaceFile(this.#fileSystem, this.#path, encodeWhole(kept))
    this.#file = await this.#fileSystem.open(this.#path, 'write')
    this.#sizeBytes = EPOCH_HEADER_BYTES + kept.length * EPOCH_ENTRY_BYTES
    this.#raise = kept.length === 0 ? 0 : 1
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#file.close()
  }

  async #raiseNow(starts: readonly (PartitionId & { startOffset: Offset })[]): Promise<number[]> {
    if (starts.length === 0) return []
    const raised = starts.map(({ topicId, partition, startOffset }) => ({
      topicId,
      partition,
      epoch: this.latest({ topicId, partition }) + 1,
      startOffset,
    }))
    const bytes = encodeRaise(this.#raise + 1, raised)
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
    this.#raise++
    for (const entry of raised) this.#remember(entry)
    return raised.map(({ epoch }) => epoch)
  }

  #remember({ topicId, partition, epoch, startOffset }: EpochEntry): void {
    const key = keyOf({ topicId, partition })
    const history = this.#epochs.get(key)
    if (history === undefined) this.#epochs.set(key, [{ epoch, startOffset }])
    else history.push({ epoch, startOffset })
  }
}

/**
 * Writes the last raise once more, cuts what is not sound behind it, and syncs: after a failed sync the
 * page cache shows entries that the disk never got, and the next raise would stand behind a hole.
 */
async function proveTail(
  file: StorageFile,
  bytes: Buffer,
  raiseAt: number,
  endAt: number,
): Promise<void> {
  if (raiseAt < endAt) await file.write([bytes.subarray(raiseAt, endAt)], raiseAt)
  if (endAt < bytes.length) await file.truncate(endAt)
  await file.sync()
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

/** The whole file with these entries, as one raise. */
function encodeWhole(entries: readonly EpochEntry[]): Buffer {
  return Buffer.concat([encodeEpochHeader(), encodeRaise(1, entries)])
}
