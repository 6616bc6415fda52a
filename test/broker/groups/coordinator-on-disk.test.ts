/**
 * Groups on a disk that fails at any of its writes and syncs, and then loses power: what was acknowledged is
 * there, what was refused is not, and nothing is told before it is durable.
 */

import { expect, test } from 'vitest'
import {
  type GroupCoordinator,
  partitionOfGroup,
} from '../../../broker/groups/group-coordinator.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { appendTo, startOn } from '../broker-on-disk.ts'

const GROUPS = ['g-0', 'g-1', 'g-2', 'g-3', 'g-4']
const FIRST_SEGMENT = '00000000000000000000.log'
const COMMITS = 12
/** Beyond the calls that so many commits make. */
const FAULTS_MAX = 80

/** Offsets of one group by what was said of them. */
interface Told {
  acknowledged: number
  readonly refused: Set<number>
  readonly unknown: Set<number>
}

const start = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
console.log(`disk seed ${start} (SEED=${start} repeats it)`)

test.each([
  ['a write finds no room', ['write', 'writeNow'], 'ENOSPC'],
  ['a write fails half way', ['write', 'writeNow'], 'EIO'],
  ['a sync fails', ['sync'], 'EIO'],
] as const)(
  '%s, whichever it is, and then the power goes',
  async (_, operations: readonly string[], code) => {
    let struck = 0
    for (let n = 1; n <= FAULTS_MAX; n++) {
      const disk = new SimulatedDisk({ seed: start + n })
      const core = await startOn(disk)
      await core.topics.create({ name: 'orders', partitions: 1 })
      for (let count = 0; count < COMMITS; count++) await appendTo(core, 'orders')
      for (const group of GROUPS) await commit(core.groups, group, 0)
      disk.faults.failNth(n, code, {
        which: (call) =>
          operations.includes(call.operation) && call.path.includes('__consumer_offsets'),
        extent: 'partial',
      })
      const told = await commitAll(core.groups)
      const hasStruck = disk.hasFailed
      const again = await startOn(disk.powerCut(start + n))
      await core.close({ markClean: false }).catch(() => {})
      await again.groups.whenLoaded()
      for (const [group, { acknowledged, refused, unknown }] of told) {
        const found = await committed(again.groups, group)
        const why = `fault ${n}, seed ${start}: ${group} has ${found}, acknowledged ${acknowledged}, unknown ${[...unknown]}, refused ${[...refused]}`
        expect(found === acknowledged || unknown.has(found), why).toBe(true)
      }
      await again.close({ markClean: false })
      if (hasStruck) struck++
      else break
    }
    expect(struck).toBeGreaterThan(5)
  },
  120_000,
)

test('a log of groups that cannot be opened takes no other group with it, nor the broker', async () => {
  const disk = new SimulatedDisk({ seed: start })
  const core = await startOn(disk, { offsetsTopicPartitions: 4 })
  await core.topics.create({ name: 'orders', partitions: 1 })
  for (let count = 0; count < COMMITS; count++) await appendTo(core, 'orders')
  for (const group of GROUPS) await commit(core.groups, group, 3)
  const after = disk.powerCut(start)
  await core.close({ markClean: false }).catch(() => {})
  const damaged = partitionOfGroup(GROUPS[0]!, 4)
  const segment = `/data/__consumer_offsets-${damaged}/${FIRST_SEGMENT}`
  await after.rename(segment, `${segment}.away`)
  await after.createDirectory(segment)
  const again = await startOn(after, { offsetsTopicPartitions: 4 })
  await appendTo(again, 'orders')
  await again.groups.whenLoaded()
  for (const group of GROUPS) {
    if (partitionOfGroup(group, 4) !== damaged) {
      expect(await committed(again.groups, group)).toBe(3)
      await commit(again.groups, group, 4)
      continue
    }
    const offline = { code: 'KAFKA_STORAGE_ERROR' }
    await expect(commit(again.groups, group, 4)).rejects.toMatchObject({
      ...offline,
      outcome: 'refused',
    })
    await expect(again.groups.describe(group)).rejects.toMatchObject(offline)
  }
  // What its groups committed is not forgotten, so the topic's id is not either.
  await expect(again.topics.delete('orders')).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  await again.close({ markClean: false })
})

test('a group that was ahead of what the power left of a log goes back, before anybody writes there', async () => {
  const disk = new SimulatedDisk({ seed: start })
  const core = await startOn(disk)
  const config = { 'flush.messages': 1_000_000, 'flush.ms': 86_400_000 }
  await core.topics.create({ name: 'orders', partitions: 1, config })
  for (let count = 0; count < 10; count++) await appendTo(core, 'orders')
  await commit(core.groups, 'ahead', 10)
  await commit(core.groups, 'behind', 0)
  // A cut may leave everything; one of these did not.
  let again = await startOn(disk.powerCut(start))
  const endOf = () => again.replicas.partition('orders', 0).logEndOffset
  for (let cut = 1; cut < 50 && endOf() === 10; cut++) {
    await again.close({ markClean: false })
    again = await startOn(disk.powerCut(start + cut))
  }
  await core.close({ markClean: false }).catch(() => {})
  const keptEnd = endOf()
  expect(keptEnd).toBeLessThan(10)
  // A producer that was quicker than the groups.
  await appendTo(again, 'orders')
  const details = { topics: ['orders'] }
  await again.groups.run('ahead', { kind: 'join', memberId: 'm', details })
  expect(await committed(again.groups, 'ahead')).toBe(keptEnd)
  expect(await committed(again.groups, 'behind')).toBe(0)
  // Commits from before are from before the reset.
  const late = {
    kind: 'commitOffsets',
    offsets: [],
    member: { memberId: 'm', memberEpoch: 0 },
  } as const
  await expect(
    again.groups.run('ahead', {
      ...late,
      offsets: [{ topic: 'orders', partition: 0, offset: 10 }],
    }),
  ).resolves.toMatchObject({ results: [{ error: { code: 'FENCED_MEMBER_EPOCH' } }] })
  await again.close({ markClean: false })
})

async function commit(groups: GroupCoordinator, group: string, offset: number): Promise<void> {
  const offsets = [{ topic: 'orders', partition: 0, offset }]
  await groups.run(group, { kind: 'commitOffsets', offsets })
}

/** All groups at once, each its commits one after the other; what is read meanwhile is never ahead of what was told. */
async function commitAll(groups: GroupCoordinator): Promise<Map<string, Told>> {
  const all = new Map<string, Told>()
  const commits = GROUPS.map(async (group) => {
    const told: Told = { acknowledged: 0, refused: new Set(), unknown: new Set() }
    all.set(group, told)
    for (let offset = 1; offset <= COMMITS; offset++) {
      try {
        await commit(groups, group, offset)
        told.acknowledged = offset
      } catch (error) {
        const outcome = error instanceof SpoolError ? error.outcome : undefined
        if (outcome === 'refused') told.refused.add(offset)
        else told.unknown.add(offset)
      }
      const seen = await committed(groups, group).catch(() => told.acknowledged)
      expect(told.refused.has(seen), `${group}: ${seen} was refused`).toBe(false)
    }
  })
  await Promise.all(commits)
  return all
}

/** -1: nothing, or no such group. */
async function committed(groups: GroupCoordinator, group: string): Promise<number> {
  try {
    const { offsets } = await groups.run(group, { kind: 'fetchOffsets' })
    return offsets[0]?.offset ?? -1
  } catch (error) {
    if (error instanceof SpoolError && error.code === 'GROUP_ID_NOT_FOUND') return -1
    throw error
  }
}
