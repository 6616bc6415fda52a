/** A sync that failed, and an EIO: the log is offline, what waits is told the truth, nobody tries again. */

import { expect, test } from 'vitest'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { DiskCall } from '../../rigs/disk/fault-plan.ts'
import {
  afterKill,
  append,
  appendAll,
  batchOf,
  batchOfBytes,
  FIRST_LOG,
  settled,
  startNew,
  TOPIC,
  valuesFrom,
} from './engine.ts'

const ofLog = (operation: string) => (call: DiskCall) =>
  call.operation === operation && call.path === FIRST_LOG

/** A log with one record, one group in flight and two behind it. */
async function withThreeGroups() {
  const engine = await startNew({ settings: { appendGroupBytesMax: 1_024 }, partitions: 2 })
  await appendAll(engine.log, 'a')
  const groups = ['b', 'c', 'd'].map((value) => append(engine.log, batchOf([value.repeat(1_000)])))
  return { ...engine, groups }
}

test.each(['EIO', 'ENOSPC'])(
  'a sync fails with %s: the group in flight is unknown, those behind it refused, the log offline',
  async (code) => {
    const { log, disk, groups } = await withThreeGroups()
    disk.faults.failNth(1, code, { which: ofLog('sync') })
    let wakes = 0
    log.onHighWatermark(() => wakes++)
    const outcomes = await Promise.allSettled(groups.map(({ acknowledged }) => acknowledged))
    expect(outcomes).toMatchObject([
      { reason: { code: 'KAFKA_STORAGE_ERROR', outcome: 'unknown' } },
      { reason: { code: 'KAFKA_STORAGE_ERROR', outcome: 'refused' } },
      { reason: { code: 'KAFKA_STORAGE_ERROR', outcome: 'refused' } },
    ])
    expect(log.isOffline).toBe(true)
    expect(log.offlineReason).toContain(code)
    expect(log.highWatermark).toBe(1)
    expect(wakes).toBe(1)
    expect(() => append(log, batchOf(['e']))).toThrow(
      expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR', outcome: 'refused' }),
    )
  },
)

test('reads below the high watermark go on, other logs as if nothing had happened', async () => {
  const { log, disk, groups, manager } = await withThreeGroups()
  disk.faults.failNth(1, 'EIO', { which: ofLog('sync') })
  await Promise.allSettled(groups.map(({ acknowledged }) => acknowledged))
  expect(await valuesFrom(log)).toEqual(['a'])
  expect(await log.offsetForTime(0)).toMatchObject({ offset: 0 })
  const other = manager.log(TOPIC, 1)!
  await appendAll(other, 'x')
  expect(await valuesFrom(other)).toEqual(['x'])
})

test('no second sync is tried, by no way in', async () => {
  const { log, disk, groups, manager } = await withThreeGroups()
  disk.faults.failNth(1, 'EIO', { which: ofLog('sync') })
  await Promise.allSettled(groups.map(({ acknowledged }) => acknowledged))
  const tries = [
    () => log.flush(),
    () => log.roll(),
    () => log.setConfig(log.config),
    () => log.deletePrefix(toOffset(1)),
    () => log.applyRetention(true),
    () => manager.close(),
  ]
  for (const again of tries) await again().catch(() => {})
  expect(disk.faults.calls.filter(ofLog('sync'))).toHaveLength(2 + 1)
  expect(disk.faults.calls.filter(ofLog('write'))).toHaveLength(2)
})

test('a stop with a log offline is not clean, and what the next start finds is recovered', async () => {
  const engine = await withThreeGroups()
  engine.disk.faults.failNth(1, 'EIO', { which: ofLog('sync'), extent: 'done' })
  await Promise.allSettled(engine.groups.map(({ acknowledged }) => acknowledged))
  expect(await engine.manager.close()).toBe(false)
  const again = await afterKill(engine)
  expect(again.manager.wasCleanlyStopped).toBe(false)
  expect(again.log.isOffline).toBe(false)
  expect((await valuesFrom(again.log)).map((value) => value[0])).toEqual(['a', 'b'])
  await appendAll(again.log, 'e')
})

test('a write fails with EIO: the same, and nothing of it is counted to the log', async () => {
  const { log, disk, groups } = await withThreeGroups()
  disk.faults.failNth(1, 'EIO', { which: ofLog('write'), extent: 'partial' })
  const outcomes = await Promise.allSettled(groups.map(({ acknowledged }) => acknowledged))
  expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason.outcome)).toEqual([
    'unknown',
    'refused',
    'refused',
  ])
  expect(log).toMatchObject({
    isOffline: true,
    highWatermark: 1,
    writtenOffset: 1,
    logEndOffset: 1,
  })
  expect(await valuesFrom(log)).toEqual(['a'])
})

test('a recovery point that cannot be written takes the log offline: the next start would know too little', async () => {
  const { log, disk } = await startNew()
  await appendAll(log, 'a')
  disk.faults.failNth(1, 'EIO', { which: (call) => call.operation === 'writeNow' })
  await expect(appendAll(log, 'b')).rejects.toMatchObject({ outcome: 'unknown' })
  expect(log.isOffline).toBe(true)
})

test('nobody listens to a refused batch: no crash', async () => {
  const { log, disk } = await startNew()
  disk.faults.failNth(1, 'EIO', { which: ofLog('sync') })
  append(log, batchOf(['a']))
  append(log, batchOfBytes(10))
  await settled()
  expect(log.isOffline).toBe(true)
})
