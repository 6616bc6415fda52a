/** Promises of the picture of the cluster and of the differences between two of them. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClusterImage, differenceOf } from '../../../broker/cluster/cluster-image.ts'
import { parseTopicEntry } from '../../../broker/cluster/metadata-keys.ts'

const empty = ClusterImage.empty({
  clusterId: 'c',
  nodeId: 7,
  brokerEpoch: 3,
  leaderEpochOf: (_topic, partition) => partition + 10,
})

let version = 0
const topic = (name: string, over: object = {}) => ({
  key: `topics/${name}`,
  value: JSON.stringify({
    topicId: `${name}-id`,
    state: 'active',
    partitions: 2,
    replicationFactor: 1,
    config: {},
    ...over,
  }),
  version: ++version,
})
const gone = (name: string) => ({ key: `topics/${name}`, value: null })

describe('an image', () => {
  test('shows topics, brokers, and this broker as leader and only replica', () => {
    const broker = { key: 'brokers/7', value: '{"brokerEpoch":3,"url":"http://x"}', version: 1 }
    const image = empty.with([topic('a'), broker])
    expect(image.partition('a', 1)).toEqual({
      leader: 7,
      leaderEpoch: 11,
      replicas: [7],
      inSyncReplicas: [7],
    })
    for (const partition of [-1, 2, 0.5]) expect(image.partition('a', partition)).toBeUndefined()
    expect(image.brokers.get(7)).toEqual({ nodeId: 7, brokerEpoch: 3, url: 'http://x' })
  })

  test('does not show a topic that is being created or deleted', () => {
    const image = empty.with([topic('a', { state: 'creating' }), topic('b', { state: 'deleting' })])
    expect(image.activeTopic('a')).toBeUndefined()
    expect(image.partition('b', 0)).toBeUndefined()
    expect(image.topics.size).toBe(2)
  })

  test('names entries that make no sense and is otherwise unharmed by them', () => {
    const before = empty.with([topic('a'), topic('b')])
    const image = before.with([
      { key: 'topics/a', value: '{"garbage":', version: 1 },
      { key: 'topics/../x', value: topic('x').value, version: 1 },
      { key: 'brokers/one', value: '{"brokerEpoch":1,"url":"u"}', version: 1 },
    ])
    expect([...image.problems.keys()].sort()).toEqual(['brokers/one', 'topics/../x', 'topics/a'])
    // What was known stays in force: nobody deletes data because of garbage.
    expect(image.activeTopic('a')).toBe(before.activeTopic('a'))
    expect(image.with([topic('a')]).problems.has('topics/a')).toBe(false)
  })

  test('keeps what did not change as the same objects', () => {
    const before = empty.with([topic('a'), topic('b')])
    const after = before.with([topic('b', { partitions: 5 })])
    expect(after.activeTopic('a')).toBe(before.activeTopic('a'))
    expect(before.activeTopic('b')?.partitions).toBe(2)
  })
})

describe('a difference', () => {
  test('has a topic created anew as gone and as new', () => {
    const before = empty.with([topic('a')])
    const { removed, added, changed } = differenceOf(
      before,
      before.with([topic('a', { topicId: 'z' })]),
    )
    expect(removed.map((one) => one.topicId)).toEqual(['a-id'])
    expect(added.map((one) => one.topicId)).toEqual(['z'])
    expect(changed).toEqual([])
  })

  test('leads from any picture to any other', () => {
    const state = fc.constantFrom('creating', 'active', 'deleting')
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      over: fc.option(
        fc.record({
          state,
          topicId: fc.constantFrom('1', '2'),
          partitions: fc.integer({ min: 1, max: 4 }),
        }),
      ),
    })
    const world = fc.array(step, { maxLength: 8 })
    const imageOf = (from: ClusterImage, steps: readonly { name: string; over: object | null }[]) =>
      steps.reduce(
        (image, { name, over }) => image.with([over ? topic(name, over) : gone(name)]),
        from,
      )
    const served = (image: ClusterImage) =>
      new Map(
        [...image.topics.values()]
          .filter((one) => one.state === 'active')
          .map((one) => [one.name, one]),
      )
    fc.assert(
      fc.property(world, world, (first, second) => {
        const before = imageOf(empty, first)
        const after = imageOf(before, second)
        const result = served(before)
        const { removed, added, changed } = differenceOf(before, after)
        for (const one of removed) expect(result.delete(one.name)).toBe(true)
        for (const one of added) {
          expect(result.has(one.name)).toBe(false)
          result.set(one.name, one)
        }
        for (const one of changed) {
          expect(result.get(one.after.name)).toBe(one.before)
          result.set(one.after.name, one.after)
        }
        expect(result).toEqual(served(after))
      }),
    )
  })
})

test('only what is wholly a topic is read as one', () => {
  const whole = JSON.parse(topic('a').value) as Record<string, unknown>
  expect(parseTopicEntry(JSON.stringify(whole))).toEqual(whole)
  for (const field of Object.keys(whole)) {
    for (const value of [undefined, null, [], -1, 'x', {}, { k: null }]) {
      if (field === 'topicId' && value === 'x') continue
      if (field === 'config' && JSON.stringify(value) === '{}') continue
      const text = JSON.stringify({ ...whole, [field]: value })
      expect(parseTopicEntry(text), text).toBeUndefined()
    }
  }
  fc.assert(fc.property(fc.string(), (text) => void parseTopicEntry(text)))
})
