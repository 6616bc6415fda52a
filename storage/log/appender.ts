/**
 * The single writer of one log. Groups of batches go to disk one after another, each with one write and
 * one sync; while one is on its way the next one forms. Says to those who wait what became of their
 * group, and what a failure means (STORAGE rules "when the disk says no"):
 *
 *     write refused: no room      cut to the written end, everything enqueued fails as `refused`, go on
 *     write failed otherwise      offline; the group `unknown`, those behind it `refused`
 *     sync failed                 offline; the group `unknown`, those behind it `refused`; no second try
 *
 * Which offsets a group gets and what is in it was fixed before it came here.
 */

import { StorageError } from '../errors.ts'
import { isDiskFull } from '../file/file-system.ts'
import type { AppendGroup } from './append-group.ts'
import type { LogTail } from './tail.ts'

/** What the log does as the appender goes along. */
export interface AppenderEvents {
  /** The group is in the file; with relaxed flush that is what its acknowledgement means. */
  written(group: AppendGroup): void
  /** Everything written is on stable storage. */
  flushed(): void
  /** All that was enqueued is taken back: the log ends at the written end again. */
  takenBack(): void
  /** Nothing more can be appended until a restart. */
  wentOffline(error: StorageError): void
}

/** How the log flushes at this moment; read anew for each group. */
export interface FlushRule {
  readonly flushMessages: number
  readonly indexIntervalBytes: number
}

/** Work that needs the log's end to itself, between two groups. */
interface Errand {
  run(): Promise<void>
  done(): void
  failed(error: unknown): void
}

export class Appender {
  readonly #tail: LogTail
  readonly #events: AppenderEvents
  readonly #rule: () => FlushRule
  #queue: (AppendGroup | Errand)[] = []
  #isRunning = false
  #offline: StorageError | undefined

  constructor(tail: LogTail, events: AppenderEvents, rule: () => FlushRule) {
    this.#tail = tail
    this.#events = events
    this.#rule = rule
  }

  get offline(): StorageError | undefined {
    return this.#offline
  }

  /** Puts a group in line. It may still grow until its turn comes. */
  enqueue(group: AppendGroup): void {
    this.#queue.push(group)
    this.#wake()
  }

  /** Whether `group` is still waiting for its turn, last in line: only then may a batch be added to it. */
  canGrow(group: AppendGroup | undefined): group is AppendGroup {
    return group !== undefined && this.#queue[this.#queue.length - 1] === group
  }

  /** Runs `run` between two groups, after those already in line. */
  exclusively(run: () => Promise<void>): Promise<void> {
    return new Promise((done, failed) => {
      this.#queue.push({ run, done, failed })
      this.#wake()
    })
  }

  /** Takes the log offline: what is in line fails, as `refused`, since nothing of it was written. */
  goOffline(error: StorageError): void {
    if (this.#offline !== undefined) return
    this.#offline = error
    this.#events.wentOffline(error)
    for (const item of this.#takeGroups()) item.fail(offlineRefusal(error))
  }

  #wake(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    // Not at once: requests that arrived in the same turn of the event loop then share the first sync.
    setImmediate(() => this.#run())
  }

  async #run(): Promise<void> {
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      if ('run' in item) await this.#runErrand(item)
      else await this.#commit(item)
    }
    this.#isRunning = false
  }

  async #runErrand(errand: Errand): Promise<void> {
    try {
      if (this.#offline !== undefined) throw this.#offline
      await errand.run()
      errand.done()
    } catch (error) {
      errand.failed(this.#errandFailed(error))
    }
  }

  /** What is said of an errand that failed. Where there was no room the log goes on as it was. */
  #errandFailed(error: unknown): StorageError {
    if (error instanceof StorageError) return error
    if (isDiskFull(error)) return diskFull(error)
    const unknown = storageError(error, 'unknown', 'the disk reported an error')
    this.goOffline(unknown)
    return unknown
  }

  async #commit(group: AppendGroup): Promise<void> {
    if (this.#offline !== undefined) return group.fail(offlineRefusal(this.#offline))
    const rule = this.#rule()
    try {
      if (group.rollsFirst) await this.#tail.roll()
      await this.#tail.write(group, rule.indexIntervalBytes)
    } catch (error) {
      return await this.#writeFailed(group, error)
    }
    this.#events.written(group)
    if (!group.waitsForSync) group.succeed()
    if (!group.waitsForSync && this.#tail.unflushedRecords < rule.flushMessages) return
    try {
      await this.#tail.flush()
    } catch (error) {
      return this.#syncFailed(group, error)
    }
    this.#events.flushed()
    if (group.waitsForSync) group.succeed()
  }

  async #writeFailed(group: AppendGroup, error: unknown): Promise<void> {
    if (!isDiskFull(error)) return this.#syncFailed(group, error)
    const refused = [group, ...this.#takeGroups()]
    // Before the first await: whatever is appended from here on continues at the written end.
    this.#events.takenBack()
    try {
      await this.#tail.cut()
    } catch (cutError) {
      const unknown = storageError(cutError, 'unknown', 'the log could not be cut back')
      this.goOffline(unknown)
      for (const waiting of refused) {
        waiting.fail(waiting === group ? unknown : offlineRefusal(unknown))
      }
      return
    }
    const full = diskFull(error)
    for (const waiting of refused) waiting.fail(full)
  }

  #syncFailed(group: AppendGroup, error: unknown): void {
    const unknown = storageError(error, 'unknown', 'the disk reported an error')
    this.goOffline(unknown)
    group.fail(unknown)
  }

  #takeGroups(): AppendGroup[] {
    const groups = this.#queue.filter((item): item is AppendGroup => !('run' in item))
    this.#queue = this.#queue.filter((item) => 'run' in item)
    return groups
  }
}

function diskFull(cause: unknown): StorageError {
  return new StorageError('DISK_FULL', 'the disk is full; nothing was changed', {
    outcome: 'refused',
    cause,
  })
}

function offlineRefusal(reason: StorageError): StorageError {
  return new StorageError('KAFKA_STORAGE_ERROR', `the log is offline: ${reason.message}`, {
    outcome: 'refused',
    cause: reason,
  })
}

function storageError(error: unknown, outcome: 'unknown', sentence: string): StorageError {
  const detail = error instanceof Error ? error.message : String(error)
  return new StorageError('KAFKA_STORAGE_ERROR', `${sentence}: ${detail}`, {
    outcome,
    cause: error,
  })
}
