/**
 * Time and chance as arguments, so that a test can drive every decision that depends on them.
 * Wall time is for record timestamps and retention; time-outs use the monotonic clock only.
 */

import { performance } from 'node:perf_hooks'

/** A scheduled call that can be taken back. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00Z. May jump. */
  now(): number
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonicMs(): number
  /** Runs `action` once, after `delayMs`; does not keep the process alive. */
  after(delayMs: number, action: () => void): Timer
}

export interface Random {
  /** A number in [0, 1). */
  next(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

export const systemRandom: Random = { next: () => Math.random() }
