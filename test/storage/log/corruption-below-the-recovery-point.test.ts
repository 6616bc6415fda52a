/** What was synced and is bad now is refused with file and position, never cut; other logs are served. */

import { expect, test } from 'vitest'
import { toOffset } from '../../../storage/record/offsets.ts'
import { LEADER_EPOCH_AT } from '../../../storage/record/record-batch.ts'
import {
  afterKill,
  append,
  appendAll,
  batchesIn,
  batchOf,
  type Engine,
  FIRST_LOG,
  LOG_DIRECTORY,
  openManager,
  startNew,
  TOPIC,
  topicOf,
  valuesFrom,
} from './engine.ts'

const RECOVERY_POINT = `${LOG_DIRECTORY}/recovery-point`

async function openedAgain(engine: Engine, change: (contents: Buffer) => Buffer | undefined) {
  const disk = engine.disk.processKill(1)
  const before = disk.medium.contents(FIRST_LOG)
  const after = change(Buffer.from(before))
  if (after !== undefined) disk.medium.provideFile(FIRST_LOG, after)
  const manager = await openManager(engine.options, disk, engine.clock)
  await manager.loadLogs([topicOf(engine.options)])
  const kept = disk.medium.exists(FIRST_LOG) ? disk.medium.contents(FIRST_LOG) : undefined
  return { manager, failure: manager.failures.get(`${TOPIC}-0`), disk, kept, after }
}

async function withThreeBatches(): Promise<Engine> {
  const engine = await startNew({ partitions: 2 })
  for (const value of ['a', 'b', 'c']) await appendAll(engine.log, value.repeat(100))
  await appendAll(engine.manager.log(TOPIC, 1)!, 'other')
  return engine
}

/** Where the second of the three batches begins. */
function secondAt(contents: Buffer): number {
  return batchesIn(contents)[0]!.sizeBytes
}

const DAMAGES: [string, (contents: Buffer) => Buffer, (contents: Buffer) => number][] = [
  [
    'a magic byte',
    (contents) => contents.fill(9, secondAt(contents) + 16, secondAt(contents) + 17),
    secondAt,
  ],
  [
    'a length',
    (contents) => contents.fill(0, secondAt(contents) + 8, secondAt(contents) + 12),
    secondAt,
  ],
  [
    'a length that reaches far beyond the end',
    (contents) => contents.fill(0x7f, secondAt(contents) + 8, secondAt(contents) + 9),
    secondAt,
  ],
  ['zeros', (contents) => contents.fill(0, secondAt(contents), secondAt(contents) + 100), secondAt],
  [
    'an offset that falls',
    (contents) => contents.fill(0, secondAt(contents), secondAt(contents) + 8),
    secondAt,
  ],
  [
    'a missing end',
    (contents) => contents.subarray(0, contents.length - 1),
    (contents) => contents.length - 1,
  ],
]

test.each(DAMAGES)(
  '%s is refused, with file and position, and nothing is cut',
  async (_, damage, at) => {
    const engine = await withThreeBatches()
    const position = at(engine.disk.medium.contents(FIRST_LOG))
    const { failure, kept, after } = await openedAgain(engine, damage)
    expect(failure).toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
      values: { file: 'orders-0/00000000000000000000.log', position },
    })
    expect(failure?.message).toContain(
      `orders-0/00000000000000000000.log is corrupt at byte ${position}`,
    )
    expect(kept).toEqual(after)
  },
)

test('other logs are served, and the refused one says why to whoever asks', async () => {
  const engine = await withThreeBatches()
  const { manager, failure } = await openedAgain(engine, (contents) => contents.fill(0))
  expect(() => manager.log(TOPIC, 0)).toThrow(failure!)
  const other = manager.log(TOPIC, 1)!
  expect(await valuesFrom(other)).toEqual(['other'])
  expect((await appendAll(other, 'more')).baseOffset).toBe(1)
  expect(await manager.close()).toBe(false)
})

test('a length that jumps over the recovery point is refused, and acknowledged records behind it are not cut', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a'.repeat(100))
  const bound = engine.log.sizeBytes
  const point = engine.disk.medium.contents(RECOVERY_POINT)
  for (const value of ['b', 'c', 'd']) await appendAll(engine.log, value.repeat(100))
  // The slots since were lost with the power; b, c and d are acknowledged and whole.
  engine.disk.medium.provideFile(RECOVERY_POINT, point)
  for (const grownBy of [1, 30, 200, 350]) {
    const { failure, kept, after } = await openedAgain(engine, (contents) => {
      contents.writeInt32BE(bound - 12 + grownBy, 8)
      return contents
    })
    expect(failure).toMatchObject({ code: 'KAFKA_STORAGE_ERROR', values: { position: 0 } })
    expect(kept).toEqual(after)
  }
})

test('an offset that leaps ahead below the recovery point is refused', async () => {
  const engine = await withThreeBatches()
  const { failure, kept, after } = await openedAgain(engine, (contents) => {
    batchesIn(contents)[2]!.assign(toOffset(1_000), 0)
    return contents
  })
  expect(failure).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  expect(kept).toEqual(after)
})

test('an epoch the partition never had is refused below the recovery point', async () => {
  const engine = await withThreeBatches()
  const { failure } = await openedAgain(engine, (contents) => {
    contents.writeInt32BE(77, LEADER_EPOCH_AT)
    return contents
  })
  expect(failure?.message).toContain('leader epoch 77')
})

test('a bad checksum in a closed segment is met by whoever reads its records, not by others', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  await engine.log.roll()
  await appendAll(engine.log, 'b')
  const again = await afterKill(engine)
  again.disk.medium.corrupt(FIRST_LOG, 8, Buffer.from([0, 0, 0, 1]))
  await expect(again.log.read(toOffset(0), { maxBytes: 1_000 })).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    values: { file: 'orders-0/00000000000000000000.log', position: 0 },
  })
  expect(await valuesFrom(again.log, 1)).toEqual(['b'])
})

test('a closed segment that ends too early is an error for readers, not a gap', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  await appendAll(engine.log, 'b')
  await engine.log.roll()
  await appendAll(engine.log, 'c')
  const clean = await afterKill(engine)
  await clean.manager.close()
  const contents = clean.disk.medium.contents(FIRST_LOG)
  clean.disk.medium.provideFile(FIRST_LOG, contents.subarray(0, batchesIn(contents)[0]!.sizeBytes))
  const again = await openedAgain(clean, () => undefined)
  const log = again.manager.log(TOPIC, 0)!
  await expect(log.read(toOffset(1), { maxBytes: 1_000 })).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
  })
})

test('a record appended between the damage and the start changes nothing', async () => {
  const engine = await withThreeBatches()
  append(engine.log, batchOf(['in flight']))
  const { failure } = await openedAgain(engine, (contents) => contents.fill(0, 0, 61))
  expect(failure).toMatchObject({ values: { position: 0 } })
})
