/** Stopping in order: what was taken is answered, everything is closed, and the clean marker says so, and only then. */

import { expect, test } from 'vitest'
import {
  append,
  appendAll,
  batchOf,
  DIRECTORY,
  LOG_DIRECTORY,
  openManager,
  startAgain,
  startNew,
  TOPIC,
  topicOf,
  valuesFrom,
} from './log/engine.ts'
import { WatchedDisk } from './log/watched-disk.ts'

const MARKER = `${DIRECTORY}/clean-shutdown`

test('the marker is there only after everything is flushed and sealed, and gone before anything is written', async () => {
  const engine = await startNew({ config: { 'flush.messages': 1_000 } })
  await appendAll(engine.log, 'a')
  expect(engine.disk.medium.exists(MARKER)).toBe(false)
  expect(await engine.manager.close()).toBe(true)
  expect(engine.disk.medium.exists(MARKER)).toBe(true)
  const sealed = engine.disk.powerCut(1)
  const fileSystem = new WatchedDisk(sealed)
  const again = await startAgain(sealed, { ...engine.options, clock: engine.clock, fileSystem })
  expect(again.manager.wasCleanlyStopped).toBe(true)
  expect(await valuesFrom(again.log)).toEqual(['a'])
  const story = fileSystem.story()
  const gone = story.indexOf('removeFile clean-shutdown')
  expect(story[gone + 1]).toBe('syncDirectory data')
  const firstWrite = story.findIndex((call) => /^write.*(log|recovery-point|epochs)/.test(call))
  expect(gone).toBeLessThan(firstWrite)
})

test('no marker after a stop with a log offline, with one refused, or without any loaded', async () => {
  const offline = await startNew()
  offline.disk.faults.failNth(1, 'EIO', { which: ({ operation }) => operation === 'sync' })
  await appendAll(offline.log, 'a').catch(() => {})
  expect(await offline.manager.close()).toBe(false)
  expect(offline.disk.medium.exists(MARKER)).toBe(false)

  const refused = (await startNew()).disk.processKill(1)
  await refused.removeFile(`${LOG_DIRECTORY}/recovery-point`)
  const manager = await openManager({}, refused, offline.clock)
  await manager.loadLogs([topicOf({})])
  expect(await manager.close()).toBe(false)
  expect(refused.medium.exists(MARKER)).toBe(false)

  const killed = (await startNew()).disk.processKill(1)
  const unloaded = await openManager({}, killed, offline.clock)
  expect(await unloaded.close()).toBe(false)
  expect(killed.medium.exists(MARKER)).toBe(false)
})

test('no marker when a log could not be sealed', async () => {
  const { manager, log, disk } = await startNew()
  await appendAll(log, 'a')
  disk.faults.failNth(1, 'ENOSPC', { which: ({ path }) => path.endsWith('.snapshot') })
  expect(await manager.close()).toBe(false)
  expect(disk.medium.exists(MARKER)).toBe(false)
  expect(disk.openPaths).toEqual([])
})

test('after a clean stop every file is closed and the directory can be taken again', async () => {
  const engine = await startNew({ partitions: 5 })
  await appendAll(engine.log, 'a')
  await engine.manager.close()
  expect(engine.disk.openPaths).toEqual([])
  const again = await startAgain(engine.disk, { ...engine.options, clock: engine.clock })
  await expect(openManager(engine.options, engine.disk, engine.clock)).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_LOCKED',
  })
  await again.manager.close()
})

test('appends in flight at a stop are answered before it ends', async () => {
  const engine = await startNew({ partitions: 4 })
  const appends = Array.from({ length: 40 }, (_, at) =>
    append(engine.manager.log(TOPIC, at % 4)!, batchOf([`${at}`])),
  )
  const closing = engine.manager.close()
  expect(() => append(engine.log, batchOf(['late']))).not.toThrow(TypeError)
  await Promise.all(appends.map(({ acknowledged }) => acknowledged))
  await closing
  const again = await startAgain(engine.disk, { ...engine.options, clock: engine.clock })
  expect(again.manager.wasCleanlyStopped).toBe(true)
  const values = await Promise.all(
    [0, 1, 2, 3].map((partition) => valuesFrom(again.manager.log(TOPIC, partition)!)),
  )
  expect(values.flat().filter((value) => value !== 'late')).toHaveLength(40)
})
