/**
 * What a pattern finds is always looked up before a group decides: in pieces, so that nobody is held up, whether
 * the topics came, the broker was started, or a heartbeat was faster than either.
 */

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { GroupTopics, TopicPatterns } from '../../../broker/groups/group-topics.ts'
import { Re2Patterns } from '../../../broker/groups/re2-patterns.ts'
import { settled } from '../partition/serving.ts'
import { CoordinatorRig } from './coordinator-rig.ts'

/** Counts what is looked up at once because nothing was prepared. */
class WatchedPatterns implements TopicPatterns {
  held = 0
  lookups = 0
  #patterns = new Re2Patterns()
  readonly #prepared = new Map<string, GroupTopics>()

  problem(pattern: string): string | undefined {
    return this.#patterns.problem(pattern)
  }

  matching(pattern: string, topics: GroupTopics): readonly string[] {
    this.lookups++
    if (this.#prepared.get(pattern) !== topics) this.held++
    return this.#patterns.matching(pattern, topics)
  }

  async prepare(pattern: string, topics: GroupTopics): Promise<void> {
    // As long as a thousand topics would take.
    await new Promise((resolve) => setImmediate(resolve))
    await this.#patterns.prepare(pattern, topics)
    this.#prepared.set(pattern, topics)
  }

  /** As after a start. */
  forget(): void {
    this.#prepared.clear()
    this.#patterns = new Re2Patterns()
  }
}

const GROUPS = ['g', 'h', 'i']
let patterns: WatchedPatterns
let rig: CoordinatorRig
beforeEach(async () => {
  patterns = new WatchedPatterns()
  rig = new CoordinatorRig({ patterns })
  rig.put('orders', 2)
  await rig.open()
  for (const group of GROUPS) await rig.durably(joinBy(group, `${group}.*|orders.*`))
  patterns.lookups = 0
})
afterEach(() => rig.groups.close())

function joinBy(group: string, topicPattern: string) {
  return rig.groups.run(group, { kind: 'join', memberId: 'm', details: { topicPattern } })
}

test('when topics come, before groups are told and before a heartbeat that is faster', async () => {
  for (let index = 0; index < 5; index++) {
    rig.put(`orders-${index}`, 1)
    rig.groups.topicsChanged()
    const heartbeats = GROUPS.map(async (group) => {
      const { memberEpoch } = await rig.groups.member(group, 'm')
      const beat = { kind: 'heartbeat', memberId: 'm', memberEpoch, owned: null } as const
      return await rig.groups.run(group, beat)
    })
    for (const { assignment } of await rig.durably(Promise.all(heartbeats))) {
      expect(assignment.map(({ topic }) => topic)).toContain(`orders-${index}`)
    }
    // Until groups are told: what comes meanwhile is looked up at once, and is little.
    for (let turns = 0; turns < 20; turns++) await rig.durably(settled())
  }
  expect(patterns.lookups).toBeGreaterThan(0)
  expect(patterns.held).toBe(0)
})

test('after a start, before the groups that were loaded look at the topics', async () => {
  // The log ends in what is not durable yet, so that loading takes a while.
  const pending = joinBy('i', 'orders.*')
  const endsAt = rig.log().logEndOffset
  while (rig.log().logEndOffset === endsAt) await settled()
  rig.groups.close()
  patterns.forget()
  rig.put('orders-later', 1)
  const again = rig.coordinator()
  again.open()
  for (let turns = 0; turns < 5; turns++) await settled()
  await rig.durably(again.whenLoaded())
  await pending
  const found = async () => (await again.describe('i')).members[0]!.target.map(({ topic }) => topic)
  while (!(await rig.durably(found())).includes('orders-later')) await rig.durably(settled())
  expect(patterns.lookups).toBeGreaterThan(0)
  expect(patterns.held).toBe(0)
  again.close()
})
