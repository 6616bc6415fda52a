/**
 * What a coordinator says is durable, and what a disk took back has not happened: appends that wait, are taken
 * back (a full disk) or whose sync fails, with other events at every moment in between.
 */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { partitionOfGroup } from '../../../broker/groups/group-coordinator.ts'
import { settled } from '../partition/serving.ts'
import { CoordinatorRig, fate } from './coordinator-rig.ts'

let rig: CoordinatorRig
beforeEach(async () => {
  rig = new CoordinatorRig()
  rig.put('orders', 2)
  await rig.open()
})
afterEach(() => rig.groups.close())

describe('answers', () => {
  test('wait until what they tell is durable, those that write nothing too', async () => {
    const commit = fate(rig.commit('g', 5))
    const fetched = rig.committed('g')
    const asked = [fate(fetched), fate(rig.groups.describe('g')), fate(rig.groups.list(() => 0))]
    await settled()
    expect([commit, ...asked].map(({ isKnown }) => isKnown)).toEqual([false, false, false, false])
    rig.log().flush()
    expect(await fetched).toEqual([5])
    expect([commit, ...asked].map(({ isKnown }) => isKnown)).toEqual([true, true, true, true])
  })

  test('tell nothing that was appended after they were asked for and is not durable', async () => {
    await rig.durably(rig.commit('g', 5))
    const second = fate(rig.commit('g', 6))
    const described = rig.groups.describe('g')
    const listed = rig.groups.list((groups) =>
      groups.map((group) => group.describe(rig.groups.topics).offsets[0]!.offset),
    )
    await settled()
    const third = fate(rig.commit('g', 9))
    rig.log().flush(1)
    expect((await described).offsets[0]!.offset).toBe(6)
    expect(await listed).toEqual([6])
    expect([second.isKnown, third.isKnown]).toEqual([true, false])
    rig.log().flush()
  })
})

describe('a full disk', () => {
  test('takes back a commit: refused, nothing has happened, and the next one counts', async () => {
    await rig.durably(rig.commit('g', 5))
    const refused = rig.commit('g', 6)
    await settled()
    rig.log().takeBack()
    await expect(refused).rejects.toMatchObject({ code: 'DISK_FULL', outcome: 'refused' })
    expect(await rig.committed('g')).toEqual([5])
    await rig.durably(rig.commit('g', 7))
    expect(await rig.committed('g')).toEqual([7])
    expect(await rig.durably(restarted())).toEqual([7])
  })

  test('what is asked at the very moment is decided on what the log has', async () => {
    await rig.durably(rig.commit('g', 5))
    const refused = [rig.commit('g', 6), rig.commit('new', 1)].map((work) => work.catch(String))
    await settled()
    const { reads } = rig.log()
    rig.log().takeBack()
    const asked = [rig.commit('g', 8, 1), rig.committed('g'), rig.groups.describe('g')]
    const unknown = rig.committed('new').catch(({ code }) => code)
    await rig.durably(Promise.all(asked))
    // Before the one that comes with it, or after: never with what was taken back.
    expect([[5], [5, 8]]).toContainEqual(await asked[1])
    expect(await unknown).toBe('GROUP_ID_NOT_FOUND')
    expect(await Promise.all(refused)).toEqual([expect.anything(), expect.anything()])
    expect(await rig.durably(restarted())).toEqual([5, 8])
    // Read again once, however many found out.
    expect(rig.log().reads - reads).toBeLessThanOrEqual(3)
  })

  test('that takes back again and again is told as that, and not tried for ever', async () => {
    await rig.durably(rig.commit('g', 5))
    const log = rig.log()
    const spy = vi.spyOn(log, 'append')
    spy.mockImplementation(() => {
      throw Object.assign(new Error('another length'), { code: 'OFFSET_MISMATCH' })
    })
    await expect(rig.commit('g', 6)).rejects.toMatchObject({
      code: 'COORDINATOR_LOAD_IN_PROGRESS',
      outcome: 'refused',
    })
    spy.mockRestore()
    await rig.durably(rig.commit('g', 6))
    expect(await rig.committed('g')).toEqual([6])
  })

  test('loses no change of the topics: groups hear of it when there is room', async () => {
    await rig.durably(rig.join('g'))
    const spy = vi.spyOn(rig.log(), 'append').mockImplementation(() => {
      throw new Error('no room')
    })
    rig.put('orders', 4)
    rig.groups.topicsChanged()
    for (let round = 0; round < 4; round++) await settled()
    spy.mockRestore()
    expect(await epochOf('g')).toBe(1)
    rig.serving.clock.advance(1_000)
    for (let round = 0; round < 4; round++) await settled()
    rig.log().flush()
    expect(await epochOf('g')).toBe(2)
  })
})

describe('memory', () => {
  test('is bounded by groups.max.bytes: who is there goes on, and what is given back is room again', async () => {
    const small = new CoordinatorRig({ groupsBytesMax: 1 << 20 })
    small.put('orders', 2)
    await small.open()
    await small.durably(small.commit('old', 5))
    const names = Array.from({ length: 1_000 }, (_, n) => `topic-${n}-${'x'.repeat(200)}`)
    let members = 0
    const joinOne = () => small.durably(small.join('many', `m-${members}`, names))
    while (members < 100) {
      const isRefused = await joinOne().then(
        () => false,
        (error) => {
          expect(error).toMatchObject({
            code: 'LIMIT_EXCEEDED',
            outcome: 'refused',
            extensions: { limit: 'groups.max.bytes', max: 1 << 20 },
          })
          return true
        },
      )
      if (isRefused) break
      members++
    }
    // 1,000 names of 200 characters are a quarter of a megabyte.
    expect(members).toBe(4)
    expect(small.groups.heldBytes).toBeLessThanOrEqual(1 << 20)
    await small.durably(small.commit('old', 7))
    const beat = { kind: 'heartbeat', memberId: 'm-0', owned: null } as const
    await small.durably(small.groups.run('many', { ...beat, memberEpoch: 1 }))
    // What a restart loads counts the same.
    const again = small.coordinator(100, 1 << 20)
    again.open()
    await again.whenLoaded()
    expect(again.heldBytes).toBe(small.groups.heldBytes)
    again.close()
    await small.durably(small.groups.run('many', { kind: 'leave', memberId: 'm-0' }))
    await joinOne()
    small.groups.close()
  })
})

describe('a failed sync', () => {
  test.each([0, 1])(
    'of partition %i of groups is an unknown outcome there, and stops no other',
    async (failed) => {
      const two = new CoordinatorRig({ shards: 2 })
      two.put('orders', 2)
      await two.open()
      const groupOf = (shard: number) =>
        ['group-a', 'group-b'].find((name) => partitionOfGroup(name, 2) === shard)!
      const [failing, going] = [groupOf(failed), groupOf(1 - failed)]
      await two.durably(Promise.all([two.join(failing), two.join(going)]))
      const lost = two.groups.run(failing, { kind: 'leave', memberId: 'm' })
      await settled()
      two.log(failed).fail()
      await expect(lost).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR', outcome: 'unknown' })
      await expect(two.join(failing)).rejects.toMatchObject({
        code: 'KAFKA_STORAGE_ERROR',
        outcome: 'refused',
      })
      // Those of the other partition hear of topics all the same.
      two.put('orders', 4)
      two.groups.topicsChanged()
      const beat = { kind: 'heartbeat', memberId: 'm', owned: null } as const
      for (let round = 0; round < 4; round++) await settled()
      const reply = await two.durably(two.groups.run(going, { ...beat, memberEpoch: 1 }))
      expect(reply.assignment[0]!.partitions).toEqual([0, 1, 2, 3])
      // What a deleted topic's commits were must not be forgotten to be forgotten.
      const topic = { name: 'orders', topicId: two.serving.image.topics.get('orders')!.topicId }
      await expect(two.durably(two.groups.forgetTopic(topic))).rejects.toMatchObject({
        code: 'KAFKA_STORAGE_ERROR',
      })
      two.groups.close()
    },
  )
})

describe('loading', () => {
  test('that fails for a moment is tried again', async () => {
    await rig.durably(rig.commit('g', 5))
    const again = rig.coordinator()
    vi.spyOn(rig.log(), 'read').mockRejectedValueOnce(
      Object.assign(new Error('too many open files'), { code: 'EMFILE' }),
    )
    again.open()
    await again.whenLoaded()
    await expect(rig.committed('g', again)).rejects.toThrow()
    rig.serving.clock.advance(1_000)
    expect(await rig.committed('g', again)).toEqual([5])
    again.close()
  })

  test('that fails again and again is tried ever more rarely, and once a minute at last', async () => {
    await rig.durably(rig.commit('g', 5))
    const again = rig.coordinator()
    const read = vi.spyOn(rig.log(), 'read').mockRejectedValue(new Error('a batch is damaged'))
    again.open()
    await again.whenLoaded()
    await settled()
    const tries: number[] = []
    for (let second = 1; second <= 300; second++) {
      const { calls } = read.mock
      const before = calls.length
      rig.serving.clock.advance(1_000)
      await settled()
      await settled()
      if (calls.length > before) tries.push(second)
    }
    expect(tries).toEqual([1, 3, 7, 15, 31, 63, 123, 183, 243])
    read.mockRestore()
    rig.serving.clock.advance(60_000)
    expect(await rig.committed('g', again)).toEqual([5])
    again.close()
  })

  test('needs no place among the requests that wait, and goes on while the broker stops', async () => {
    const full = new CoordinatorRig({ waitingRequestsMax: 0 })
    full.put('orders', 1)
    await full.open()
    await full.durably(full.commit('g', 5))
    fate(full.commit('g', 6))
    await settled()
    for (const isStopping of [false, true]) {
      if (isStopping) full.serving.replicas.close()
      const again = full.coordinator()
      const { reads } = full.log()
      again.open()
      for (let round = 0; round < 10; round++) await settled()
      expect(full.log().reads - reads).toBeLessThan(5)
      if (isStopping) full.log().flush()
      else full.serving.clock.advance(50)
      await full.durably(again.whenLoaded())
      expect(await full.committed('g', again)).toEqual([6])
      again.close()
    }
    full.groups.close()
  })

  test('after the end arms nothing', async () => {
    await rig.durably(rig.join('g'))
    const again = rig.coordinator()
    again.open()
    again.close()
    const { pendingTimers } = rig.serving.clock
    await again.whenLoaded()
    for (let round = 0; round < 4; round++) await settled()
    expect(rig.serving.clock.pendingTimers).toBe(pendingTimers)
    await expect(rig.committed('g', again)).rejects.toMatchObject({ code: 'BROKER_STOPPING' })
  })
})

async function restarted(): Promise<number[]> {
  const again = rig.coordinator()
  again.open()
  await again.whenLoaded()
  const committed = await rig.committed('g', again)
  again.close()
  return committed
}

async function epochOf(group: string): Promise<number> {
  return (await rig.groups.describe(group)).groupEpoch
}
