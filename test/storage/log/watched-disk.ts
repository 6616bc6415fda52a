/**
 * Stands between the engine and a disk: writes every call down with its sizes, in order, and holds those
 * a test wants held until it lets them go. Knows nothing of content.
 */

import type { FileSystem, OpenMode, StorageFile } from '../../../storage/file/file-system.ts'

export interface WatchedCall {
  readonly operation: string
  readonly path: string
  /** Of a read: asked for; of a write: given. */
  readonly bytes: number
  readonly position: number
  /** Buffers of a write. */
  readonly buffers: number
}

/** Calls that wait. */
export interface Held {
  /** How many wait now. */
  readonly waiting: number
  /** Lets those that wait go on, and holds no more. */
  release(): void
}

interface Rule {
  readonly matches: (call: WatchedCall) => boolean
  readonly going: (() => void)[]
}

export class WatchedDisk implements FileSystem {
  /** In the order in which they were made. */
  readonly calls: WatchedCall[] = []
  readonly #disk: FileSystem
  readonly #rules = new Set<Rule>()

  constructor(disk: FileSystem) {
    this.#disk = disk
  }

  /** From now on, calls that `matches` takes wait. */
  hold(matches: (call: WatchedCall) => boolean): Held {
    const rule: Rule = { matches, going: [] }
    this.#rules.add(rule)
    return {
      get waiting() {
        return rule.going.length
      },
      release: () => {
        this.#rules.delete(rule)
        for (const go of rule.going.splice(0)) go()
      },
    }
  }

  /** The calls since `from`, as `operation name`. */
  story(from = 0): string[] {
    return this.calls
      .slice(from)
      .map(({ operation, path }) => `${operation} ${path.split('/').at(-1)}`)
  }

  count(operation: string, ending: string, from = 0): number {
    return this.calls
      .slice(from)
      .filter((call) => call.operation === operation && call.path.endsWith(ending)).length
  }

  async passing<T>(call: Partial<WatchedCall>, action: () => Promise<T>): Promise<T> {
    const whole = { operation: '', path: '', bytes: 0, position: 0, buffers: 0, ...call }
    this.calls.push(whole)
    for (const rule of this.#rules) {
      if (!rule.matches(whole)) continue
      await new Promise<void>((go) => {
        rule.going.push(go)
      })
    }
    return action()
  }

  open(path: string, mode: OpenMode): Promise<StorageFile> {
    const operation = mode === 'create' ? 'create' : 'open'
    return this.passing({ operation, path }, async () =>
      this.#watched(await this.#disk.open(path, mode)),
    )
  }

  #watched(file: StorageFile): StorageFile {
    const { path } = file
    return {
      path,
      read: (target, position) =>
        this.passing({ operation: 'read', path, bytes: target.length, position }, () =>
          file.read(target, position),
        ),
      write: (buffers, position) => {
        const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
        const call = { operation: 'write', path, bytes, position, buffers: buffers.length }
        return this.passing(call, () => file.write(buffers, position))
      },
      writeNow: (buffer, position) => {
        void this.passing(
          { operation: 'writeNow', path, bytes: buffer.length, position },
          async () => {},
        )
        file.writeNow(buffer, position)
      },
      truncate: (sizeBytes) =>
        this.passing({ operation: 'truncate', path, position: sizeBytes }, () =>
          file.truncate(sizeBytes),
        ),
      sync: () => this.passing({ operation: 'sync', path }, () => file.sync()),
      sizeBytes: () => file.sizeBytes(),
      close: () => this.passing({ operation: 'close', path }, () => file.close()),
    }
  }

  readFile(path: string): Promise<Buffer> {
    return this.passing({ operation: 'readFile', path }, () => this.#disk.readFile(path))
  }

  status(path: string) {
    return this.passing({ operation: 'status', path }, () => this.#disk.status(path))
  }

  list(directory: string) {
    return this.passing({ operation: 'list', path: directory }, () => this.#disk.list(directory))
  }

  createDirectory(directory: string): Promise<void> {
    return this.passing({ operation: 'createDirectory', path: directory }, () =>
      this.#disk.createDirectory(directory),
    )
  }

  rename(from: string, to: string): Promise<void> {
    return this.passing({ operation: 'rename', path: from }, () => this.#disk.rename(from, to))
  }

  removeFile(path: string): Promise<void> {
    return this.passing({ operation: 'removeFile', path }, () => this.#disk.removeFile(path))
  }

  removeDirectory(directory: string): Promise<void> {
    return this.passing({ operation: 'removeDirectory', path: directory }, () =>
      this.#disk.removeDirectory(directory),
    )
  }

  syncDirectory(directory: string): Promise<void> {
    return this.passing({ operation: 'syncDirectory', path: directory }, () =>
      this.#disk.syncDirectory(directory),
    )
  }

  setModifiedAt(path: string, modifiedAtMs: number): Promise<void> {
    return this.passing({ operation: 'setModifiedAt', path }, () =>
      this.#disk.setModifiedAt(path, modifiedAtMs),
    )
  }

  freeBytes(path: string): Promise<number> {
    return this.#disk.freeBytes(path)
  }
}
