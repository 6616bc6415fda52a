/**
 * A decision while it is being made. Each record it leads to is applied to the group's state at once, so
 * that what is decided next is decided on what a replay would see; at the end everything is taken back,
 * and the records are what remains. `accept` applies them again once they are in the log.
 *
 *     state ──put──▶ state' ──put──▶ state''     records: [r1, r2]
 *       ▲                              │
 *       └──────────── undo ────────────┘
 *
 * Without the records of a decision nothing of it is left, so a refused or failed one changes nothing.
 */

import type { GroupMoment, TimerChange } from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import type { GroupState, MemberCurrent } from './group-state.ts'
import type { TopicPatterns } from './group-topics.ts'
import { eachPartition, toRecord } from './partition-epochs.ts'
import type { GroupRecord, OffsetCommitValue } from './records/group-record.ts'

export interface DraftOptions {
  readonly state: GroupState
  readonly moment: GroupMoment
  readonly limits: GroupLimits
  readonly patterns: TopicPatterns
  /** The version of the topics that the target was last held against; `undefined` after a load. */
  readonly seenTopicsVersion: number | undefined
}

export class GroupDraft {
  readonly state: GroupState
  readonly moment: GroupMoment
  readonly limits: GroupLimits
  readonly patterns: TopicPatterns
  readonly #seenTopicsVersion: number | undefined
  readonly records: GroupRecord[] = []
  readonly timers: TimerChange[] = []
  readonly #before: { readonly record: GroupRecord; readonly timestampMs: number }[] = []

  constructor({ state, moment, limits, patterns, seenTopicsVersion }: DraftOptions) {
    this.state = state
    this.moment = moment
    this.limits = limits
    this.patterns = patterns
    this.#seenTopicsVersion = seenTopicsVersion
  }

  /** Whether the target may be of other topics, or behind the epoch. */
  get mayBeStale(): boolean {
    const { state, moment } = this
    const isBehind = state.targetEpoch < state.groupEpoch
    return isBehind || moment.topics.version !== this.#seenTopicsVersion
  }

  put(record: GroupRecord): void {
    if (record.kind === 'groupEpoch' && record.value !== null) {
      assertRise(this.state, record.value.epoch)
    }
    this.#before.push(this.state.present(record))
    this.state.apply(record, this.moment.wallMs)
    this.records.push(record)
  }

  putCurrent(memberId: string, current: MemberCurrent): void {
    assertSoleOwner(this.state, memberId, current)
    const { memberEpoch, previousMemberEpoch, state, assigned, revoking } = current
    this.put({
      kind: 'currentAssignment',
      groupId: this.state.groupId,
      memberId,
      value: {
        memberEpoch,
        previousMemberEpoch,
        state,
        assignedPartitions: toRecord(assigned),
        partitionsPendingRevocation: toRecord(revoking),
      },
    })
  }

  putOffset(topic: string, partition: number, value: OffsetCommitValue | null): void {
    const { groupId } = this.state
    this.put({ kind: 'offsetCommit', groupId, topic, partition, value })
  }

  setTimer(memberId: string, timer: TimerChange['timer'], delayMs: number | undefined): void {
    const dueMs = delayMs === undefined ? undefined : this.moment.monotonicMs + delayMs
    this.timers.push({ memberId, timer, dueMs })
  }

  undo(): void {
    for (const { record, timestampMs } of this.#before.reverse()) {
      this.state.apply(record, timestampMs)
    }
    this.#before.length = 0
  }
}

function assertRise({ groupId, groupEpoch }: GroupState, epoch: number): void {
  if (epoch > groupEpoch) return
  throw new Error(`the epoch of group ${groupId} would go from ${groupEpoch} to ${epoch}`)
}

/** One partition has one owner. */
function assertSoleOwner(state: GroupState, memberId: string, current: MemberCurrent): void {
  for (const held of [current.assigned, current.revoking]) {
    for (const [topicId, partition] of eachPartition(held)) {
      const owner = state.owner(topicId, partition)
      if (owner === undefined || owner === memberId) continue
      throw new Error(
        `group ${state.groupId}: partition ${partition} of ${topicId} would go to ${memberId} while ${owner} has it`,
      )
    }
  }
}
