/** Promises of one partition to those who write to it and read from it. */

import { describe, expect, test } from 'vitest'
import { toOffset } from '../../../storage/record/offsets.ts'
import { Serving, settled } from './serving.ts'

function serving(config = {}) {
  const world = new Serving()
  world.put({ name: 'orders', config })
  return { world, log: world.log('orders'), partition: world.replicas.partition('orders', 0) }
}

describe('an append', () => {
  test('has its offsets at once and says what was reached when it is', async () => {
    const { world, log } = serving()
    const append = world.append('orders', 10)
    expect(append).toMatchObject({ baseOffset: 0, lastOffset: 0, duplicate: false })
    log.flush()
    expect(await append.acknowledged).toBe('flushed')
  })

  test('under relaxed flushing is acknowledged as written and seen before it is flushed', async () => {
    const { world, log, partition } = serving({ 'flush.messages': 100 })
    await partition.setConfig({ ...partition.config, log: { ...log.config, flushMessages: 100 } })
    world.append('orders', 10)
    expect(partition.highWatermark).toBe(1)
    expect(partition.flushedOffset).toBe(0)
  })

  test('that nobody waits for does not crash the broker when it fails', async () => {
    const { world, log } = serving()
    world.replicas.partition('orders', 0).appendAsLeader(Buffer.alloc(1), { acks: 0 })
    log.fail()
    await settled()
  })

  test('whose sync fails is told that its fate is unknown', async () => {
    const { world, log } = serving()
    const append = world.append('orders', 10)
    log.fail()
    await expect(append.acknowledged).rejects.toMatchObject({ outcome: 'unknown' })
    expect(() => world.append('orders', 10)).toThrow(
      expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR', outcome: 'refused' }),
    )
  })

  test('with acks=all is refused, and nothing appended, while too few replicas are in sync', () => {
    const { world, log, partition } = serving({ 'min.insync.replicas': 2 })
    expect(() => world.append('orders', 10)).toThrow(
      expect.objectContaining({ code: 'NOT_ENOUGH_REPLICAS', outcome: 'refused' }),
    )
    expect(log.logEndOffset).toBe(0)
    expect(partition.appendAsLeader(Buffer.alloc(1), { acks: 1 }).baseOffset).toBe(0)
  })

  test('to a topic of the broker itself is refused from clients', () => {
    const world = new Serving()
    world.put({ name: '__consumer_offsets' })
    const partition = world.replicas.partition('__consumer_offsets', 0)
    expect(() => partition.appendAsLeader(Buffer.alloc(1), { acks: 1 })).toThrow(
      expect.objectContaining({ code: 'INVALID_TOPIC_EXCEPTION' }),
    )
    partition.appendAsLeader(Buffer.alloc(1), { acks: 1, internal: true })
    expect(partition.logEndOffset).toBe(1)
  })
})

describe('a full disk', () => {
  test('refuses appends before it is full, lets the broker itself write, and recovers', async () => {
    const world = new Serving({ reserveBytes: 500_000 })
    world.put({ name: 'orders' })
    await world.diskReserve.poll()
    world.append('orders', 400_000)
    world.append('orders', 200_000)
    expect(() => world.append('orders', 10)).toThrow(
      expect.objectContaining({ code: 'DISK_FULL', outcome: 'refused' }),
    )
    const partition = world.replicas.partition('orders', 0)
    partition.appendAsLeader(Buffer.alloc(1), { acks: 1, internal: true })
    // The logs are in memory: on the disk itself there is room, as after somebody made some.
    world.clock.advance(1_000)
    await settled()
    world.append('orders', 10)
  })
})

describe('readers', () => {
  test('see nothing at or beyond the high watermark', async () => {
    const { world, partition } = serving()
    world.fill('orders', [10, 10])
    world.append('orders', 10)
    expect(partition.logEndOffset).toBe(3)
    const read = await partition.read(0, { maxBytes: 1_000, upTo: toOffset(3) })
    expect(read).toMatchObject({ nextOffset: 2, highWatermark: 2 })
    expect(read.bytes).toHaveLength(20)
    expect(await partition.offsetForTime(1)).toMatchObject({ offset: 1 })
    expect(await partition.offsetForTime(2)).toBeUndefined()
  })

  test('are told both bounds when their offset is outside them', async () => {
    const { world, partition } = serving()
    world.fill('orders', [10, 10, 10])
    await partition.deletePrefix(1)
    const bounds = { logStartOffset: 1, highWatermark: 3 }
    for (const offset of [0, 4]) {
      await expect(partition.read(offset, { maxBytes: 10 })).rejects.toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
        extensions: bounds,
      })
    }
    expect((await partition.read(3, { maxBytes: 10 })).bytes).toHaveLength(0)
  })

  test('that wait are woken by the high watermark, not by the append', async () => {
    const { world, log, partition } = serving()
    const waiting = partition.waitForAppend(0, 1_000)
    world.append('orders', 10)
    await settled()
    expect(partition.waiters).toBe(1)
    log.flush()
    expect(await waiting).toBe(true)
    expect(partition.waiters).toBe(0)
  })

  test('that wait are told when the topic is deleted or its disk fails', async () => {
    const { world, partition } = serving()
    const waiting = partition.waitForAppend(0, 1_000)
    world.remove('orders')
    await expect(waiting).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect(world.log('orders').listenerCount).toBe(0)

    world.put({ name: 'payments' })
    const other = world.replicas.partition('payments', 0).waitForAppend(0, 1_000)
    world.log('payments').fail()
    await expect(other).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  })
})

describe('trimming the start', () => {
  test('reaches the high watermark at most, and never goes back', async () => {
    const { world, partition } = serving()
    world.fill('orders', [10, 10])
    world.append('orders', 10)
    await expect(partition.deletePrefix(3)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    expect(await partition.deletePrefix(2)).toBe(2)
    expect(await partition.deletePrefix(1)).toBe(2)
  })
})

test('a recreated topic is another partition: the old one serves nobody', () => {
  const { world, partition } = serving()
  world.fill('orders', [10])
  world.put({ name: 'orders', topicId: 'another-id' })
  expect(() => partition.appendAsLeader(Buffer.alloc(1), { acks: 1 })).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_TOPIC_OR_PARTITION' }),
  )
  const anew = world.replicas.partition('orders', 0)
  expect(anew.topicId).toBe('another-id')
  expect(anew.logEndOffset).toBe(0)
})

test('a partition that does not exist, or has no log, is told apart', () => {
  const { world } = serving()
  const codeOf = (topic: string, partition: number) => {
    try {
      world.replicas.partition(topic, partition)
      return 'served'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  world.put({ name: 'broken', partitions: 2 })
  expect(codeOf('nope', 0)).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  for (const partition of [-1, 1, 0.5, 2 ** 31 - 1, Number.NaN]) {
    expect(codeOf('orders', partition)).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  }
  expect(codeOf('broken', 1)).toBe('served')
})
