/**
 * Decides which sync runs next when more files want one than may run at once. A sync holds a thread of
 * libuv's pool for as long as the disk takes, and a read queued behind a full pool waited 42–76 ms
 * where it takes 0.1–1 ms with a thread free; so some threads are always left for reads and writes.
 *
 * Owns the queue of waiting syncs: least recently synced first, first come first served among equals.
 * Does not know what a sync is worth, and does not retry one: its error is the caller's.
 */

import assert from 'node:assert'
import type { StorageFile } from './file-system.ts'

/** Threads of libuv's pool that syncs leave to reads, writes and opens. */
const THREADS_LEFT = 8
/** With a small pool, so many syncs still run at once: one alone would wait for every other log. */
const SYNCS_AT_ONCE_MIN = 2
/** What libuv does without `UV_THREADPOOL_SIZE`, and the most it accepts. */
const POOL_SIZE_DEFAULT = 4
const POOL_SIZE_MAX = 1024

/** Threads in libuv's pool, by the environment as it stands. True only if it stood so at the first use. */
export function poolSize(environment: NodeJS.ProcessEnv = process.env): number {
  const text = environment.UV_THREADPOOL_SIZE
  if (text === undefined) return POOL_SIZE_DEFAULT
  const size = Number.parseInt(text, 10)
  return Number.isNaN(size) ? 1 : Math.min(Math.max(size, 1), POOL_SIZE_MAX)
}

/** How many syncs a pool of `threads` should run at once. */
export function syncsAtOnce(threads: number): number {
  return Math.max(threads - THREADS_LEFT, SYNCS_AT_ONCE_MIN)
}

interface Waiting {
  readonly lastSyncedAt: number
  /** Order of arrival. */
  readonly turn: number
  start(): void
}

function goesBefore(a: Waiting, b: Waiting): boolean {
  if (a.lastSyncedAt !== b.lastSyncedAt) return a.lastSyncedAt < b.lastSyncedAt
  return a.turn < b.turn
}

export class SyncScheduler {
  readonly #syncsMax: number
  /** Invariant: ≤ `#syncsMax`, and equal to it while anything waits. */
  #running = 0
  #turn = 0
  /** Binary heap: no entry goes before its parent at (i - 1) >> 1. */
  readonly #waiting: Waiting[] = []

  constructor(maxConcurrent: number = syncsAtOnce(poolSize())) {
    assert(
      Number.isSafeInteger(maxConcurrent) && maxConcurrent > 0,
      `syncs at once must be a positive integer, not ${maxConcurrent}`,
    )
    this.#syncsMax = maxConcurrent
  }

  get runningCount(): number {
    return this.#running
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  /**
   * Runs `file.sync()` when it is its turn. `lastSyncedAt` is when this file was last synced, on any
   * clock that all callers share (monotonic milliseconds). Rejects with the sync's own error.
   */
  async sync(file: Pick<StorageFile, 'sync'>, lastSyncedAt: number): Promise<void> {
    if (this.#running < this.#syncsMax) this.#running += 1
    else await this.#wait(lastSyncedAt)
    try {
      await file.sync()
    } finally {
      this.#handOver()
    }
  }

  #wait(lastSyncedAt: number): Promise<void> {
    return new Promise((start) => {
      this.#turn += 1
      this.#push({ lastSyncedAt, turn: this.#turn, start })
    })
  }

  /** Gives the place of a finished sync to the next one, so that no newcomer can take it in between. */
  #handOver(): void {
    const next = this.#pop()
    if (next === undefined) this.#running -= 1
    else next.start()
  }

  #push(entry: Waiting): void {
    const heap = this.#waiting
    let at = heap.length
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt] as Waiting
      if (!goesBefore(entry, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = entry
  }

  #pop(): Waiting | undefined {
    const heap = this.#waiting
    const first = heap[0]
    const moved = heap.pop()
    if (first === undefined || moved === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      const left = heap[childAt]
      const right = heap[childAt + 1]
      if (left === undefined) break
      if (right !== undefined && goesBefore(right, left)) childAt += 1
      const child = heap[childAt] as Waiting
      if (!goesBefore(child, moved)) break
      heap[at] = child
      at = childAt
    }
    heap[at] = moved
    return first
  }
}
