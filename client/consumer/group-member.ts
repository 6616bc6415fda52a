/**
 * Being a member of a group: joins, says again and again that it is there and what it works on, joins anew
 * when it was fenced, leaves. What an assignment means for the work is for `rebalance.ts`.
 *
 *     join ──► heartbeat ──► … ──► leave
 *      ▲          │
 *      ├─ fenced ─┤
 *      └─ rests ◄─┘ its work stands still: it leaves, until that goes on
 *
 * A broker that does not answer is asked again for ever. Once it was silent for a session's length this
 * member may be one no more, and others may have its partitions: `sure(false)` says so, until it is heard.
 */

import { SpoolError } from '../api/errors.ts'
import type { AssignedPartition } from '../api/schemas/groups.ts'
import { type Backoff, isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import type { Subscription } from './consumer-options.ts'
import {
  type AskOptions,
  type GroupRequests,
  isFenced,
  isNoAnswer,
  type OwnedPartition,
} from './group-requests.ts'
import type { Silence } from './silence.ts'

export interface MemberEvents {
  /** All it works on. */
  owned(): readonly OwnedPartition[]
  /** All it may read now. */
  assigned(assignment: readonly AssignedPartition[]): void
  /** Nothing it worked on is its any more; it joins again by itself. */
  fenced(error: SpoolError): void
  /** Tells the broker what is done, where it does so by itself. */
  commit(): Promise<void>
  /** Why it must leave, because its work stands still; `undefined`: it does not. */
  overdue(): SpoolError | undefined
  sure(isSure: boolean): void
  /** It can not be a member any more. */
  failed(error: unknown): void
}

export interface MemberOptions {
  readonly requests: GroupRequests
  readonly subscription: Subscription
  readonly backoff: Backoff
  readonly requestTimeoutMs: number
  /** Hears of what is asked, and of what is answered. */
  readonly silence: Silence
  readonly events: MemberEvents
}

/** The broker's default (`group.consumer.session.timeout.ms`), until its answer says another. */
const SESSION_TIMEOUT_MS_DEFAULT = 45_000
const HEARTBEAT_INTERVAL_MS_DEFAULT = 5_000
/** How long after its session an instance of the same name may still be in the way. */
const INSTANCE_GRACE_MS = 5_000

/** Nobody is told of less silence than that, or than a quarter of its session. */
const TROUBLE_MS = 5_000

export class GroupMember {
  readonly memberId = newMemberId()
  readonly #options: MemberOptions
  readonly #stopping = new AbortController()
  #epoch = 0
  #isJoined = false
  /** A join arrived, or may have. */
  #mayBeKnown = false
  /** The join under way; never rejects. */
  #joining: Promise<void> = Promise.resolve()
  /** Aborted: its answer does not matter any more. */
  readonly #leaving = new AbortController()
  #heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS_DEFAULT
  #sessionTimeoutMs: number
  #isSure = true
  #sureTimer: ReturnType<typeof setTimeout> | undefined
  /** Ends the wait before the next heartbeat. */
  #hurry: (() => void) | undefined
  #isHurried = false
  /** It left, until its work goes on. */
  #isResting = false
  readonly #silence: Silence

  constructor(options: MemberOptions) {
    this.#options = options
    this.#silence = options.silence
    this.#sessionTimeoutMs = options.subscription.sessionTimeoutMs ?? SESSION_TIMEOUT_MS_DEFAULT
  }

  get memberEpoch(): number {
    return this.#epoch
  }

  /**
   * Joins, and goes on from there by itself.
   *
   * @throws SpoolError as the group refuses, or when the broker did not answer in time.
   */
  async start(): Promise<void> {
    await this.#firstJoin()
    void this.#run().catch((error) => {
      if (!this.#stopping.signal.aborted) this.#options.events.failed(error)
    })
  }

  /** Sends a heartbeat now: what it holds has changed, or it doubts that it is still a member. */
  hurry(): void {
    this.#isHurried = true
    this.#hurry?.()
  }

  /** Its work may go on: where it left because of that, it looks again. */
  goOn(): void {
    if (this.#isResting) this.hurry()
  }

  /** Leaves, as far as that can be said in time. Never rejects: who can not say it falls silent. */
  async leave(timeoutMs: number): Promise<void> {
    this.stop()
    const endsAtMs = performance.now() + timeoutMs
    // A join that overtook what says that it left would be a member that nobody is.
    const giveUp = setTimeout(() => this.#leaving.abort(), timeoutMs / 2)
    await this.#joining
    clearTimeout(giveUp)
    await this.#sayThatItLeft(endsAtMs)
  }

  async #sayThatItLeft(endsAtMs: number, signal?: AbortSignal): Promise<void> {
    const { requests, requestTimeoutMs, backoff, subscription } = this.#options
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

  /** Asks nothing more. */
  stop(): void {
    clearTimeout(this.#sureTimer)
    this.#stopping.abort(new SpoolError('CLIENT_CLOSED', 'the consumer was closed'))
  }

  async #firstJoin(): Promise<void> {
    const { requestTimeoutMs } = this.#options
    const beganAtMs = performance.now()
    for (let failures = 1; ; failures++) {
      try {
        return await this.#join(this.#options.subscription)
      } catch (error) {
        const isPassing = error instanceof SpoolError && this.#mayPass(error, beganAtMs)
        const tookMs = performance.now() - beganAtMs
        const isInTime = isBusyInstance(error) || tookMs < requestTimeoutMs
        if (!isPassing || !isInTime) throw error
        await this.#pauseAfter(error, failures)
      }
    }
  }

  async #run(): Promise<void> {
    let failures = 0
    let failingSinceMs = 0
    while (!this.#stopping.signal.aborted) {
      try {
        if (this.#isJoined) {
          if (failures === 0) await this.#untilNextHeartbeat()
          if (this.#options.events.overdue() === undefined) await this.#beat()
          else await this.#rest()
        } else {
          // Where to begin was said when it joined first: what came since then is not to be skipped.
          const { from: _, ...again } = this.#options.subscription
          await this.#join(again)
        }
        failures = 0
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (!(error instanceof SpoolError)) throw error
        const isOver = failures > 0 && this.#isSessionOver(failingSinceMs)
        if (this.#isJoined && (isFenced(error) || (isNoAnswer(error) && isOver))) {
          this.#isJoined = false
          this.#silence.heard()
          this.#options.events.fenced(error)
          continue
        }
        if (failures === 0) failingSinceMs = performance.now()
        if (!this.#mayPass(error, failingSinceMs)) throw error
        await this.#pauseAfter(error, ++failures)
      }
    }
  }

  /** Heartbeats would only keep others from its partitions. */
  async #rest(): Promise<void> {
    const { events } = this.#options
    const { signal } = this.#stopping
    await events.commit()
    const error = events.overdue()
    if (error === undefined || signal.aborted) return
    this.#isJoined = false
    this.#isResting = true
    clearTimeout(this.#sureTimer)
    events.fenced(error)
    await this.#sayThatItLeft(performance.now() + this.#sessionTimeoutMs, signal)
    while (events.overdue() !== undefined && !signal.aborted) {
      this.#isHurried = false
      await this.#untilHurried()
    }
    this.#isResting = false
  }

  /**
   * The instance before may not have left: its place is free when its session ends. And a member does not give up
   * for one answer that nobody understands, of a proxy perhaps: it asks again for its session's time, then joins anew.
   */
  #mayPass(error: SpoolError, sinceMs: number): boolean {
    if (isBusyInstance(error)) return !this.#isSessionOver(sinceMs + INSTANCE_GRACE_MS)
    return (this.#isJoined && isNoAnswer(error)) || isWorthRetrying(error)
  }

  #isSessionOver(sinceMs: number): boolean {
    return performance.now() - sinceMs >= this.#sessionTimeoutMs
  }

  async #pauseAfter(error: SpoolError, failures: number): Promise<void> {
    this.#silence.failed(error)
    const delayMs = retryDelayMs(failures, this.#options.backoff, Math.random(), error)
    await pause(delayMs, this.#stopping.signal)
  }

  async #join(subscription: Subscription): Promise<void> {
    const { requests, events } = this.#options
    const sentAtMs = performance.now()
    const document = { ...subscription, memberId: this.memberId }
    const signal = this.#leaving.signal
    const joining = requests.join(document, { ...this.#asking(), signal }).then(
      (joined) => {
        this.#mayBeKnown = true
        return joined
      },
      (error) => {
        if (!(error instanceof SpoolError) || error.outcome !== 'refused') this.#mayBeKnown = true
        throw error
      },
    )
    this.#joining = joining.then(
      () => {},
      () => {},
    )
    const joined = await before(this.#stopping.signal, joining)
    this.#isJoined = true
    this.#epoch = joined.memberEpoch
    this.#heartbeatIntervalMs = joined.heartbeatIntervalMs
    this.#sessionTimeoutMs = joined.sessionTimeoutMs
    this.#heard(sentAtMs)
    events.assigned(joined.assignment)
  }

  async #beat(): Promise<void> {
    const { requests, events } = this.#options
    const sentAtMs = performance.now()
    this.#isHurried = false
    const { memberId } = this
    const reply = await requests.heartbeat(memberId, this.#epoch, events.owned(), this.#asking())
    if (this.#stopping.signal.aborted) return
    this.#epoch = reply.memberEpoch
    this.#heartbeatIntervalMs = reply.heartbeatIntervalMs
    this.#heard(sentAtMs)
    events.assigned(reply.assignment)
  }

  /** A broker that hangs is asked again while the session lasts. */
  #asking(): AskOptions {
    const timeoutMs = Math.min(this.#options.requestTimeoutMs, this.#sessionTimeoutMs / 2)
    this.#silence.asked(Math.min(TROUBLE_MS, this.#sessionTimeoutMs / 4))
    return { timeoutMs, signal: this.#stopping.signal }
  }

  async #untilNextHeartbeat(): Promise<void> {
    if (this.#isHurried) return
    const timer = setTimeout(() => this.#hurry?.(), this.#heartbeatIntervalMs)
    await this.#untilHurried()
    clearTimeout(timer)
  }

  async #untilHurried(): Promise<void> {
    const { signal } = this.#stopping
    await new Promise<void>((resolve) => {
      this.#hurry = resolve
      signal.addEventListener('abort', this.#hurry, { once: true })
      if (signal.aborted) resolve()
    })
    signal.removeEventListener('abort', this.#hurry!)
    this.#hurry = undefined
  }

  /** The session began when what was answered had been sent, or later. */
  #heard(sentAtMs: number): void {
    this.#silence.heard()
    if (!this.#isSure) {
      this.#isSure = true
      this.#options.events.sure(true)
    }
    clearTimeout(this.#sureTimer)
    const leftMs = sentAtMs + this.#sessionTimeoutMs - performance.now()
    this.#sureTimer = setTimeout(() => {
      this.#isSure = false
      this.#options.events.sure(false)
    }, leftMs)
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

function isBusyInstance(error: unknown): error is SpoolError {
  return error instanceof SpoolError && error.code === 'UNRELEASED_INSTANCE_ID'
}

/** As the broker would make one; made here, so that a join may be sent again. */
function newMemberId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
