/**
 * Members that follow what `assignmentChange` says, against the group's own machine: whatever replies get
 * lost and whoever joins, leaves, hangs or is reset, a member never holds what the group thinks is
 * another's, and in the end every partition has one who holds it.
 */

import { expect, test } from 'vitest'
import type { MemberReply } from '../../../broker/groups/group-event.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { assignmentChange } from '../../../client/consumer/assignment-change.ts'
import { GroupRig } from '../../broker/groups/group-rig.ts'
import { SeededRandom } from '../../rigs/random.ts'

const PARTITIONS = 7
const TOPIC = 'orders'
const details = { topics: [TOPIC], sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 5_000 }

interface Held {
  readonly topicId: string
  readonly partition: number
  isLeaving: boolean
}

let members = 0

class SimulatedMember {
  readonly memberId = `member-${members++}`
  readonly #rig: GroupRig
  epoch = 0
  isJoined = false
  /** Since a reset, until it hears of it: its heartbeats and commits are refused. */
  isFenced = false
  held: Held[] = []

  constructor(rig: GroupRig) {
    this.#rig = rig
  }

  /** A join or a heartbeat, whose reply may be lost. */
  beat(isReplyLost: boolean): void {
    const { memberId, epoch: memberEpoch } = this
    try {
      const { reply } = this.isJoined
        ? this.#rig.do({ kind: 'heartbeat', memberId, memberEpoch, owned: this.#owned() })
        : this.#rig.do({ kind: 'join', memberId, details })
      if (!isReplyLost) this.#take(reply)
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      expect(['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID']).toContain(error.code)
      if (isReplyLost) return
      this.isJoined = false
      this.isFenced = false
      this.held = []
    }
  }

  letGo(random: SeededRandom): void {
    this.held = this.held.filter(({ isLeaving }) => !isLeaving || random.chance(0.5))
  }

  leave(): void {
    try {
      this.#rig.do({ kind: 'leave', memberId: this.memberId })
    } catch (error) {
      expect(error).toBeInstanceOf(SpoolError)
    }
  }

  #take({ memberEpoch, assignment }: MemberReply): void {
    this.epoch = memberEpoch
    this.isJoined = true
    this.isFenced = false
    const places = assignment.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((partition) => ({ topic, topicId, partition, offset: 0 })),
    )
    const { gained, askedBack } = assignmentChange(this.held, places)
    for (const each of askedBack) each.isLeaving = true
    for (const { topicId, partition } of gained) {
      this.held.push({ topicId, partition, isLeaving: false })
    }
  }

  #owned() {
    const [first] = this.held
    if (first === undefined) return []
    const partitions = this.held.map(({ partition }) => partition).sort((a, b) => a - b)
    return [{ topicId: first.topicId, partitions }]
  }
}

function checkOwners(rig: GroupRig, here: readonly SimulatedMember[]): void {
  for (const { memberId, held, isFenced } of here) {
    // Who was fenced does not know it yet: its commits are refused.
    if (isFenced || rig.group.member(memberId, rig.topics) === undefined) continue
    for (const { topicId, partition } of held) {
      expect(rig.group.ownerOf(topicId, partition)).toBe(memberId)
    }
  }
}

test('a member in the group holds nothing that is not its', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`assignment seed ${seed} (SEED=${seed} repeats it)`)
  const random = new SeededRandom(seed)
  for (let run = 0; run < 100; run++) {
    const rig = new GroupRig()
    rig.topics = rig.topics.with(TOPIC, PARTITIONS)
    let here = [new SimulatedMember(rig)]
    here[0]!.beat(false)
    for (let step = 0; step < 150; step++) {
      const member = random.pick(here)
      const chance = random.next()
      if (chance < 0.6) member.beat(random.chance(0.2))
      else if (chance < 0.8) member.letGo(random)
      else if (chance < 0.85 && here.length < 5) here.push(new SimulatedMember(rig))
      else if (chance < 0.88 && here.length > 1) {
        member.leave()
        here = here.filter((it) => it !== member)
      } else if (chance < 0.91) rig.crash()
      else if (chance < 0.93) {
        const to = { offset: 0 }
        const bounds = { logStartOffset: 0, logEndOffset: 100 }
        rig.do({ kind: 'reset', targets: [{ topic: TOPIC, partition: 0, to, ...bounds }] })
        for (const each of here) each.isFenced = true
      } else {
        rig.monotonicMs += random.below(4_000)
        rig.do({ kind: 'tick' })
      }
      checkOwners(rig, here)
    }
    for (let round = 0; round < 20; round++) {
      for (const member of here) {
        member.beat(false)
        member.held = member.held.filter(({ isLeaving }) => !isLeaving)
        checkOwners(rig, here)
      }
    }
    const held = here.flatMap(({ held }) => held.map(({ partition }) => partition))
    expect(held.sort((a, b) => a - b)).toEqual([...Array(PARTITIONS).keys()])
  }
})
