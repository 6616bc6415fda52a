/**
 * A file system whose calls wait until the test lets them go, so that what happens in between can be
 * chosen. Files have no content; every call is written down.
 */

import type { FileSystem, OpenMode, StorageFile } from '../../../storage/file/file-system.ts'

export class HeldFiles {
  /** Calls in the order they began: `open a`, `write a`, `sync a`, `close a`… */
  readonly calls: string[] = []
  /** Kinds of call that wait for `release`; the others answer at once. */
  readonly held = new Set<string>()
  /** Errors by call, as `sync a`; used up by the first such call. */
  readonly failures = new Map<string, Error>()
  /** Files open now, and the most at any time. */
  openNow = 0
  openMost = 0
  #waiting: { call: string; go: () => void }[] = []

  /** Lets the waiting calls of this kind go on. */
  release(kind: string): void {
    const going = this.#waiting.filter(({ call }) => call.startsWith(`${kind} `))
    this.#waiting = this.#waiting.filter(({ call }) => !call.startsWith(`${kind} `))
    for (const { go } of going) go()
  }

  countOf(call: string): number {
    return this.calls.filter((made) => made === call).length
  }

  async #called(kind: string, path: string): Promise<void> {
    const call = `${kind} ${path}`
    this.calls.push(call)
    if (this.held.has(kind)) {
      await new Promise<void>((go) => {
        this.#waiting.push({ call, go })
      })
    }
    const failure = this.failures.get(call)
    this.failures.delete(call)
    if (failure !== undefined) throw failure
  }

  readonly fileSystem = {
    open: async (path: string, _mode: OpenMode): Promise<StorageFile> => {
      await this.#called('open', path)
      this.openNow += 1
      this.openMost = Math.max(this.openMost, this.openNow)
      return this.#file(path)
    },
    rename: (from: string, to: string) => this.#called('rename', `${from} ${to}`),
  } as FileSystem

  #file(path: string): StorageFile {
    return {
      path,
      read: async () => {
        await this.#called('read', path)
        return 0
      },
      write: () => this.#called('write', path),
      writeNow: () => {
        this.calls.push(`writeNow ${path}`)
      },
      truncate: () => this.#called('truncate', path),
      sync: () => this.#called('sync', path),
      sizeBytes: async () => 0,
      close: async () => {
        await this.#called('close', path)
        this.openNow -= 1
      },
    }
  }
}

/** An error as the disk makes them. */
export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: from the test`), { code })
}

/** Lets everything that can go on without the test go on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
