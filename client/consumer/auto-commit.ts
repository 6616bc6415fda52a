/**
 * Commits what is done by itself, every so often, while a loop reads. What is committed when a partition is let go
 * of, and at the end, is for `rebalance.ts`. Owns the timer, and which refusals end the loop.
 */

import type { SpoolError } from '../api/errors.ts'
import type { Committer } from './committer.ts'
import { isFenced, isNoAnswer } from './group-requests.ts'
import type { HeldPartitions } from './held-partition.ts'

export interface AutoCommitOptions<K, V> {
  readonly committer: Committer
  readonly held: HeldPartitions<K, V>
  readonly intervalMs: number
  readonly onFailure: (error: unknown) => void
}

export class AutoCommit<K, V> {
  readonly #options: AutoCommitOptions<K, V>
  #timer: ReturnType<typeof setInterval> | undefined
  #isCommitting = false

  constructor(options: AutoCommitOptions<K, V>) {
    this.#options = options
  }

  begin(): void {
    this.#timer = setInterval(() => this.#commitInTime(), this.#options.intervalMs)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  /** What is refused because a partition was taken away, its heartbeat tells in a moment. */
  async now(): Promise<void> {
    const { committer, held, onFailure } = this.#options
    const refused = await committer.commitDone(held, performance.now())
    const fatal = refused.find(({ held, error }) => !held.isGone && isFatal(error))
    if (fatal !== undefined) onFailure(fatal.error)
  }

  /** One at a time: a broker that hangs would find a row of them, and who commits would wait behind it. */
  #commitInTime(): void {
    if (this.#isCommitting) return
    this.#isCommitting = true
    this.now()
      .catch(this.#options.onFailure)
      .finally(() => {
        this.#isCommitting = false
      })
  }
}

/**
 * No later commit will fare better, and no rebalance is the reason. Who is beyond the end of the log is told
 * so by its source as well, and goes on as `outOfRange` says.
 */
function isFatal(error: SpoolError): boolean {
  if (error.retriable || isFenced(error) || isNoAnswer(error)) return false
  return error.code !== 'OFFSET_OUT_OF_RANGE'
}
