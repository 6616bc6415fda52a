/**
 * What must hold of a group at every moment, as a checker that is told what was done and looks at what is:
 * the anomalies by name (`double-owner`, `zombie-commit`, `committed-offset-regression`, `epoch-fall`), that
 * decisions change nothing, and that the log alone brings the group back. Its model is independent of the
 * machine: what each member was told and has let go of, which tokens were ever given out, what is committed.
 */

import type { CommitToken, MemberReply } from '../../../broker/groups/group-event.ts'
import { bytesOf } from '../../../broker/groups/group-memory.ts'
import type { TopicPartitions } from '../../../broker/groups/group-topics.ts'
import type {
  CurrentAssignmentValue,
  GroupRecord,
} from '../../../broker/groups/records/group-record.ts'
import { encodeGroupRecord } from '../../../broker/groups/records/record-codec.ts'
import type { GroupRig } from './group-rig.ts'

const PROBE_OFFSET = Number.MAX_SAFE_INTEGER

export class GroupChecks {
  readonly #rig: GroupRig
  /** Every token a member could have been given, good or not. */
  #tokens: CommitToken[] = []
  /** Tokens of partitions that their members lost, or from before a reset: never good again. */
  readonly #dead = new Set<string>()
  /** What is committed, by what was answered. */
  readonly #offsets = new Map<string, number>()
  /** What the group must believe each member to hold: told to it, and not let go of in a heartbeat since. */
  readonly #claims = new Map<string, Set<string>>()
  #resetEpoch = 0
  #epochs = { group: 0, target: 0, members: new Map<string, number>() }

  constructor(rig: GroupRig) {
    this.#rig = rig
  }

  /** One of the tokens ever given out. */
  token(which: number): CommitToken | undefined {
    return this.#tokens[which % Math.max(1, this.#tokens.length)]
  }

  joined({ memberId, assignment }: MemberReply): void {
    this.#claims.set(memberId, placesOf(assignment))
  }

  heartbeat(
    memberEpoch: number,
    owned: readonly TopicPartitions[] | null,
    { memberId, assignment }: MemberReply,
  ): void {
    if (memberEpoch < this.#resetEpoch) {
      throw new Error(`zombie-heartbeat: ${memberId}@${memberEpoch}, reset at ${this.#resetEpoch}`)
    }
    const claimed = owned === null ? (this.#claims.get(memberId) ?? []) : placesOf(owned)
    this.#claims.set(memberId, new Set([...claimed, ...placesOf(assignment)]))
  }

  committedByToken(token: CommitToken, offset: number): void {
    if (this.#dead.has(keyOf(token))) throw new Error(`zombie-commit: ${keyOf(token)} was taken`)
    const place = placeOf(token)
    this.#offsets.set(place, Math.max(this.#offsets.get(place) ?? 0, offset))
  }

  /** `isMember`: with the token's member and epoch, not as somebody without membership. */
  committedByOffset(token: CommitToken, offset: number, isMember: boolean): void {
    if (isMember && this.#dead.has(keyOf(token))) {
      throw new Error(`zombie-commit: ${keyOf(token)} was taken by offset`)
    }
    this.#offsets.set(placeOf(token), offset)
  }

  reset(topicId: string, partitions: readonly { partition: number; to: number | null }[]): void {
    for (const token of this.#tokens) this.#dead.add(keyOf(token))
    this.#claims.clear()
    this.#resetEpoch = this.#rig.group.describe(this.#rig.topics).groupEpoch
    for (const { partition, to } of partitions) {
      this.#offsets.set(placeOf({ topicId, partition }), to!)
    }
  }

  topicDeleted(topicId: string): void {
    for (const place of this.#offsets.keys()) {
      if (place.startsWith(topicId)) this.#offsets.delete(place)
    }
  }

  /** Whatever retention left is what is committed. */
  offsetsExpired(): void {
    const left = this.#committed()
    for (const place of this.#offsets.keys()) if (!left.has(place)) this.#offsets.delete(place)
  }

  /** To be called after every step. */
  check(): void {
    this.#noteTokens()
    this.#checkOwners()
    this.#checkClaims()
    this.#checkEpochs()
    this.#checkCommits()
    this.#checkReplay()
    this.#checkBytes()
  }

  fingerprint(): string {
    return fingerprint(this.#rig.group.presentRecords())
  }

  currents(): [string, CurrentAssignmentValue][] {
    return this.#rig.group
      .presentRecords()
      .flatMap((record): [string, CurrentAssignmentValue][] =>
        record.kind === 'currentAssignment' ? [[record.memberId, record.value!]] : [],
      )
  }

  /** What each member may be given tokens for now; and which tokens are over, because it lost the partition. */
  #noteTokens(): void {
    if (this.#rig.group.isGone) {
      this.#tokens = []
      this.#dead.clear()
      this.#epochs = { group: 0, target: 0, members: new Map() }
      this.#resetEpoch = 0
      return
    }
    const held = new Set<string>()
    const known = new Set(this.#tokens.map(keyOf))
    for (const [memberId, value] of this.currents()) {
      for (const [topicId, partition] of partitionsOf(value)) {
        held.add(`${memberId} ${topicId} ${partition}`)
        const token = { topicId, partition, offset: 0, memberId, memberEpoch: value.memberEpoch }
        if (value.memberEpoch >= 0 && !known.has(keyOf(token))) this.#tokens.push(token)
      }
    }
    for (const token of this.#tokens) {
      const { memberId, topicId, partition } = token
      if (!held.has(`${memberId} ${topicId} ${partition}`)) this.#dead.add(keyOf(token))
    }
  }

  #checkOwners(): void {
    const owners = new Map<string, string>()
    for (const [memberId, value] of this.currents()) {
      for (const [topicId, partition, epoch] of partitionsOf(value)) {
        const place = placeOf({ topicId, partition })
        const other = owners.get(place)
        if (other !== undefined) throw new Error(`double-owner: ${other}, ${memberId} of ${place}`)
        owners.set(place, memberId)
        if (this.#rig.group.ownerOf(topicId, partition) !== memberId) {
          throw new Error(`double-owner: the index says otherwise of ${place}`)
        }
        if (value.memberEpoch >= 0 && epoch > value.memberEpoch) {
          throw new Error(`${place} came to ${memberId} at ${epoch}, beyond ${value.memberEpoch}`)
        }
      }
    }
  }

  /** Nobody has what a member that is there, and not away, has not let go of. */
  #checkClaims(): void {
    const present = new Map(this.currents())
    for (const [memberId, claims] of this.#claims) {
      const current = present.get(memberId)
      if (current === undefined || current.memberEpoch < 0) {
        this.#claims.delete(memberId)
        continue
      }
      for (const place of claims) {
        const [topicId = '', partition] = place.split(' ')
        const owner = this.#rig.group.ownerOf(topicId, Number(partition))
        if (owner === undefined || owner === memberId) continue
        throw new Error(`double-owner: ${owner} has ${place}, which ${memberId} did not let go of`)
      }
    }
  }

  #checkEpochs(): void {
    const { groupEpoch, targetEpoch } = this.#rig.group.describe(this.#rig.topics)
    const before = this.#epochs
    if (groupEpoch < before.group || targetEpoch < before.target || targetEpoch !== groupEpoch) {
      throw new Error(`epoch-fall: ${groupEpoch}, ${targetEpoch} after ${before.group}`)
    }
    const members = new Map<string, number>()
    for (const [memberId, { memberEpoch }] of this.currents()) {
      if (memberEpoch >= 0 && memberEpoch < (before.members.get(memberId) ?? 0)) {
        throw new Error(`epoch-fall: of ${memberId} to ${memberEpoch}`)
      }
      if (memberEpoch > groupEpoch) throw new Error(`${memberId} is beyond its group`)
      members.set(memberId, Math.max(memberEpoch, 0))
    }
    this.#epochs = { group: groupEpoch, target: targetEpoch, members }
  }

  /** Asks the machine, which changes nothing by it, who could commit what. */
  #checkCommits(): void {
    const expected = JSON.stringify([...this.#offsets].sort())
    const actual = JSON.stringify([...this.#committed()].sort())
    if (actual !== expected) {
      throw new Error(`committed-offset-regression: ${actual} is not ${expected}`)
    }
    if (this.#rig.group.isGone) return
    const before = this.fingerprint()
    const takers = new Map<string, string>()
    const tokens = this.#tokens.map((token) => ({ ...token, offset: PROBE_OFFSET }))
    const { reply } = this.#rig.group.handle({ kind: 'commitTokens', tokens }, this.#rig.moment)
    for (const [index, { error }] of reply.results.entries()) {
      if (error !== undefined) continue
      const token = tokens[index]!
      if (this.#dead.has(keyOf(token))) throw new Error(`zombie-commit: ${keyOf(token)} would pass`)
      const other = takers.get(placeOf(token))
      if (other !== undefined && other !== token.memberId) {
        throw new Error(`double-owner: ${other} and ${token.memberId} may commit ${placeOf(token)}`)
      }
      takers.set(placeOf(token), token.memberId)
    }
    if (this.fingerprint() !== before) throw new Error('a decision changed the state')
  }

  /** What is counted step by step is what there is. */
  #checkBytes(): void {
    const { group } = this.#rig
    const held = group.presentRecords().reduce((sum, record) => sum + bytesOf(record), 0)
    if (group.heldBytes !== held) {
      throw new Error(`the group says that it takes ${group.heldBytes} bytes, and takes ${held}`)
    }
  }

  #checkReplay(): void {
    const live = this.fingerprint()
    for (const log of [this.#rig.log, this.#rig.compactedLog()]) {
      if (fingerprint(this.#rig.replayed(log).presentRecords()) !== live) {
        throw new Error('the log does not bring the group back')
      }
    }
  }

  #committed(): Map<string, number> {
    if (this.#rig.group.isGone) return new Map()
    const { offsets } = this.#rig.group.handle({ kind: 'fetchOffsets' }, this.#rig.moment).reply
    return new Map(offsets.map((it) => [placeOf(it), it.offset]))
  }
}

function fingerprint(records: readonly GroupRecord[]): string {
  return records
    .map(encodeGroupRecord)
    .map(({ key, value }) => `${key.toString('latin1')} ${value?.toString('latin1')}`)
    .join('\n')
}

function* partitionsOf(
  value: CurrentAssignmentValue,
): Iterable<[topicId: string, partition: number, epoch: number]> {
  for (const topics of [value.assignedPartitions, value.partitionsPendingRevocation]) {
    for (const { topicId, partitions, assignmentEpochs } of topics) {
      for (const [index, partition] of partitions.entries()) {
        yield [topicId, partition, assignmentEpochs![index]!]
      }
    }
  }
}

function placesOf(topics: readonly TopicPartitions[]): Set<string> {
  return new Set(
    topics.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => placeOf({ topicId, partition })),
    ),
  )
}

function placeOf({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId} ${partition}`
}

function keyOf({ memberId, memberEpoch, topicId, partition }: CommitToken): string {
  return `${memberId}@${memberEpoch} ${topicId} ${partition}`
}
