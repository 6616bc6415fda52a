/**
 * Who makes appended bytes durable, behind one seam. Today each log's own `fdatasync`; a shared journal
 * that covers many logs with one sync fits behind the same two calls. Grouping and order are the
 * appender's business, not decided here.
 */

import type { Clock } from '../clock.ts'
import type { StorageFile } from '../file/file-system.ts'
import type { SyncScheduler } from '../file/sync-scheduler.ts'
import type { Offset, Position } from '../record/offsets.ts'

/** Record batches of one log that were written to its active segment together. */
export interface CommitGroup {
  readonly topicId: string
  readonly partition: number
  /** The segment file that holds them. */
  readonly file: StorageFile
  readonly position: Position
  readonly baseOffset: Offset
  /** The bytes from `position` on; empty with relaxed flush, whose memory was given back. */
  readonly buffers: readonly Buffer[]
  /** Monotonic time of this log's previous sync: the least recently synced goes first. */
  readonly lastSyncedAtMs: number
}

export interface Durability {
  /** Resolves when the group is on stable storage; rejects when that cannot be known. */
  commit(group: CommitGroup): Promise<void>
  /** Batches that were made durable elsewhere and lie past the end of the segment file, in order. */
  recover(log: { topicId: string; partition: number; endOffset: Offset }): Promise<Buffer[]>
}

/** Durable by the log's own `fdatasync`; how many run at once is the scheduler's to say. */
export class OwnFileDurability implements Durability {
  readonly #syncs: SyncScheduler
  readonly #clock: Clock
  readonly #flushed: (seconds: number) => void

  /** `flushed` is told of every sync that succeeded, with the time it took, waiting for its turn included. */
  constructor(syncs: SyncScheduler, clock: Clock, flushed: (seconds: number) => void) {
    this.#syncs = syncs
    this.#clock = clock
    this.#flushed = flushed
  }

  async commit(group: CommitGroup): Promise<void> {
    const startedAtMs = this.#clock.monotonicMs()
    await this.#syncs.sync(group.file, group.lastSyncedAtMs)
    this.#flushed((this.#clock.monotonicMs() - startedAtMs) / 1_000)
  }

  async recover(): Promise<Buffer[]> {
    return []
  }
}

/** A sync that the log relies on failed: whatever its error code, nobody knows what is on disk. */
export class SyncFailure extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'SyncFailure'
  }
}
