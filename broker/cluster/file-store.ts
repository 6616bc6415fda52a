/**
 * The metadata of a single broker: one checksummed file in its data directory, replaced whole. Every
 * change is durable before it is answered; changes that come while the file is being written share the
 * next write. When a write fails nobody knows which content is on disk, so nothing is changed or
 * answered any more and the broker is told to stop.
 *
 * The body is text, for the person who has to look: a line with the last version given, then a line an
 * entry, in the order of the keys: version, key, value.
 *
 *     12
 *     1 broker-epochs/1 3
 *     7 topics/orders {"topicId":"0b1e…","state":"active", …}
 */

import assert from 'node:assert/strict'
import { StorageError } from '../../storage/errors.ts'
import { readCheckpoint, writeCheckpoint } from '../../storage/file/checkpoint.ts'
import type { FileSystem } from '../../storage/file/file-system.ts'
import { parsePartitionDirectory } from '../../storage/file/names.ts'
import {
  type ClusterStore,
  type EntryEvent,
  type StoreChange,
  type StoredEntry,
  VersionConflict,
} from './cluster-store.ts'

export const METADATA_FILE = 'cluster.metadata'
const FORMAT_VERSION = 1

/** Bounds what one entry may cost: the configuration of a topic takes under a kilobyte. */
const VALUE_LENGTH_MAX = 64 * 1024
const KEY_PATTERN = /^[a-zA-Z0-9._/-]+$/

interface Entry extends StoredEntry {
  readonly isEphemeral: boolean
}

/** A transaction that passed its checks and waits for the disk. */
interface Accepted {
  readonly changes: readonly StoreChange[]
  readonly version: number
  resolve(versions: readonly number[]): void
  reject(error: unknown): void
}

interface Watcher {
  readonly prefix: string
  readonly listener: (events: readonly EntryEvent[]) => void
}

export interface FileStoreOptions {
  readonly fileSystem: FileSystem
  /** The data directory, locked by this process. */
  readonly directory: string
  /** Told once, when a write failed: the broker must stop. */
  onFatal(error: unknown): void
}

export class FileClusterStore implements ClusterStore {
  readonly #options: FileStoreOptions
  /** What is durable: all that anybody is told of. */
  readonly #entries: Map<string, Entry>
  /** With the accepted changes; what the next transaction is checked against. */
  readonly #accepted: Map<string, Entry>
  readonly #watchers = new Set<Watcher>()
  #queue: Accepted[] = []
  /** Rises with every transaction and is in the file, so no version comes again. */
  #version: number
  #isWriting = false
  /** Resolves when the last writing so far has ended. */
  #written: Promise<void> = Promise.resolve()
  #failure: StorageError | undefined

  private constructor(options: FileStoreOptions, version: number, entries: readonly Entry[]) {
    this.#options = options
    this.#version = version
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]))
    this.#accepted = new Map(this.#entries)
  }

  /**
   * Reads the file, or starts with nothing in a directory that holds no partition yet.
   *
   * @throws StorageError KAFKA_STORAGE_ERROR when the file is damaged, or missing beside partitions:
   * starting afresh would make their data unknown.
   */
  static async open(options: FileStoreOptions): Promise<FileClusterStore> {
    const { fileSystem, directory } = options
    const path = `${directory}/${METADATA_FILE}`
    const body = await readCheckpoint(fileSystem, path, FORMAT_VERSION)
    if (body === undefined) {
      await refuseLostMetadata(fileSystem, directory)
      return new FileClusterStore(options, 0, [])
    }
    const { version, entries } = decode(body.toString('utf8'), path)
    return new FileClusterStore(options, version, entries)
  }

  async read(prefix: string): Promise<readonly StoredEntry[]> {
    const found = [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix))
    return found.sort(byKey)
  }

  transact(changes: readonly StoreChange[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure
      for (const change of changes) this.#check(change)
      this.#version += 1
      const version = this.#version
      for (const event of changes) applyTo(this.#accepted, event, version)
      this.#queue.push({ changes, version, resolve, reject })
      if (!this.#isWriting) this.#written = this.#writeQueue()
    })
  }

  watch(prefix: string, listener: (events: readonly EntryEvent[]) => void): () => void {
    const watcher = { prefix, listener }
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  async close(): Promise<void> {
    await this.#written
    this.#failure ??= new StorageError('KAFKA_STORAGE_ERROR', 'the metadata store is closed')
    this.#watchers.clear()
  }

  #check({ key, value, expect }: StoreChange): void {
    const actual = this.#accepted.get(key)?.version ?? 'absent'
    if (actual !== expect) throw new VersionConflict(key, expect, actual)
    assert(KEY_PATTERN.test(key), `metadata key ${JSON.stringify(key)} has a strange character`)
    if (value === null) return
    assert(!value.includes('\n'), `the value of metadata key ${key} has more than one line`)
    assert(
      value.length <= VALUE_LENGTH_MAX,
      `the value of metadata key ${key} has ${value.length} characters, more than ${VALUE_LENGTH_MAX}`,
    )
  }

  /** Nothing may come between finding the queue empty and saying that nobody writes. */
  async #writeQueue(): Promise<void> {
    this.#isWriting = true
    while (this.#queue.length > 0) {
      const group = this.#queue
      this.#queue = []
      try {
        if (group.some(isDurable)) await this.#write()
      } catch (error) {
        this.#fail(error, group)
        return
      }
      for (const accepted of group) this.#publish(accepted)
    }
    this.#isWriting = false
  }

  async #write(): Promise<void> {
    const { fileSystem, directory } = this.#options
    const body = Buffer.from(encode(this.#version, this.#accepted))
    await writeCheckpoint(fileSystem, `${directory}/${METADATA_FILE}`, FORMAT_VERSION, body)
  }

  #publish({ changes, version, resolve }: Accepted): void {
    const events = changes.map((change) => applyTo(this.#entries, change, version))
    for (const { prefix, listener } of [...this.#watchers]) {
      const seen = events.filter((event) => event.key.startsWith(prefix))
      if (seen.length > 0) listener(seen)
    }
    resolve(events.map((event) => (event.value === null ? 0 : version)))
  }

  #fail(cause: unknown, group: readonly Accepted[]): void {
    const failure = new StorageError(
      'KAFKA_STORAGE_ERROR',
      'the metadata could not be written: this broker stops',
      { outcome: 'unknown', cause },
    )
    this.#failure = failure
    for (const accepted of [...group, ...this.#queue]) accepted.reject(failure)
    this.#queue = []
    this.#options.onFatal(failure)
  }
}

function isDurable({ changes }: Accepted): boolean {
  return changes.some((change) => change.value === null || change.ephemeral !== true)
}

function applyTo(entries: Map<string, Entry>, change: StoreChange, version: number): EntryEvent {
  if (change.value === null) {
    entries.delete(change.key)
    return { key: change.key, value: null }
  }
  const { key, value, ephemeral } = change
  const entry = { key, value, version, isEphemeral: ephemeral === true }
  entries.set(key, entry)
  return entry
}

function encode(version: number, entries: ReadonlyMap<string, Entry>): string {
  const kept = [...entries.values()].filter((entry) => !entry.isEphemeral).sort(byKey)
  const lines = kept.map((entry) => `${entry.version} ${entry.key} ${entry.value}\n`)
  return `${version}\n${lines.join('')}`
}

function decode(text: string, path: string): { version: number; entries: Entry[] } {
  const [first = '', ...lines] = text.split('\n')
  const version = Number(first)
  const last = lines.pop()
  const entries = lines.map((line) => /^(\d+) (\S+) (.*)$/.exec(line))
  const isWhole = /^\d+$/.test(first) && last === '' && entries.every((match) => match !== null)
  if (!isWhole) {
    throw new StorageError('KAFKA_STORAGE_ERROR', `${path}: not a metadata file of this version`)
  }
  return {
    version,
    entries: entries.map((match) => {
      const [, digits, key, value] = match!
      return { key: key!, value: value!, version: Number(digits), isEphemeral: false }
    }),
  }
}

function byKey(a: StoredEntry, b: StoredEntry): number {
  return a.key < b.key ? -1 : 1
}

async function refuseLostMetadata(fileSystem: FileSystem, directory: string): Promise<void> {
  const entries = await fileSystem.list(directory)
  const partition = entries.find(
    (entry) => entry.isDirectory && parsePartitionDirectory(entry.name)?.kind === 'partition',
  )
  if (partition === undefined) return
  throw new StorageError(
    'KAFKA_STORAGE_ERROR',
    `${directory} holds partitions (${partition.name}) but no ${METADATA_FILE}: restore that file, or use another data directory`,
  )
}
