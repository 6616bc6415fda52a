/** Promises to those who create, change and delete topics. */

import { describe, expect, test } from 'vitest'
import type { BrokerCore } from '../../../broker/broker-core.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { appendTo, type StartOptions, startOn } from '../broker-on-disk.ts'

function start(options: StartOptions = {}): Promise<BrokerCore> {
  return startOn(new SimulatedDisk(), options)
}

const withCode = (code: string) => expect.objectContaining({ code })

describe('creating a topic', () => {
  test('takes the defaults of the broker and is seen and served when it resolves', async () => {
    const { topics, replicas } = await start({ numPartitions: 3 })
    const topic = await topics.create({ name: 'orders', config: { 'retention.ms': '1000' } })
    expect(topic).toMatchObject({ name: 'orders', partitions: 3, replicationFactor: 1 })
    expect(topic.config).toMatchObject({ set: { 'retention.ms': 1_000 } })
    expect(topics.get('orders')).toBe(topic)
    expect(topics.list()).toEqual([topic])
    expect(replicas.partition('orders', 2).topicId).toBe(topic.topicId)
  })

  test.each([
    [{ name: '..' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: 'a/b' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: 'a\0b' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: 'ordеrs' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: 'x'.repeat(250) }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: '' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: '__consumer_offsets' }, 'INVALID_TOPIC_EXCEPTION'],
    [{ name: 'a', partitions: 0 }, 'INVALID_PARTITIONS'],
    [{ name: 'a', partitions: -1 }, 'INVALID_PARTITIONS'],
    [{ name: 'a', partitions: 1.5 }, 'INVALID_PARTITIONS'],
    [{ name: 'a', partitions: 100_001 }, 'INVALID_PARTITIONS'],
    [{ name: 'a', replicationFactor: 2 }, 'INVALID_REPLICATION_FACTOR'],
    [{ name: 'a', replicationFactor: 0 }, 'INVALID_REPLICATION_FACTOR'],
    [{ name: 'a', config: { nope: 1 } }, 'INVALID_CONFIG'],
  ])('refuses %j', async (request, code) => {
    const { topics } = await start()
    await expect(topics.create(request)).rejects.toMatchObject({ code })
    expect(topics.list()).toEqual([])
  })

  test('takes a name of 249 characters', async () => {
    const { topics } = await start()
    const name = 'x'.repeat(249)
    expect((await topics.create({ name })).name).toBe(name)
  })

  test('by many at once under one name succeeds for one of them', async () => {
    const { topics } = await start()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => topics.create({ name: 'orders' })),
    )
    const created = outcomes.filter((one) => one.status === 'fulfilled')
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(created).toHaveLength(1)
    expect(refused).toEqual(Array(9).fill(withCode('TOPIC_ALREADY_EXISTS')))
  })

  test('stops at topics.max and partitions.max, also for many at once, and names them', async () => {
    const { topics } = await start({ topicsMax: 3, partitionsMax: 5 })
    await expect(topics.create({ name: 'big', partitions: 6 })).rejects.toThrow(/partitions.max 5/)
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((name) => topics.create({ name })),
    )
    expect(outcomes.filter((one) => one.status === 'fulfilled')).toHaveLength(3)
    await expect(topics.create({ name: 'e' })).rejects.toThrow(/exceed topics.max 3/)
    await topics.alter('a', { partitions: 3 })
    await expect(topics.alter('b', { partitions: 2 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      extensions: { limit: 'partitions.max', max: 5 },
    })
    await topics.delete('c')
    await topics.alter('b', { partitions: 2 })
  })

  test('a broker that is full of topics can still have its own', async () => {
    const { topics } = await start({ topicsMax: 1, partitionsMax: 1 })
    await topics.create({ name: 'a' })
    const own = { name: '__consumer_offsets', partitions: 4 }
    await topics.create(own, { internal: true })
    await topics.alter(own.name, { partitions: 5 }, { internal: true })
    await expect(topics.create({ name: 'b' })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await topics.delete('a')
    await topics.create({ name: 'b' })
  })

  test('is refused while the disk is nearly full, and nothing is left of it', async () => {
    const disk = new SimulatedDisk({ capacityBytes: 10_000_000 })
    const { topics, producerIds } = await startOn(disk, { diskReserveBytes: 20_000_000 })
    await expect(topics.create({ name: 'a' })).rejects.toMatchObject({ code: 'DISK_FULL' })
    await expect(producerIds.next()).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(topics.list()).toEqual([])
  })
})

describe('create or confirm', () => {
  test('creates once, then confirms, comparing only what is said', async () => {
    const { topics } = await start()
    const request = { name: 'a', partitions: 2, config: { 'retention.ms': 1_000 } }
    const first = await topics.createOrConfirm(request)
    expect(first.created).toBe(true)
    const partial = [{ partitions: 2 }, { config: {} }, { config: { 'flush.messages': 1 } }]
    for (const again of [request, { name: 'a' }, ...partial.map((it) => ({ name: 'a', ...it }))]) {
      expect(await topics.createOrConfirm(again)).toEqual({ topic: first.topic, created: false })
    }
  })

  test('names every difference', async () => {
    const { topics } = await start()
    await topics.create({ name: 'a', partitions: 2, config: { 'retention.ms': 1_000 } })
    const other = { name: 'a', partitions: 3, config: { 'segment.bytes': 4_096 } }
    await expect(topics.createOrConfirm(other)).rejects.toMatchObject({
      code: 'TOPIC_ALREADY_EXISTS',
      extensions: {
        differences: [
          { field: 'partitions', wanted: 3, actual: 2 },
          { field: 'segment.bytes', wanted: 4_096, actual: 1_073_741_824 },
        ],
      },
    })
  })

  test('by many at once creates one and confirms it to the others', async () => {
    const { topics } = await start()
    const all = await Promise.all(
      Array.from({ length: 10 }, () => topics.createOrConfirm({ name: 'a' })),
    )
    expect(all.filter((one) => one.created)).toHaveLength(1)
    expect(new Set(all.map((one) => one.topic.topicId)).size).toBe(1)
  })
})

describe('changing a topic', () => {
  test('changes settings in force, grows partitions, and keeps its id and records', async () => {
    const { topics, replicas } = await start()
    const { topicId } = await topics.create({ name: 'a', config: { 'segment.ms': 5_000 } })
    const core = { replicas } as BrokerCore
    await appendTo(core, 'a')
    const config = { 'segment.ms': null, 'max.message.bytes': 2_048 }
    const after = await topics.alter('a', { config, partitions: 4 })
    expect(after).toMatchObject({ topicId, partitions: 4 })
    expect(after.config.set).toEqual({ 'max.message.bytes': 2_048 })
    expect(replicas.partition('a', 3).config.log.maxMessageBytes).toBe(2_048)
    const tooLarge = Buffer.alloc(3_000)
    expect(() => replicas.partition('a', 0).appendAsLeader(tooLarge, { acks: 1 })).toThrow()
    expect(replicas.partition('a', 0).highWatermark).toBe(1)
  })

  test('never takes partitions away, and changes nothing when a part of it is wrong', async () => {
    const { topics } = await start()
    const before = await topics.create({ name: 'a', partitions: 2 })
    const wrong = [
      [{ partitions: 1 }, 'INVALID_PARTITIONS'],
      [{ partitions: 5, config: { 'retention.ms': 0 } }, 'INVALID_CONFIG'],
      [{ partitions: 0, config: { 'retention.ms': 5 } }, 'INVALID_PARTITIONS'],
    ] as const
    for (const [request, code] of wrong) {
      await expect(topics.alter('a', request)).rejects.toMatchObject({ code })
    }
    expect(topics.get('a')).toBe(before)
    await expect(topics.alter('b', {})).rejects.toThrow(withCode('UNKNOWN_TOPIC_OR_PARTITION'))
  })

  test('by many at once loses none of the changes', async () => {
    const { topics } = await start()
    await topics.create({ name: 'a' })
    const configs = [{ 'retention.ms': 1 }, { 'segment.ms': 2_000 }, { 'flush.ms': 3 }]
    await Promise.all([
      ...configs.map((config) => topics.alter('a', { config })),
      topics.alter('a', { partitions: 3 }),
    ])
    expect(topics.require('a')).toMatchObject({ partitions: 3 })
    expect(topics.require('a').config.set).toEqual(Object.assign({}, ...configs))
  })
})

describe('deleting a topic', () => {
  test('makes the name unknown, with the way to create it, and free', async () => {
    const { topics, replicas } = await start()
    await topics.create({ name: 'a' })
    await topics.delete('a')
    expect(topics.get('a')).toBeUndefined()
    expect(() => replicas.partition('a', 0)).toThrow(/PUT \/v1\/topics\/a creates it/)
    await expect(topics.delete('a')).rejects.toThrow(withCode('UNKNOWN_TOPIC_OR_PARTITION'))
    await topics.create({ name: 'a' })
  })

  test('tells those who wait for its records', async () => {
    const { topics, replicas } = await start()
    await topics.create({ name: 'a' })
    const waiting = replicas.partition('a', 0).waitForAppend(0, 60_000)
    const isTold = expect(waiting).rejects.toThrow(withCode('UNKNOWN_TOPIC_OR_PARTITION'))
    await topics.delete('a')
    await isTold
  })

  test("leaves the broker's own topics to the broker", async () => {
    const { topics } = await start()
    const name = '__consumer_offsets'
    await topics.create({ name }, { internal: true })
    expect(topics.list()).toEqual([])
    expect(topics.list({ internal: true })).toHaveLength(1)
    await expect(topics.delete(name)).rejects.toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' })
    await expect(topics.alter(name, {})).rejects.toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' })
  })
})
