/**
 * A random history of a group, played move by move and checked after each: members are told and forget,
 * come late and with old epochs, lose replies, hoard and never come back, while topics come and go and the
 * broker dies. What must hold is `group-checks.ts`, except the last promise, which is about the end:
 * `orphan-partition`, once everybody behaves.
 */

import type { GroupEvent, MemberReply } from '../../../broker/groups/group-event.ts'
import type { TopicPartitions } from '../../../broker/groups/group-topics.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { GroupChecks } from './group-checks.ts'
import { GroupRig } from './group-rig.ts'

export const MEMBERS = ['m0', 'm1', 'm2', 'm3', 'm4'] as const
export const TOPICS = ['orders', 'clicks', 'orders-late'] as const
/** More rounds of heartbeats than any chain of moves among so few members can take. */
const SETTLING_ROUNDS = 20
/** Long enough, over all rounds, for the sessions of those that are away to end. */
const SETTLING_ROUND_MS = 600
const SESSION_MS = 10_000
const RETENTION_MS = 60_000

export type Move =
  | { readonly do: 'join'; readonly who: number; readonly wish: number; readonly static: boolean }
  | { readonly do: 'beat'; readonly who: number; readonly isLost: boolean; readonly stale: number }
  | { readonly do: 'hoard'; readonly who: number }
  | { readonly do: 'leave'; readonly who: number; readonly forAWhile: boolean }
  | { readonly do: 'token' | 'commit'; readonly which: number; readonly offset: number }
  | {
      readonly do: 'topic'
      readonly which: number
      readonly partitions: number
      /** The group is told; else it must find out by itself. */
      readonly isTold: boolean
    }
  | { readonly do: 'drop'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'reset'; readonly offset: number; readonly topic: number }
  | { readonly do: 'expire' | 'crash' | 'crashCompacted' }

const WISHES = [
  { topics: ['orders'] },
  { topics: ['clicks', 'orders'] },
  { topicPattern: 'orders.*' },
  { topics: ['clicks'], assignor: 'range' },
  { topics: ['orders', 'orders-late', 'clicks', 'not-there'], assignor: 'range' },
] as const

interface Told {
  readonly memberEpoch: number
  readonly owned: readonly TopicPartitions[]
}

export class GroupHistory {
  readonly #rig = new GroupRig({ sessionTimeoutMs: SESSION_MS, offsetsRetentionMs: RETENTION_MS })
  readonly #checks = new GroupChecks(this.#rig)
  readonly #told = new Map<string, Told>()

  play(move: Move): void {
    this.#perform(move)
    this.#checks.check()
  }

  /** Everybody behaves from here on: soon every partition somebody wants has an owner. */
  settle(): void {
    for (let round = 0; round < SETTLING_ROUNDS; round++) {
      for (const { memberId, memberEpoch } of this.#describe().members) {
        if (memberEpoch < 0) continue
        this.#beat(memberId, this.#told.get(memberId) ?? { memberEpoch: 0, owned: [] }, false)
        this.#checks.check()
      }
      this.#wait(SETTLING_ROUND_MS)
    }
    const group = this.#describe()
    if (group.members.length === 0) return
    if (group.state !== 'stable') throw new Error(`orphan-partition: the group is ${group.state}`)
    const matching = [...this.#rig.topics.names()].filter((name) => name.startsWith('orders'))
    const wanted = new Set(
      group.members.flatMap(({ topics, topicPattern }) => [
        ...topics,
        ...(topicPattern === null ? [] : matching),
      ]),
    )
    for (const { name, topicId, partitions } of this.#rig.topics.all()) {
      for (let partition = 0; partition < partitions; partition++) {
        const owner = this.#rig.group.ownerOf(topicId, partition)
        if ((owner !== undefined) === wanted.has(name)) continue
        throw new Error(`orphan-partition: ${name}/${partition} is with ${owner}`)
      }
    }
  }

  #perform(move: Move): void {
    switch (move.do) {
      case 'join':
        this.#join(MEMBERS[move.who]!, move.wish, move.static)
        break
      case 'beat':
        this.#late(MEMBERS[move.who]!, move.stale, move.isLost)
        break
      case 'hoard':
        this.#hoard(MEMBERS[move.who]!)
        break
      case 'leave':
        this.#try({ kind: 'leave', memberId: MEMBERS[move.who]!, isTemporary: move.forAWhile })
        break
      case 'token':
        this.#commitToken(move.which, move.offset)
        break
      case 'commit':
        this.#commitOffset(move.which, move.offset)
        break
      case 'topic':
        this.#growTopic(TOPICS[move.which]!, move.partitions, move.isTold)
        break
      case 'drop':
        this.#dropTopic(TOPICS[move.which]!)
        break
      case 'wait':
        this.#wait(move.ms)
        break
      case 'reset':
        this.#reset(TOPICS[move.topic]!, move.offset)
        break
      case 'expire':
        this.#rig.do({ kind: 'expireOffsets' })
        this.#checks.offsetsExpired()
        break
      case 'crash':
        this.#rig.crash()
        break
      case 'crashCompacted':
        this.#rig.log.splice(0, Number.POSITIVE_INFINITY, ...this.#rig.compactedLog())
        this.#rig.crash()
        break
    }
  }

  #join(memberId: string, wish: number, isStatic: boolean): void {
    const instance = isStatic ? { instanceId: 'instance' } : {}
    this.#hear(this.#try({ kind: 'join', memberId, ...instance, details: WISHES[wish]! }))
  }

  #hear(reply: MemberReply | undefined): void {
    if (reply === undefined) return
    this.#told.set(reply.memberId, toldBy(reply))
    this.#checks.joined(reply)
  }

  /** A heartbeat, perhaps with an epoch from before. */
  #late(memberId: string, stale: number, isLost: boolean): void {
    const told = this.#told.get(memberId)
    if (told === undefined) return
    this.#beat(memberId, { ...told, memberEpoch: Math.max(0, told.memberEpoch - stale) }, isLost)
  }

  #beat(memberId: string, { memberEpoch, owned }: Told, isLost: boolean): void {
    const reply = this.#try({ kind: 'heartbeat', memberId, memberEpoch, owned })
    if (reply !== undefined) {
      this.#checks.heartbeat(memberEpoch, owned, reply)
      if (!isLost) this.#told.set(memberId, toldBy(reply))
    } else if (!isLost && this.#rig.group.member(memberId, this.#rig.topics) !== undefined) {
      // Told to let go of everything, it joins again as it was.
      this.#hear(this.#try({ kind: 'join', memberId, details: this.#detailsOf(memberId) }))
    }
  }

  /** A heartbeat of a member that lets go of nothing. */
  #hoard(memberId: string): void {
    const memberEpoch = this.#told.get(memberId)?.memberEpoch
    if (memberEpoch === undefined) return
    const reply = this.#try({ kind: 'heartbeat', memberId, memberEpoch, owned: null })
    if (reply !== undefined) this.#checks.heartbeat(memberEpoch, null, reply)
  }

  #commitToken(which: number, offset: number): void {
    const token = this.#checks.token(which)
    if (token === undefined) return
    const reply = this.#try({ kind: 'commitTokens', tokens: [{ ...token, offset }] })
    if (reply !== undefined && reply.results[0]!.error === undefined) {
      this.#checks.committedByToken(token, offset)
    }
  }

  #commitOffset(which: number, offset: number): void {
    const token = this.#checks.token(which)
    const topic = token && this.#rig.topics.byId(token.topicId)
    if (token === undefined || topic === undefined) return
    const { memberId, memberEpoch, partition } = token
    const isMember = this.#rig.group.memberCount > 0
    const reply = this.#try({
      kind: 'commitOffsets',
      offsets: [{ topic: topic.name, partition, offset }],
      ...(isMember ? { member: { memberId, memberEpoch } } : {}),
    })
    if (reply !== undefined && reply.results[0]!.error === undefined) {
      this.#checks.committedByOffset(token, offset, isMember)
    }
  }

  #growTopic(name: string, partitions: number, isTold: boolean): void {
    const now = this.#rig.topics.byName(name)?.partitions ?? 0
    const grown = Math.max(now, partitions)
    if (isTold) this.#rig.createTopic(name, grown)
    else this.#rig.topics = this.#rig.topics.with(name, grown)
  }

  #dropTopic(name: string): void {
    const topicId = this.#rig.topics.byName(name)?.topicId
    this.#rig.deleteTopic(name)
    if (topicId !== undefined) this.#checks.topicDeleted(topicId)
  }

  #reset(name: string, offset: number): void {
    const topic = this.#rig.topics.byName(name)
    if (topic === undefined || this.#rig.group.isGone) return
    const targets = Array.from({ length: topic.partitions }, (_, partition) => ({
      topic: name,
      partition,
      to: { offset },
      logStartOffset: 10,
      logEndOffset: 1_000,
    }))
    const preview = this.#rig.do({ kind: 'reset', targets, dryRun: true })
    const step = this.#rig.do({ kind: 'reset', targets })
    if (
      JSON.stringify(preview.reply) !== JSON.stringify(step.reply) ||
      preview.records.length > 0
    ) {
      throw new Error('a preview is not what the reset did')
    }
    this.#checks.reset(topic.topicId, step.reply.partitions)
  }

  #wait(ms: number): void {
    for (const _ of this.#rig.passUntil(this.#rig.monotonicMs + ms)) this.#checks.check()
  }

  /** Refusals are part of life; anything else is not. Deciding alone must change nothing. */
  #try<E extends GroupEvent>(event: E) {
    const before = this.#checks.fingerprint()
    let isRefused = false
    try {
      this.#rig.group.handle(event, this.#rig.moment)
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      isRefused = true
    }
    if (this.#checks.fingerprint() !== before) {
      throw new Error(`deciding ${event.kind} changed the state`)
    }
    return isRefused ? undefined : this.#rig.do(event).reply
  }

  #detailsOf(memberId: string) {
    const { members } = this.#describe()
    const { topics, topicPattern } = members.find((it) => it.memberId === memberId)!
    return { topics, ...(topicPattern === null ? {} : { topicPattern }) }
  }

  #describe() {
    return this.#rig.group.describe(this.#rig.topics)
  }
}

function toldBy({ memberEpoch, assignment }: MemberReply): Told {
  return { memberEpoch, owned: assignment }
}
