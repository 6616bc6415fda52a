/**
 * A group with everything around it in memory: a clock that the test moves, topics it makes and drops, and
 * a log that holds the bytes of every batch, so that `crash` builds the group anew from exactly what a
 * coordinator would read. `do` is what a coordinator does with an event.
 */

import { Group } from '../../../broker/groups/group.ts'
import type {
  GroupEvent,
  GroupMoment,
  GroupReplies,
  GroupStep,
} from '../../../broker/groups/group-event.ts'
import { DEFAULT_GROUP_LIMITS, type GroupLimits } from '../../../broker/groups/group-limits.ts'
import type { GroupTopic, GroupTopics } from '../../../broker/groups/group-topics.ts'
import { Re2Patterns } from '../../../broker/groups/re2-patterns.ts'
import {
  decodeGroupRecord,
  encodeGroupRecord,
} from '../../../broker/groups/records/record-codec.ts'

export const GROUP_ID = 'workers'
const START_MS = Date.UTC(2024, 0, 1)

interface LoggedBatch {
  readonly timestampMs: number
  readonly records: readonly { readonly key: Buffer; readonly value: Buffer | null }[]
}

/** An immutable picture of topics; `with` makes the next one. */
export class TopicPicture implements GroupTopics {
  readonly version: number
  readonly #byName: ReadonlyMap<string, GroupTopic>

  constructor(byName: ReadonlyMap<string, GroupTopic> = new Map(), version = 1) {
    this.#byName = byName
    this.version = version
  }

  with(name: string, partitions: number): TopicPicture {
    const topicId = this.byName(name)?.topicId ?? topicIdOf(name, this.version)
    const next = new Map(this.#byName).set(name, { name, topicId, partitions })
    return new TopicPicture(next, this.version + 1)
  }

  without(name: string): TopicPicture {
    const next = new Map(this.#byName)
    next.delete(name)
    return new TopicPicture(next, this.version + 1)
  }

  byName(name: string): GroupTopic | undefined {
    return this.#byName.get(name)
  }

  byId(topicId: string): GroupTopic | undefined {
    for (const topic of this.#byName.values()) if (topic.topicId === topicId) return topic
    return undefined
  }

  names(): Iterable<string> {
    return this.#byName.keys()
  }

  all(): Iterable<GroupTopic> {
    return this.#byName.values()
  }
}

/** Another id for every creation, and the same one in every run. */
function topicIdOf(name: string, version: number): string {
  const hex = Buffer.from(name.padEnd(8, '.')).toString('hex').slice(0, 16)
  const tail = version.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-8000-${tail}`
}

export class GroupRig {
  group: Group
  topics = new TopicPicture()
  readonly log: LoggedBatch[] = []
  readonly limits: GroupLimits
  readonly #patterns = new Re2Patterns()
  monotonicMs = 0

  constructor(limits: Partial<GroupLimits> = {}) {
    this.limits = { ...DEFAULT_GROUP_LIMITS, ...limits }
    this.group = this.#newGroup()
  }

  get moment(): GroupMoment {
    const { monotonicMs, topics } = this
    return { monotonicMs, wallMs: START_MS + monotonicMs, topics }
  }

  /** Decides, appends and accepts. */
  do<E extends GroupEvent>(event: E): GroupStep<GroupReplies[E['kind']]> {
    const step = this.group.handle(event, this.moment)
    if (step.records.length > 0) {
      this.log.push({ timestampMs: step.timestampMs, records: step.records.map(encodeGroupRecord) })
    }
    this.group.accept(step)
    if (this.group.isGone) this.group = this.#newGroup()
    return step
  }

  /** Ticks at every deadline until `untilMs`, as a coordinator's timer would, and stands there. */
  *passUntil(untilMs: number): Iterable<GroupStep<GroupReplies['tick']>> {
    for (;;) {
      const due = this.group.nextDeadlineMs
      if (due === undefined || due > untilMs) break
      this.monotonicMs = Math.max(this.monotonicMs, due)
      yield this.do({ kind: 'tick' })
      const next = this.group.nextDeadlineMs
      if (next !== undefined && next <= this.monotonicMs) {
        throw new Error(`a tick at ${this.monotonicMs} left a deadline at ${next}`)
      }
    }
    this.monotonicMs = untilMs
  }

  createTopic(name: string, partitions: number): GroupStep {
    this.topics = this.topics.with(name, partitions)
    return this.do({ kind: 'topicsChanged' })
  }

  deleteTopic(name: string): GroupStep[] {
    const topic = this.topics.byName(name)
    if (topic === undefined) return []
    const forgotten = this.do({ kind: 'deleteTopic', topic: name, topicId: topic.topicId })
    this.topics = this.topics.without(name)
    return [forgotten, this.do({ kind: 'topicsChanged' })]
  }

  /** The broker dies and comes back: the group is what the log says, and sessions begin anew. */
  crash(): GroupStep {
    this.group = this.replayed()
    this.group.loaded(this.moment)
    return this.do({ kind: 'topicsChanged' })
  }

  /** What a load of the log makes of the group, before its sessions begin. */
  replayed(log: readonly LoggedBatch[] = this.log): Group {
    const group = this.#newGroup()
    for (const { timestampMs, records } of log) {
      for (const { key, value } of records)
        group.replay(decodeGroupRecord(key, value)!, timestampMs)
    }
    return group
  }

  /** The log as compaction would leave it: the last record of each key, tombstones gone. */
  compactedLog(): LoggedBatch[] {
    const last = new Map<string, number>()
    const flat = this.log.flatMap(({ timestampMs, records }) =>
      records.map((record) => ({ timestampMs, records: [record] })),
    )
    for (const [index, { records }] of flat.entries())
      last.set(records[0]!.key.toString('hex'), index)
    return flat.filter(({ records: [record] }, index) => {
      return last.get(record!.key.toString('hex')) === index && record!.value !== null
    })
  }

  #newGroup(): Group {
    return new Group({ groupId: GROUP_ID, limits: this.limits, patterns: this.#patterns })
  }
}
