/**
 * What the assignors promise: every partition of a topic that somebody subscribes to has one owner, who
 * subscribes to it; the same question has the same answer; `uniform` is even and moves as little as it can;
 * `range` gives the same partition number of every topic to the same member.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type {
  Assignor,
  AssignorMember,
  AssignorQuestion,
  GroupAssignment,
} from '../../../broker/groups/assignors/assignor.ts'
import { assignRanges } from '../../../broker/groups/assignors/range.ts'
import { assignUniformly } from '../../../broker/groups/assignors/uniform.ts'
import type { GroupTopic } from '../../../broker/groups/group-topics.ts'

const ASSIGNORS: readonly (readonly [string, Assignor])[] = [
  ['uniform', assignUniformly],
  ['range', assignRanges],
]
const NOTHING: GroupAssignment = new Map()

/** Which topics each member subscribes to, as bits; the same bits are the same subscription. */
interface Wishes {
  readonly topics: readonly GroupTopic[]
  readonly subscriptions: ReadonlyMap<string, number>
}

function topicsOf(sizes: readonly number[], prefix = 't'): GroupTopic[] {
  return sizes.map((partitions, index) => ({
    name: `${prefix}${index}`,
    topicId: `id-${prefix}${index}`,
    partitions,
  }))
}

function questionOf({ topics, subscriptions }: Wishes, previous = NOTHING): AssignorQuestion {
  const shared = new Map<number, readonly GroupTopic[]>()
  const members = [...subscriptions].sort().map(([memberId, bits]): AssignorMember => {
    const subscribed = shared.get(bits) ?? topics.filter((_, index) => (bits >> index) & 1)
    shared.set(bits, subscribed)
    const before = previous.get(memberId) ?? []
    return { memberId, instanceId: null, topics: subscribed, previous: before }
  })
  const wanted = new Set(members.flatMap((member) => member.topics))
  return { members, topics: topics.filter((topic) => wanted.has(topic)) }
}

function ownersOf(assignment: GroupAssignment): Map<string, string> {
  const owners = new Map<string, string>()
  for (const [memberId, topics] of assignment) {
    for (const { topicId, partitions } of topics) {
      for (const partition of partitions) {
        const place = `${topicId}/${partition}`
        expect(owners.has(place), `${place} has two owners`).toBe(false)
        owners.set(place, memberId)
      }
    }
  }
  return owners
}

const countOf = (assignment: GroupAssignment, memberId: string) =>
  assignment.get(memberId)!.reduce((sum, { partitions }) => sum + partitions.length, 0)

/** Partitions that had an owner who is still there, and has another now. */
function movesBetween(before: GroupAssignment, after: GroupAssignment): number {
  const now = ownersOf(after)
  let moves = 0
  for (const [place, owner] of ownersOf(before)) {
    if (after.has(owner) && now.has(place) && now.get(place) !== owner) moves++
  }
  return moves
}

function expectComplete(question: AssignorQuestion, assignment: GroupAssignment): void {
  const owners = ownersOf(assignment)
  const subscribed = new Map(question.members.map((it) => [it.memberId, new Set(it.topics)]))
  let places = 0
  for (const topic of question.topics) {
    places += topic.partitions
    for (let partition = 0; partition < topic.partitions; partition++) {
      const owner = owners.get(`${topic.topicId}/${partition}`)
      expect(owner, `${topic.name}/${partition} has no owner`).toBeDefined()
      expect(subscribed.get(owner!)!.has(topic)).toBe(true)
    }
  }
  expect(owners.size).toBe(places)
}

function expectEven(question: AssignorQuestion, assignment: GroupAssignment): void {
  for (const alike of Map.groupBy(question.members, ({ topics }) => topics).values()) {
    const counts = alike.map(({ memberId }) => countOf(assignment, memberId))
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  }
}

const memberIds = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 12,
})
const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 })

const sharedWishes = fc.record({ memberIds, sizes }).map(({ memberIds, sizes }) => ({
  topics: topicsOf(sizes),
  subscriptions: new Map(memberIds.map((id) => [id, (1 << sizes.length) - 1])),
}))

const mixedWishes = fc
  .record({ memberIds, sizes, bits: fc.array(fc.nat(31), { minLength: 12, maxLength: 12 }) })
  .map(({ memberIds, sizes, bits }) => ({
    topics: topicsOf(sizes),
    subscriptions: new Map(memberIds.map((id, index) => [id, bits[index]!])),
  }))

/** The next wishes of a group: members come and go, topics grow, go and come. */
const nextWishes = fc.oneof(sharedWishes, mixedWishes)

for (const [name, assign] of ASSIGNORS) {
  test(`${name}: everything has one owner who wants it, before and after any change`, () => {
    fc.assert(
      fc.property(nextWishes, nextWishes, (first, second) => {
        const question = questionOf(first)
        const assignment = assign(question)
        expectComplete(question, assignment)
        const next = questionOf(second, assignment)
        expectComplete(next, assign(next))
      }),
    )
  })

  test(`${name}: the same question has the same answer, and asked again changes nothing`, () => {
    fc.assert(
      fc.property(nextWishes, nextWishes, (first, second) => {
        const before = assign(questionOf(first))
        const again = new Map([...second.subscriptions].reverse())
        const answer = assign(questionOf(second, before))
        expect(assign(questionOf({ ...second, subscriptions: again }, before))).toEqual(answer)
        const settled = assign(questionOf(second, answer))
        expect(movesBetween(answer, settled)).toBe(0)
      }),
    )
  })
}

test('uniform: members with the same subscription differ by one partition at most', () => {
  fc.assert(
    fc.property(nextWishes, nextWishes, (first, second) => {
      const question = questionOf(first)
      const assignment = assignUniformly(question)
      expectEven(question, assignment)
      const next = questionOf(second, assignment)
      expectEven(next, assignUniformly(next))
    }),
  )
})

test('uniform: a member that joins takes its share and nothing else moves', () => {
  fc.assert(
    fc.property(sharedWishes, (wishes) => {
      const before = assignUniformly(questionOf(wishes))
      const [bits] = wishes.subscriptions.values()
      const joined = {
        ...wishes,
        subscriptions: new Map(wishes.subscriptions).set('new one', bits!),
      }
      const after = assignUniformly(questionOf(joined, before))
      expect(movesBetween(before, after)).toBe(countOf(after, 'new one'))
    }),
  )
})

test('uniform: when a member leaves, only what it had moves', () => {
  fc.assert(
    fc.property(sharedWishes, fc.nat(), (wishes, which) => {
      const before = assignUniformly(questionOf(wishes))
      const ids = [...wishes.subscriptions.keys()]
      if (ids.length === 1) return
      const subscriptions = new Map(wishes.subscriptions)
      subscriptions.delete(ids[which % ids.length]!)
      const after = assignUniformly(questionOf({ ...wishes, subscriptions }, before))
      expect(movesBetween(before, after)).toBe(0)
    }),
  )
})

test('uniform: no assignment as even as this one would have kept more', () => {
  fc.assert(
    fc.property(sharedWishes, sharedWishes, (first, second) => {
      const before = assignUniformly(questionOf(first))
      const question = questionOf(second, before)
      const after = assignUniformly(question)
      // What each member could keep at best, given that so many members have one more than the least.
      const places = question.topics.reduce((sum, { partitions }) => sum + partitions, 0)
      const least = Math.floor(places / question.members.length)
      let larger = places % question.members.length
      const wanted = new Map(question.topics.map((topic) => [topic.topicId, topic.partitions]))
      const kept = question.members.map(({ previous }) =>
        previous.reduce(
          (sum, it) =>
            sum + it.partitions.filter((place) => place < (wanted.get(it.topicId) ?? 0)).length,
          0,
        ),
      )
      let keepable = 0
      for (const count of kept.sort((a, b) => b - a)) {
        keepable += Math.min(count, larger-- > 0 ? least + 1 : least)
      }
      const now = ownersOf(after)
      let stayed = 0
      for (const [place, owner] of ownersOf(before)) if (now.get(place) === owner) stayed++
      expect(stayed).toBe(keepable)
    }),
  )
})

test('uniform: a newcomer gets its share of every topic, not only of the last', () => {
  const topics = topicsOf([8, 8])
  const subscriptions = new Map([
    ['a', 3],
    ['b', 3],
  ])
  const before = assignUniformly(questionOf({ topics, subscriptions }))
  const joined = new Map(subscriptions).set('c', 3)
  const after = assignUniformly(questionOf({ topics, subscriptions: joined }, before))
  const shares = after.get('c')!.map(({ partitions }) => partitions.length)
  expect(shares).toHaveLength(2)
  expect(Math.min(...shares)).toBeGreaterThanOrEqual(2)
})

test('range: topics that are keyed alike are cut alike', () => {
  fc.assert(
    fc.property(memberIds, fc.integer({ min: 1, max: 30 }), (ids, partitions) => {
      const wishes = {
        topics: topicsOf([partitions, partitions, partitions]),
        subscriptions: new Map(ids.map((id) => [id, 7])),
      }
      for (const topics of assignRanges(questionOf(wishes)).values()) {
        const [first] = topics
        for (const topic of topics) expect(topic.partitions).toEqual(first!.partitions)
        expect(topics.length === 0 || topics.length === 3).toBe(true)
      }
    }),
  )
})

test('range: a newcomer comes last, so the runs keep their order', () => {
  const topics = topicsOf([6])
  const subscriptions = new Map([
    ['x', 1],
    ['y', 1],
  ])
  const before = assignRanges(questionOf({ topics, subscriptions }))
  const after = assignRanges(
    questionOf({ topics, subscriptions: new Map(subscriptions).set('a', 1) }, before),
  )
  expect([...after].map(([memberId, topics]) => [memberId, topics[0]!.partitions])).toEqual([
    ['a', [4, 5]],
    ['x', [0, 1]],
    ['y', [2, 3]],
  ])
})

test('a previous assignment with two owners, gone topics and partitions beyond the end does no harm', () => {
  const topics = topicsOf([3])
  const wishes = {
    topics,
    subscriptions: new Map([
      ['a', 1],
      ['b', 1],
    ]),
  }
  const twice = [
    { topicId: 'id-t0', partitions: [0, 1, 2, 9] },
    { topicId: 'gone', partitions: [0] },
  ]
  const previous: GroupAssignment = new Map([
    ['a', twice],
    ['b', twice],
  ])
  for (const [, assign] of ASSIGNORS) {
    const question = questionOf(wishes, previous)
    expectComplete(question, assign(question))
  }
})
