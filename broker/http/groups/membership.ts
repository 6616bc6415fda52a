/**
 * Being a member for as long as a connection lives: joins, heartbeats by itself, lets go of what is asked
 * back once that is done, joins again when it was fenced, and leaves (an instance: for a while). Tells its owner what it gained and
 * lost; which records are read where is `worker.ts`.
 *
 *     asked back ─► lost (no more records) ─┬ the last token is committed ──► let go of: others get it
 *                                           └ half of the rebalance time-out ───►
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { AssignedPartition } from '../../../client/api/schemas/groups.ts'
import type { Timer } from '../../../storage/clock.ts'
import type { BrokerContext } from '../../context.ts'
import type { JoinEvent, LeaveEvent, MemberReply } from '../../groups/group-event.ts'
import { REBALANCE_TIMEOUT_MS_DEFAULT } from '../../groups/group-limits.ts'
import { placeKey } from '../../groups/place-key.ts'
import { assignmentOf, byTopicId } from './assignment.ts'
import { signOfLifeMs } from './keep-alive.ts'

export interface MembershipOptions {
  readonly context: BrokerContext
  readonly groupId: string
  readonly join: JoinEvent
  /** How far tokens were given of a partition, as it is read on until the stream hears that it is lost. */
  given(partition: AssignedPartition): Given | undefined
}

export interface Given {
  /** The offset of the last token given: with it committed, all that was given is done. */
  readonly givenTo: number
}

export interface MembershipChange {
  readonly gained: readonly AssignedPartition[]
  readonly lost: readonly AssignedPartition[]
  /** The member was fenced and is a member again: everything begins anew at what is committed. */
  readonly isReset: boolean
}

/** Of its rebalance time-out a member takes at most so much to hand over what it lost. */
const HANDOVER_SHARE = 0.5
/** While it hands over, it looks so often whether that is done. */
const HANDOVER_LOOK_MS = 250

interface HandingOver {
  readonly partition: AssignedPartition
  /** `undefined`: nothing of it was read. */
  readonly given: Given | undefined
  readonly untilMs: number
}

export class Membership {
  readonly memberId: string
  memberEpoch: number
  /** Called after a change, and with what ended the membership. */
  onChange: (change: MembershipChange) => void = () => {}
  onEnd: (error: unknown) => void = () => {}
  readonly #options: MembershipOptions
  readonly #everyMs: number
  readonly #unsubscribe: () => void
  #held: Map<string, AssignedPartition>
  readonly #handingOver = new Map<string, HandingOver>()
  #timer: Timer | undefined
  #isBeating = false
  #isBeatDue = false
  #isOver = false

  private constructor(
    options: MembershipOptions,
    joined: MemberReply,
    assignment: readonly AssignedPartition[],
  ) {
    const { context, groupId } = options
    this.#options = options
    this.memberId = joined.memberId
    this.memberEpoch = joined.memberEpoch
    this.#held = byKey(assignment)
    this.#everyMs = signOfLifeMs(context, joined)
    this.#unsubscribe = context.groups.subscribe(groupId, joined.memberId, () => this.#beatNow())
    this.#beatLater()
  }

  /** Joins. @throws SpoolError as the group refuses. */
  static async join(options: MembershipOptions): Promise<Membership> {
    const { context, groupId, join } = options
    const joined = await context.groups.run(groupId, join)
    try {
      const assignment = await assignmentOf(context, groupId, joined.assignment)
      return new Membership(options, joined, assignment)
    } catch (error) {
      // Nobody will ever speak for that member: its partitions need not wait for its session to end.
      await context.groups.run(groupId, leaveOf(join, joined.memberId)).catch(() => {})
      throw error
    }
  }

  get held(): readonly AssignedPartition[] {
    return [...this.#held.values()]
  }

  /**
   * Leaves: its partitions go to others at once, or wait for the instance to come back. Never rejects: who can
   * not say it falls silent.
   */
  async leave(): Promise<void> {
    if (this.#isOver) return
    this.#end()
    const { context, groupId, join } = this.#options
    try {
      await context.groups.run(groupId, leaveOf(join, this.memberId))
    } catch (error) {
      context.logger.debug({ groupId, memberId: this.memberId, error }, 'a member fell silent')
    }
  }

  #end(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#unsubscribe()
  }

  #beatLater(): void {
    this.#timer?.cancel()
    if (this.#isOver) return
    const isHandingOver = this.#handingOver.size > 0
    const afterMs = isHandingOver ? Math.min(this.#everyMs, HANDOVER_LOOK_MS) : this.#everyMs
    this.#timer = this.#options.context.clock.after(afterMs, () => this.#beatNow())
  }

  /** One heartbeat after another; one that is due meanwhile follows. */
  #beatNow(): void {
    if (this.#isOver) return
    if (this.#isBeating) {
      this.#isBeatDue = true
      return
    }
    this.#isBeating = true
    this.#beat()
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#isBeating = false
        const isDue = this.#isBeatDue
        this.#isBeatDue = false
        if (isDue) this.#beatNow()
        else this.#beatLater()
      })
  }

  async #beat(): Promise<void> {
    await this.#handOver()
    const { context, groupId } = this.#options
    const owned = [...this.held, ...[...this.#handingOver.values()].map((each) => each.partition)]
    const { memberId, memberEpoch } = this
    const reply = await context.groups.run(groupId, {
      kind: 'heartbeat',
      memberId,
      memberEpoch,
      owned: byTopicId(owned),
    })
    await this.#take(reply)
  }

  async #take(reply: MemberReply): Promise<void> {
    const { context, groupId, given } = this.#options
    const assignment = byKey(await assignmentOf(context, groupId, reply.assignment))
    if (this.#isOver) return
    this.memberEpoch = reply.memberEpoch
    const gained = [...assignment].filter(([key]) => !this.#held.has(key))
    const lost = [...this.#held].filter(([key]) => !assignment.has(key))
    const untilMs = context.clock.monotonicMs() + this.#handoverMs
    for (const [key, partition] of lost) {
      this.#held.delete(key)
      this.#handingOver.set(key, { partition, given: given(partition), untilMs })
    }
    for (const [key, partition] of gained) {
      this.#held.set(key, partition)
      this.#handingOver.delete(key)
    }
    if (gained.length === 0 && lost.length === 0) return
    const partitions = (entries: typeof gained) => entries.map(([, partition]) => partition)
    this.onChange({ gained: partitions(gained), lost: partitions(lost), isReset: false })
    if (lost.length > 0) this.#isBeatDue = true
  }

  get #handoverMs(): number {
    const { rebalanceTimeoutMs } = this.#options.join.details
    return (rebalanceTimeoutMs ?? REBALANCE_TIMEOUT_MS_DEFAULT) * HANDOVER_SHARE
  }

  /** Lets go of what is done, or took too long. */
  async #handOver(): Promise<void> {
    if (this.#handingOver.size === 0) return
    const { context, groupId } = this.#options
    const { offsets } = await context.groups.run(groupId, {
      kind: 'fetchOffsets',
      partitions: [...this.#handingOver.values()].map(({ partition }) => partition),
    })
    const committed = new Map(offsets.map((each) => [placeKey(each), each]))
    const now = context.clock.monotonicMs()
    for (const [key, { given, untilMs, partition }] of this.#handingOver) {
      const reached = committed.get(key)?.offset ?? -1
      const isDone =
        given === undefined || given.givenTo <= Math.max(reached, partition.offset ?? 0)
      const isGone = context.groups.topics.byId(partition.topicId) === undefined
      if (isDone || isGone || now >= untilMs) this.#handingOver.delete(key)
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#isOver) return
    if (!(error instanceof SpoolError) || error.code !== 'FENCED_MEMBER_EPOCH') {
      // A disk that is full may have room again; the session says how long that may take.
      if (error instanceof SpoolError && error.retriable) return
      this.#end()
      this.onEnd(error)
      return
    }
    await this.#joinAgain().catch((failure) => {
      this.#end()
      this.onEnd(failure)
    })
  }

  async #joinAgain(): Promise<void> {
    const { context, groupId, join } = this.#options
    const { startAt: _begun, ...again } = join
    const joined = await context.groups.run(groupId, { ...again, memberId: this.memberId })
    const assignment = await assignmentOf(context, groupId, joined.assignment)
    if (this.#isOver) return
    const lost = this.held
    this.memberEpoch = joined.memberEpoch
    this.#held = byKey(assignment)
    this.#handingOver.clear()
    this.onChange({ gained: this.held, lost, isReset: true })
  }
}

/** A connection that ends is the end of a member, but of an instance it is a restart. */
function leaveOf({ instanceId }: JoinEvent, memberId: string): LeaveEvent {
  return { kind: 'leave', memberId, isTemporary: instanceId !== undefined }
}

function byKey(places: readonly AssignedPartition[]): Map<string, AssignedPartition> {
  return new Map(places.map((place) => [placeKey(place), place]))
}
