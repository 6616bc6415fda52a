/**
 * Whether the broker may know of a member, so that it hears of it when that leaves: also where the answer to a
 * join was lost, and not before a join that is under way, or that would be a member that nobody is. Owns the
 * member's id; when to join and to leave is for `group-member.ts`.
 */

import { SpoolError } from '../api/errors.ts'
import type { JoinedGroup } from '../api/schemas/groups.ts'
import { type Backoff, isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import type { Subscription } from './consumer-options.ts'
import type { GroupRequests } from './group-requests.ts'

export interface PresenceOptions {
  readonly requests: GroupRequests
  /** What it says of itself when it joins. */
  readonly subscription: Subscription
  readonly backoff: Backoff
  readonly requestTimeoutMs: number
}

export interface AskInTime {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export class Presence {
  readonly memberId = newMemberId()
  readonly #options: PresenceOptions
  /** A join arrived, or may have. */
  #mayBeKnown = false
  /** The join under way; never rejects. */
  #joining: Promise<unknown> = Promise.resolve()
  /** Aborted: its answer does not matter any more. */
  readonly #leaving = new AbortController()

  constructor(options: PresenceOptions) {
    this.#options = options
  }

  /** Asks once. Rejects also when the signal is aborted: nobody waits then but `end`. */
  join(subscription: Subscription, { timeoutMs, signal }: AskInTime): Promise<JoinedGroup> {
    const joining = this.#join(subscription, timeoutMs)
    this.#joining = joining.catch(() => {})
    return before(signal, joining)
  }

  /** Says that it left, as far as there is time; it may join again. Never rejects: who can not say it falls silent. */
  async leave(endsAtMs: number, signal?: AbortSignal): Promise<void> {
    const { requests, subscription, backoff, requestTimeoutMs } = this.#options
    // Who has a name comes back: what it reads waits for it.
    const isTemporary = subscription.instanceId !== undefined
    for (let failures = 1; this.#mayBeKnown && !signal?.aborted; failures++) {
      const leftMs = Math.max(1, endsAtMs - performance.now())
      try {
        const options = { timeoutMs: Math.min(requestTimeoutMs, leftMs), signal }
        await requests.leave(this.memberId, isTemporary, options)
        this.#mayBeKnown = false
      } catch (error) {
        if (!(error instanceof SpoolError) || !isWorthRetrying(error)) return
        const delayMs = retryDelayMs(failures, backoff, Math.random(), error)
        if (performance.now() + delayMs >= endsAtMs) return
        await pause(delayMs, signal).catch(() => {})
      }
    }
  }

  /** Leaves for good, also where a join is under way. Never rejects. */
  async end(timeoutMs: number): Promise<void> {
    const endsAtMs = performance.now() + timeoutMs
    const giveUp = setTimeout(() => this.#leaving.abort(), timeoutMs / 2)
    await this.#joining
    clearTimeout(giveUp)
    await this.leave(endsAtMs)
  }

  async #join(subscription: Subscription, timeoutMs: number): Promise<JoinedGroup> {
    const { signal } = this.#leaving
    const document = { ...subscription, memberId: this.memberId }
    try {
      const joined = await this.#options.requests.join(document, { timeoutMs, signal })
      this.#mayBeKnown = true
      return joined
    } catch (error) {
      if (!(error instanceof SpoolError) || error.outcome !== 'refused') this.#mayBeKnown = true
      throw error
    }
  }
}

/** What comes of the work, where that is before the signal; else rejects with its reason. */
async function before<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>()
  const end = () => reject(signal.reason)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  try {
    return await Promise.race([work, over])
  } finally {
    signal.removeEventListener('abort', end)
  }
}

/** As the broker would make one; made here, so that a join may be sent again. */
function newMemberId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
