/**
 * A compaction that ends at any call of the disk, by a power cut, a kill or an error: every key keeps its
 * last value, nothing that was gone is back, and the log goes on.
 */

import { expect, test } from 'vitest'
import { afterKill, afterPowerCut, type Engine, LOG_DIRECTORY, startAgain } from '../log/engine.ts'
import { batchesOf, compactNow, put, startCompacted, wordsOf } from './keyed-log.ts'

const LEFTOVERS = /\.(cleaned|swap|tmp|deleted)$/

/** Three closed segments that become one, and an active one. */
async function ready(): Promise<Engine> {
  const engine = await startCompacted({ 'index.interval.bytes': 0 }, { settings: {} })
  await put(engine.log, 'a=1 b=1')
  await put(engine.log, 'a=2')
  await engine.log.roll()
  await put(engine.log, 'b=2')
  await engine.log.roll()
  await put(engine.log, 'a= b=3')
  await put(engine.log, 'c=1')
  return engine
}

/** What the log says before, in the middle of and after compacting its closed segments. */
const BEFORE = '0:a=1 1:b=1 2:a=2 3:b=2 4:a= 5:b=3 6:c=1'
const AFTER = '2:a=2 3:b=2 4:a= 5:b=3 6:c=1'

function leftovers({ disk }: Engine): string[] {
  return disk.medium.paths(LOG_DIRECTORY).filter((path) => LEFTOVERS.test(path))
}

/** What must hold of a log that came back, whatever of the compaction it remembers. */
async function checkRestarted(again: Engine, what: string): Promise<string> {
  expect(again.manager.failures.size, what).toBe(0)
  const words = await wordsOf(again.log)
  expect([BEFORE, AFTER], what).toContain(words)
  await batchesOf(again.log)
  expect(leftovers(again), what).toEqual([])
  await put(again.log, 'd=1')
  await again.log.roll()
  await compactNow(again.log)
  expect(await wordsOf(again.log), what).toBe('4:a= 5:b=3 6:c=1 7:d=1')
  expect(await again.manager.close()).toBe(true)
  expect(again.disk.openPaths).toEqual([])
  return words
}

test('power may go at any call, in many ways: the log is the one before or the one after', async () => {
  const seen = new Set<string>()
  let calls = 0
  for (let n = 1; ; n++) {
    for (let seed = 1; seed <= 8; seed++) {
      const engine = await ready()
      engine.disk.faults.haltAtNth(n)
      const compacting = compactNow(engine.log).then(() => 'done')
      const end = await Promise.race([compacting, engine.disk.halted])
      if (end === 'done') calls = n
      const again =
        seed % 4 === 0 ? await afterKill(engine) : await afterPowerCut(engine, n * 100 + seed)
      seen.add(await checkRestarted(again, `call ${n}, seed ${seed}`))
    }
    if (calls > 0) break
  }
  expect(calls).toBeGreaterThan(30)
  expect(seen).toEqual(new Set([BEFORE, AFTER]))
})

test('power may go again while the start finishes what was begun', async () => {
  for (let n = 1; ; n++) {
    const engine = await ready()
    // The new segment has its place, the old ones are still there.
    engine.disk.faults.failWhen(({ operation }) => operation === 'removeFile', 'EIO')
    await expect(compactNow(engine.log)).rejects.toThrow(/could not take its place/)
    const disk = engine.disk.processKill(n)
    expect(disk.medium.paths(LOG_DIRECTORY).some((path) => path.endsWith('.log.swap'))).toBe(true)
    disk.faults.haltAtNth(n)
    const options = { ...engine.options, clock: engine.clock }
    const starting = startAgain(disk, options).then(() => 'done')
    const end = await Promise.race([starting, disk.halted])
    const again = await startAgain(disk.powerCut(n), options)
    expect(await checkRestarted(again, `call ${n}`)).toBe(AFTER)
    if (end === 'done') break
  }
})

test.each(['EIO', 'ENOSPC'] as const)(
  'any call may fail with %s: nobody who writes or reads notices',
  async (code) => {
    for (const extent of ['undone', 'partial', 'done'] as const) {
      for (let n = 1; ; n++) {
        const what = `call ${n}, ${extent}`
        const engine = await ready()
        engine.disk.faults.failNth(n, code, { extent })
        const error = await compactNow(engine.log).then(
          () => undefined,
          (failure) => failure,
        )
        engine.disk.faults.clear()
        const [struck] = engine.disk.faults.struck
        if (struck === undefined) break
        expect([BEFORE, AFTER], what).toContain(await wordsOf(engine.log))
        expect(engine.log.isOffline, what).toBe(false)
        if (error !== undefined) expect(engine.log.compaction.failure, what).toContain(code)
        await put(engine.log, 'd=1')
        expect(await engine.manager.close(), what).toBe(true)
        expect(engine.disk.openPaths, what).toEqual([])
        const again = await afterKill(engine)
        expect(await wordsOf(again.log), what).toMatch(
          /^(0:a=1 1:b=1 )?2:a=2 3:b=2 4:a= 5:b=3 6:c=1 7:d=1$/,
        )
        expect(leftovers(again), what).toEqual([])
        await again.log.roll()
        await compactNow(again.log)
        expect(await wordsOf(again.log), what).toBe('4:a= 5:b=3 6:c=1 7:d=1')
      }
    }
  },
)

test('after a failure before its place was taken, the next compaction makes it good', async () => {
  const engine = await ready()
  engine.disk.faults.failNth(1, 'ENOSPC', { which: ({ path }) => path.endsWith('.cleaned') })
  await expect(compactNow(engine.log)).rejects.toThrow('ENOSPC')
  expect(leftovers(engine)).toEqual([])
  await compactNow(engine.log)
  expect(engine.log.compaction.failure).toBeUndefined()
  expect(await wordsOf(engine.log)).toBe(AFTER)
})

test('after a failure in the middle of a swap the log is not compacted again until a restart', async () => {
  const engine = await ready()
  const isFinalSync = ({ operation }: { operation: string }) => operation === 'syncDirectory'
  engine.disk.faults.failNth(1, 'EIO', { which: isFinalSync })
  await expect(compactNow(engine.log)).rejects.toThrow(/could not take its place/)
  engine.clock.advance(24 * 3_600_000)
  expect(await engine.log.compaction.dirt()).toBeUndefined()
  expect(await wordsOf(engine.log)).toBe(BEFORE)
  const again = await afterKill(engine)
  expect(await wordsOf(again.log)).toBe(AFTER)
})

test('a swap that is damaged is refused, by name, and nothing is removed for it', async () => {
  const engine = await ready()
  engine.disk.faults.failWhen(({ operation }) => operation === 'removeFile', 'EIO')
  await expect(compactNow(engine.log)).rejects.toThrow()
  const disk = engine.disk.processKill(1)
  const path = `${LOG_DIRECTORY}/00000000000000000000.log.swap`
  disk.medium.corrupt(path, 130, Buffer.from([0xff]))
  const names = disk.medium.paths(LOG_DIRECTORY).filter((name) => name.endsWith('.log'))
  const again = await startAgain(disk, { ...engine.options, clock: engine.clock }).catch(
    (error) => error,
  )
  expect(String(again.message)).toContain('00000000000000000000.log.swap is corrupt')
  expect(disk.medium.paths(LOG_DIRECTORY).filter((name) => name.endsWith('.log'))).toEqual(names)
})
