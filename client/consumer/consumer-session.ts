/**
 * One loop's membership of a group: its member, what it holds, where records come from, and what is
 * committed, put together. Begins with a join and ends with leaving; the next loop makes another. What the
 * loop has in hand is its worker's (`consumer-takers.ts`, `runner.ts`).
 */

import type { ClientContext } from '../client-context.ts'
import { AssignedSources } from './assigned-sources.ts'
import { AutoCommit } from './auto-commit.ts'
import { Committer, type OffsetToTell } from './committer.ts'
import type { ConsumerSettings } from './consumer-options.ts'
import { GroupMember } from './group-member.ts'
import { GroupRequests } from './group-requests.ts'
import { type HeldPartition, HeldPartitions } from './held-partition.ts'
import { Pace } from './pace.ts'
import { Patience } from './patience.ts'
import { Rebalance } from './rebalance.ts'
import { Silence } from './silence.ts'
import { Steering } from './steering.ts'
import type { GivenBatch } from './topic-source.ts'
import type { DropReason, Worker } from './worker.ts'

/** A broker that did not answer a join is not worth more: who can not leave falls silent. */
const FAILED_START_MS = 1_000
/** To say that it leaves. */
const LEAVE_MS_MIN = 500

export class ConsumerSession<K, V> {
  readonly pace = new Pace()
  readonly patience: Patience
  readonly held = new HeldPartitions<K, V>()
  readonly committer: Committer
  readonly sources: AssignedSources<K, V>
  readonly steering: Steering<K, V>
  readonly #member: GroupMember
  readonly #silence: Silence
  readonly #rebalance: Rebalance<K, V>
  readonly #autoCommit: AutoCommit<K, V> | undefined
  #worker: Worker<K, V> | undefined
  /** The broker was not heard for so long that others may have what it holds. */
  #isDoubtful = false
  #isStopped = false
  #failure: { readonly reason: unknown } | undefined
  /** `ready` waits. */
  #onWake: (() => void) | undefined
  #closeTimeoutMs: number
  #closed: Promise<void> | undefined
  readonly #whenClosed = Promise.withResolvers<void>()

  constructor(context: ClientContext, settings: ConsumerSettings<K, V>) {
    const { transport, settings: client } = context
    this.#closeTimeoutMs = settings.closeTimeoutMs
    this.patience = new Patience({
      limitMs: settings.maxPollIntervalMs,
      oldest: () => this.#worker?.oldest(),
      onTick: (isOverdue) => (isOverdue ? this.#member.hurry() : this.#member.goOn()),
    })
    const requests = new GroupRequests(transport, settings.group)
    const asking = { backoff: client, requestTimeoutMs: client.requestTimeoutMs }
    const { held } = this
    const drop = (held: HeldPartition<K, V>, reason: DropReason) => this.#worker?.drop(held, reason)
    const onFailure = (error: unknown) => this.#fail(error)
    this.sources = new AssignedSources({
      transport,
      reading: settings,
      onBatch: () => this.#wake(),
      onFailure,
    })
    this.steering = new Steering({ context, held, sources: this.sources, drop })
    this.#silence = new Silence({ hooks: settings.hooks, onFailure })
    this.#member = new GroupMember({
      ...asking,
      requests,
      subscription: settings.subscription,
      silence: this.#silence,
      events: {
        owned: () =>
          [...held].map(({ topic, topicId, partition }) => ({ topic, topicId, partition })),
        assigned: (assignment) => this.#rebalance.assigned(assignment),
        fenced: (error) => this.#rebalance.fenced(error),
        commit: async () => this.#autoCommit?.now(),
        overdue: () => this.patience.overdue(),
        sure: (isSure) => this.#doubt(!isSure),
        // While it is being closed, nobody minds.
        failed: (error) => this.#closed === undefined && this.#fail(error),
      },
    })
    this.committer = new Committer({
      ...asking,
      requests,
      member: this.#member,
      settle: () => this.settle(),
    })
    if (settings.autoCommit) {
      const { committer } = this
      const intervalMs = settings.autoCommitIntervalMs
      this.#autoCommit = new AutoCommit({ committer, held, intervalMs, onFailure })
    }
    this.#rebalance = new Rebalance({
      held,
      serdes: settings,
      hooks: settings.hooks,
      rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
      autoCommit: settings.autoCommit,
      sources: this.sources,
      committer: this.committer,
      drop,
      onLetGo: () => this.#member.hurry(),
      onFailure,
    })
  }

  /**
   * Joins the group. `worker` hears from then on what it must not give any more.
   *
   * @throws SpoolError as the group refuses, or when no broker answers in time.
   */
  async start(worker: Worker<K, V>, signal: AbortSignal): Promise<void> {
    this.#worker = worker
    const giveUp = () => this.#member.stop()
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await this.#member.start()
    } catch (error) {
      this.#closeTimeoutMs = Math.min(this.#closeTimeoutMs, FAILED_START_MS)
      await this.close()
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    this.patience.begin()
    this.#autoCommit?.begin()
  }

  /** The next batch, where one lies ready and the turn is not over. */
  poll(): GivenBatch<K, V> | undefined {
    if (this.isHalted || this.pace.isTurnOver) return undefined
    return this.sources.poll()
  }

  /** True while nothing may be given out. */
  get isHalted(): boolean {
    return this.#isDoubtful || this.#isStopped || this.#failure !== undefined
  }

  /** Waits until `poll` may have something; false at the end. Rejects with what ended it. */
  async ready(): Promise<boolean> {
    if (!this.#goesOn()) return false
    this.#member.goOn()
    if (this.pace.isTurnOver) {
      await this.pace.next()
    } else {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onWake = resolve
      this.sources.listen()
      await promise
      this.pace.begin()
    }
    return this.#goesOn()
  }

  /** Brings the trackers up to date. */
  settle(): void {
    this.#worker?.settle()
  }

  /** What may be committed, and is not. */
  allDone(): OffsetToTell[] {
    return this.committer.toTell(this.held)
  }

  get memberId(): string {
    return this.#member.memberId
  }

  /** True while something that was given is not done. */
  get isInHand(): boolean {
    this.settle()
    for (const { tracker } of this.held) if (tracker.isInHand) return true
    return false
  }

  /** Gives nothing more: `ready` says that this is the end. */
  stop(): void {
    this.#isStopped = true
    this.#wake()
  }

  /**
   * Commits what is done, where that is to be, gives everything back and leaves. Nothing is in hand any
   * more. Idempotent; rejects only with what a hook threw.
   */
  close(): Promise<void> {
    this.#closed ??= this.#end().finally(() => this.#whenClosed.resolve())
    return this.#closed
  }

  /** Resolves once it is closed, also where that went wrong. */
  get whenClosed(): Promise<void> {
    return this.#whenClosed.promise
  }

  async #end(): Promise<void> {
    const endsAtMs = performance.now() + this.#closeTimeoutMs
    this.#autoCommit?.end()
    this.patience.end()
    this.#silence.close()
    const failedBefore = this.#failure
    this.stop()
    for (const each of this.held) {
      this.#worker?.drop(each, 'gone')
      each.tracker.abandon()
    }
    this.sources.close()
    await this.#rebalance.end(endsAtMs)
    // However long the rest took: who does not say that it leaves keeps its partitions from others.
    const timeoutMs = Math.max(LEAVE_MS_MIN, endsAtMs - performance.now())
    await this.#member.leave(timeoutMs)
    if (this.#failure !== failedBefore) throw this.#failure?.reason
  }

  #goesOn(): boolean {
    if (this.#failure !== undefined) throw this.#failure.reason
    return !this.#isStopped
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#wake()
  }

  #doubt(isDoubtful: boolean): void {
    this.#isDoubtful = isDoubtful
    this.#wake()
  }

  /** `ready` resolves. */
  #wake(): void {
    this.#onWake?.()
    this.#onWake = undefined
  }
}
