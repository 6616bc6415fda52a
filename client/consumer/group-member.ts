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
 * member may be one no more (`session-clock.ts`): `sure(false)` says so, until it is heard.
 */

import { SpoolError } from '../api/errors.ts'
import type { AssignedPartition } from '../api/schemas/groups.ts'
import { isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import type { Subscription } from './consumer-options.ts'
import { isFenced, isNoAnswer, type OwnedPartition } from './group-requests.ts'
import { type AskInTime, Presence, type PresenceOptions } from './presence.ts'
import { SessionClock } from './session-clock.ts'
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

export interface MemberOptions extends PresenceOptions {
  /** Hears of what is asked, and of what is answered. */
  readonly silence: Silence
  readonly events: MemberEvents
}

/** Until the broker's answer says another. */
const HEARTBEAT_INTERVAL_MS_DEFAULT = 5_000
/** How long after its session an instance of the same name may still be in the way. */
const INSTANCE_GRACE_MS = 5_000

export class GroupMember {
  readonly #options: MemberOptions
  readonly #presence: Presence
  readonly #clock: SessionClock
  readonly #stopping = new AbortController()
  #epoch = 0
  #isJoined = false
  #heartbeatIntervalMs = HEARTBEAT_INTERVAL_MS_DEFAULT
  /** Ends the wait before the next heartbeat. */
  #hurry: (() => void) | undefined
  #isHurried = false
  /** It left, until its work goes on. */
  #isResting = false

  constructor(options: MemberOptions) {
    this.#options = options
    this.#presence = new Presence(options)
    const { sessionTimeoutMs } = options.subscription
    this.#clock = new SessionClock(sessionTimeoutMs, (isSure) => options.events.sure(isSure))
  }

  get memberId(): string {
    return this.#presence.memberId
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
    await this.#presence.end(timeoutMs)
  }

  /** Asks nothing more. */
  stop(): void {
    this.#clock.stop()
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
        const isOver = failures > 0 && this.#clock.isOver(failingSinceMs)
        if (this.#isJoined && (isFenced(error) || (isNoAnswer(error) && isOver))) {
          this.#isJoined = false
          this.#options.silence.heard()
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
    this.#clock.stop()
    events.fenced(error)
    await this.#presence.leave(performance.now() + this.#clock.timeoutMs, signal)
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
    if (isBusyInstance(error)) return !this.#clock.isOver(sinceMs + INSTANCE_GRACE_MS)
    return (this.#isJoined && isNoAnswer(error)) || isWorthRetrying(error)
  }

  async #pauseAfter(error: SpoolError, failures: number): Promise<void> {
    this.#options.silence.failed(error)
    const delayMs = retryDelayMs(failures, this.#options.backoff, Math.random(), error)
    await pause(delayMs, this.#stopping.signal)
  }

  async #join(subscription: Subscription): Promise<void> {
    const { silence, events } = this.#options
    const sentAtMs = performance.now()
    const joined = await this.#presence.join(subscription, this.#asking())
    this.#isJoined = true
    this.#epoch = joined.memberEpoch
    this.#heartbeatIntervalMs = joined.heartbeatIntervalMs
    silence.heard()
    this.#clock.joined(sentAtMs, joined.sessionTimeoutMs)
    events.assigned(joined.assignment)
  }

  async #beat(): Promise<void> {
    const { requests, silence, events } = this.#options
    const sentAtMs = performance.now()
    this.#isHurried = false
    const { memberId } = this
    const reply = await requests.heartbeat(memberId, this.#epoch, events.owned(), this.#asking())
    if (this.#stopping.signal.aborted) return
    this.#epoch = reply.memberEpoch
    this.#heartbeatIntervalMs = reply.heartbeatIntervalMs
    silence.heard()
    this.#clock.heard(sentAtMs)
    events.assigned(reply.assignment)
  }

  /** A broker that hangs is asked again while the session lasts. */
  #asking(): AskInTime {
    const { requestTimeoutMs, silence } = this.#options
    const sessionTimeoutMs = this.#clock.timeoutMs
    silence.asked(sessionTimeoutMs)
    const timeoutMs = Math.min(requestTimeoutMs, sessionTimeoutMs / 2)
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
}

function isBusyInstance(error: unknown): error is SpoolError {
  return error instanceof SpoolError && error.code === 'UNRELEASED_INSTANCE_ID'
}
