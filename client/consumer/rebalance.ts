/**
 * Partitions come and go: what happens to each, in which order, and who is told. What an assignment changes
 * is noted at once, before the next heartbeat says what is held; what takes time follows, one thing after
 * another.
 *
 *     gained      ─► onAssigned ─► its records come
 *     asked back  ─► no more of it is given ─► what is in hand gets done ─► onRevoked ─► commit ─► let go of
 *     fenced      ─► nothing is its any more ─► onLost (then, where the group was reset, onReset)
 *
 * Only a heartbeat that leaves a partition out lets somebody else have it. Waiting for work in hand and for
 * hooks ends in time for that; then it is let go of all the same, and told as lost.
 */

import { SpoolError } from '../api/errors.ts'
import type { AssignedPartition } from '../api/schemas/groups.ts'
import type { AssignedSources } from './assigned-sources.ts'
import { assignmentChange } from './assignment-change.ts'
import type { Committer } from './committer.ts'
import type { ConsumerHooks, LostPlace, ResetPlace } from './consumer-hooks.ts'
import {
  HeldPartition,
  type HeldPartitions,
  idOf,
  type PlaceToRead,
  type Serdes,
} from './held-partition.ts'
import { NEVER_MS, within } from './within.ts'
import type { DropReason } from './worker.ts'

export interface RebalanceOptions<K, V> {
  readonly held: HeldPartitions<K, V>
  readonly serdes: Serdes<K, V>
  readonly hooks: ConsumerHooks
  readonly rebalanceTimeoutMs: number
  readonly autoCommit: boolean
  readonly sources: AssignedSources<K, V>
  readonly committer: Committer
  /** Nothing more of it may be given, also not of what was taken from the sources. */
  readonly drop: (held: HeldPartition<K, V>, reason: DropReason) => void
  /** Partitions were let go of: the broker is to know soon. */
  readonly onLetGo: () => void
  readonly onFailure: (error: unknown) => void
}

/** Of the rebalance time-out; the rest is for the commit and the heartbeat that lets go. */
const REVOKE_SHARE = 0.75
/** What a commit that began in time may still take. */
const COMMIT_GRACE_MS = 2_000

export class Rebalance<K, V> {
  readonly #options: RebalanceOptions<K, V>
  /** What takes time, one thing after another. Never rejects. */
  #work: Promise<void> = Promise.resolve()
  /** Aborted when what is waited for does not matter any more. */
  #waiting = new AbortController()
  /** Aborted when there is nothing to commit for any more. */
  #fenced = new AbortController()
  /** What comes from now on is not taken. */
  #isEnding = false
  /** After a reset: where each partition was. */
  #positions: ReadonlyMap<string, number> = new Map()

  constructor(options: RebalanceOptions<K, V>) {
    this.#options = options
  }

  /** The broker's answer to a join or a heartbeat. */
  assigned(assignment: readonly AssignedPartition[]): void {
    if (this.#isEnding) return
    const { gained, askedBack } = assignmentChange(this.#options.held, assignment)
    if (askedBack.length > 0) {
      const timeoutMs = this.#options.rebalanceTimeoutMs * REVOKE_SHARE
      this.#revoke(askedBack, performance.now() + timeoutMs)
    }
    if (gained.length > 0) this.#gain(gained)
    this.#positions = new Map()
  }

  /** The member was fenced. */
  fenced(error: SpoolError): void {
    const { held, sources, drop } = this.#options
    const lost = [...held]
    for (const each of lost) {
      drop(each, 'gone')
      each.isGone = true
      held.delete(each)
    }
    sources.remove(lost)
    this.#stopWaiting()
    this.#fenced.abort()
    this.#fenced = new AbortController()
    // Only a reset leaves a member in its group and fences it.
    if (error.code === 'FENCED_MEMBER_EPOCH') {
      this.#positions = new Map(lost.map((each) => [idOf(each), each.tracker.position]))
    }
    const told = lost.filter(({ isAnnounced }) => isAnnounced)
    this.#then(() => this.#tellLost(told.map((each) => ({ ...placeOf(each), error }))))
  }

  /** Gives everything back, by `endsAtMs`; nothing is in hand any more. */
  async end(endsAtMs: number): Promise<void> {
    this.#isEnding = true
    const staying = [...this.#options.held].filter(({ isLeaving }) => !isLeaving)
    this.#stopWaiting()
    this.#revoke(staying, endsAtMs)
    await within(this.#work, endsAtMs + 2 * COMMIT_GRACE_MS, this.#waiting.signal)
  }

  #gain(places: readonly PlaceToRead[]): void {
    const { held, serdes, hooks, sources } = this.#options
    const resets = this.#resetsOf(places)
    const gained = places.map((place) => new HeldPartition<K, V>(place, serdes))
    for (const each of gained) held.add(each)
    const { signal } = this.#waiting
    this.#then(async () => {
      const here = gained.filter(({ isLeaving, isGone }) => !isLeaving && !isGone)
      if (resets.length > 0) await within(hooks.onReset?.(resets), NEVER_MS, signal)
      if (here.length === 0) return
      for (const each of here) each.isAnnounced = true
      await within(hooks.onAssigned?.(here.map(placeOf)), NEVER_MS, signal)
      for (const each of here) each.isReady = true
      sources.add(here.filter(({ isGiving }) => isGiving))
    })
  }

  #resetsOf(places: readonly PlaceToRead[]): ResetPlace[] {
    return places.flatMap((place) => {
      const { topic, partition, offset: to } = place
      const from = this.#positions.get(idOf(place))
      return from === undefined || from === to ? [] : [{ topic, partition, from, to }]
    })
  }

  #revoke(partitions: readonly HeldPartition<K, V>[], endsAtMs: number): void {
    const { sources, drop } = this.#options
    for (const each of partitions) {
      each.isLeaving = true
      drop(each, 'leaving')
    }
    sources.remove(partitions)
    const [{ signal }, { signal: fenced }] = [this.#waiting, this.#fenced]
    this.#then(() => this.#letGo(partitions, endsAtMs, signal, fenced))
  }

  async #letGo(
    partitions: readonly HeldPartition<K, V>[],
    endsAtMs: number,
    signal: AbortSignal,
    fenced: AbortSignal,
  ): Promise<void> {
    const { held, hooks, committer, autoCommit, drop, onLetGo } = this.#options
    const present = () => partitions.filter(({ isGone }) => !isGone)
    await within(Promise.all(present().map((each) => each.whenIdle())), endsAtMs, signal)
    const told = present().filter(({ isAnnounced }) => isAnnounced)
    try {
      if (told.length > 0) await within(hooks.onRevoked?.(told.map(placeOf)), endsAtMs, signal)
    } finally {
      const errors = new Map<unknown, SpoolError>()
      // What the program committed and did not wait for comes first, in any case.
      const commit = committer.commitDone(autoCommit ? present() : [], endsAtMs).then((refused) => {
        for (const { held, error } of refused) errors.set(held, error)
      })
      // Also by who is closing meanwhile: what is done is committed.
      await within(commit, endsAtMs + COMMIT_GRACE_MS, fenced)
      const lost: LostPlace[] = []
      for (const each of present()) {
        const { isInHand, toCommit } = each.tracker
        const isLate = isInHand || (autoCommit && toCommit !== undefined)
        const error = errors.get(each) ?? (isLate ? tookTooLong(each) : undefined)
        if (error !== undefined) lost.push({ ...placeOf(each), error })
        if (isInHand) drop(each, 'gone')
        each.isGone = true
        held.delete(each)
      }
      // Who leaves says so itself.
      if (!this.#isEnding) onLetGo()
      await this.#tellLost(lost)
    }
  }

  async #tellLost(lost: readonly LostPlace[]): Promise<void> {
    if (lost.length === 0) return
    await within(this.#options.hooks.onLost?.(lost), NEVER_MS, this.#waiting.signal)
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error) => this.#options.onFailure(error))
  }

  #stopWaiting(): void {
    this.#waiting.abort()
    this.#waiting = new AbortController()
  }
}

function placeOf<K, V>({ topic, partition, tracker }: HeldPartition<K, V>) {
  return { topic, partition, offset: tracker.doneUpTo }
}

function tookTooLong<K, V>({ topic, partition }: HeldPartition<K, V>): SpoolError {
  return new SpoolError(
    'REBALANCE_IN_PROGRESS',
    `partition ${partition} of ${topic} was asked back, and what was in hand of it did not get done and committed in time (rebalanceTimeoutMs): it may be done twice`,
  )
}
