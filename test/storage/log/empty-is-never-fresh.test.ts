/** Something missing or empty where there was data is an error, never a new beginning. */

import { expect, test } from 'vitest'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import {
  append,
  appendAll,
  batchOfBytes,
  DIRECTORY,
  type Engine,
  FIRST_LOG,
  LOG_DIRECTORY,
  openManager,
  startNew,
  TOPIC,
  topicOf,
} from './engine.ts'

const RECOVERY_POINT = `${LOG_DIRECTORY}/recovery-point`

/** Three segments; each of them holds one record. */
async function threeSegments(): Promise<Engine> {
  const engine = await startNew({ config: { 'segment.bytes': 1_024 } })
  for (let at = 0; at < 3; at++) await append(engine.log, batchOfBytes(700)).acknowledged
  return engine
}

async function failureAfter(
  engine: Engine,
  damage: (disk: SimulatedDisk) => Promise<void> | void,
  isCleanStop = false,
): Promise<{ failure: Error | undefined; disk: SimulatedDisk; paths: string[] }> {
  if (isCleanStop) await engine.manager.close()
  const disk = engine.disk.processKill(1)
  await damage(disk)
  const paths = disk.medium.paths(DIRECTORY).filter((path) => path.endsWith('.log'))
  const manager = await openManager(engine.options, disk, engine.clock)
  await manager.loadLogs([topicOf(engine.options)])
  return { failure: manager.failures.get(`${TOPIC}-0`), disk, paths }
}

const removed = (path: string) => (disk: SimulatedDisk) => disk.removeFile(path)
const emptied = (path: string) => (disk: SimulatedDisk) =>
  disk.medium.provideFile(path, Buffer.alloc(0))

async function directoryGone(disk: SimulatedDisk): Promise<void> {
  for (const path of disk.medium.paths(LOG_DIRECTORY)) await disk.removeFile(path)
  await disk.removeDirectory(LOG_DIRECTORY)
}

async function allFilesGone(disk: SimulatedDisk): Promise<void> {
  for (const path of disk.medium.paths(LOG_DIRECTORY)) await disk.removeFile(path)
}

const SECOND = FIRST_LOG.replace('0.log', '1.log')
const THIRD = FIRST_LOG.replace('0.log', '2.log')

const LOSSES: [string, (disk: SimulatedDisk) => Promise<void> | void][] = [
  ['the directory is missing', directoryGone],
  ['the directory is empty', allFilesGone],
  ['the recovery point is missing', removed(RECOVERY_POINT)],
  ['the recovery point is empty', emptied(RECOVERY_POINT)],
  [
    'the recovery point is all zeros',
    (disk) => disk.medium.provideFile(RECOVERY_POINT, Buffer.alloc(1_024)),
  ],
  ['the first segment is missing', removed(FIRST_LOG)],
  ['the last segment is missing', removed(THIRD)],
  ['the last segment is empty', emptied(THIRD)],
  [
    'the last segment ends below the recovery point',
    (disk) => disk.medium.provideFile(THIRD, disk.medium.contents(THIRD).subarray(0, 300)),
  ],
]

for (const isCleanStop of [false, true]) {
  const stop = isCleanStop ? 'a clean stop' : 'a kill'
  test.each(LOSSES)(`after ${stop} %s: refused, nothing made anew`, async (_, damage) => {
    const { failure, disk, paths } = await failureAfter(await threeSegments(), damage, isCleanStop)
    expect(failure).toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    expect(disk.medium.paths(DIRECTORY).filter((path) => path.endsWith('.log'))).toEqual(paths)
  })
}

test('a segment missing in the middle is an error for whoever reads over the gap', async () => {
  const engine = await threeSegments()
  const disk = engine.disk.processKill(1)
  await disk.removeFile(SECOND)
  const manager = await openManager(engine.options, disk, engine.clock)
  await manager.loadLogs([topicOf(engine.options)])
  const log = manager.log(TOPIC, 0)!
  await expect(log.read(1 as never, { maxBytes: 10_000 })).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
  })
})

test('a log that was refused is not made anew by whoever creates its topic again', async () => {
  const engine = await threeSegments()
  const disk = engine.disk.processKill(1)
  disk.medium.provideFile(RECOVERY_POINT, Buffer.alloc(0))
  const manager = await openManager(engine.options, disk, engine.clock)
  await manager.loadLogs([topicOf(engine.options)])
  await expect(manager.createTopicLogs(topicOf(engine.options), [0])).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
  })
  expect(disk.medium.contents(FIRST_LOG).length).toBeGreaterThan(700)
})

test('a directory that holds records is not emptied by a creation', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  const disk = engine.disk.processKill(1)
  const manager = await openManager(engine.options, disk, engine.clock)
  await manager.loadLogs([{ ...topicOf(engine.options), partitions: 0 }])
  await expect(manager.createTopicLogs(topicOf(engine.options), [0])).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
  })
  expect(disk.medium.contents(FIRST_LOG).length).toBeGreaterThan(61)
})

test('leader epochs missing beside partitions: the directory is refused', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  const disk = engine.disk.processKill(1)
  await disk.removeFile(`${DIRECTORY}/leader-epochs`)
  await expect(openManager(engine.options, disk, engine.clock)).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
  })
})

test.each(['', 'SPOOL', 'SPOOLLEP\0\0\0\x02\0\0\0\0'])(
  'leader epochs that begin with %j are refused',
  async (text) => {
    const engine = await startNew()
    const disk = engine.disk.processKill(1)
    disk.medium.provideFile(`${DIRECTORY}/leader-epochs`, Buffer.from(text, 'latin1'))
    await expect(openManager(engine.options, disk, engine.clock)).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    })
  },
)
