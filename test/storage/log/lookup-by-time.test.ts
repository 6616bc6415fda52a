/** The first record at or after a time: out of order, compressed, across segments, never above the high watermark. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CompressionName } from '../../../storage/record/compression.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import { SeededRandom } from '../../rigs/random.ts'
import {
  afterCleanStop,
  afterKill,
  append,
  batchOf,
  type Engine,
  FIRST_LOG,
  newDisk,
  settled,
  startNew,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const NOW = Date.UTC(2024, 0, 1)

interface Known {
  readonly offset: number
  readonly timestamp: number
}

/** A log of batches whose timestamps wander, and what is in it. */
async function wandering(seed: number): Promise<{ engine: Engine; known: Known[] }> {
  const random = new SeededRandom(seed)
  const engine = await startNew({
    config: { 'segment.bytes': 3_000, 'index.interval.bytes': random.pick([0, 300, 4_096]) },
  })
  const known: Known[] = []
  let time = NOW - 1_000_000
  for (let at = 0; at < 60; at++) {
    const timestamps = Array.from({ length: random.between(1, 6) }, () => {
      time += random.between(-300, 400)
      return time
    })
    const compression = random.pick<CompressionName>(['none', 'gzip', 'lz4', 'snappy', 'zstd'])
    const { baseOffset, acknowledged } = append(
      engine.log,
      batchOf(
        timestamps.map((_, index) => `${at}.${index}`.padEnd(random.below(120), '.')),
        { timestamps, compression },
      ),
    )
    await acknowledged
    for (const [index, timestamp] of timestamps.entries()) {
      known.push({ offset: baseOffset + index, timestamp })
    }
  }
  return { engine, known }
}

test.each([1, 2, 3])(
  'as a linear scan finds it, before and after restarts (seed %i)',
  async (seed) => {
    const { engine, known } = await wandering(seed)
    expect(engine.log.segmentCount).toBeGreaterThan(3)
    const check = async ({ log }: Engine, from = 0) => {
      const times = known.flatMap(({ timestamp }) => [timestamp - 1, timestamp, timestamp + 1])
      for (const time of [0, NOW, ...times]) {
        const expected = known.find(({ offset, timestamp }) => offset >= from && timestamp >= time)
        expect(await log.offsetForTime(time)).toEqual(expected)
      }
    }
    await check(engine)
    const killed = await afterKill(engine)
    await check(killed)
    const stopped = await afterCleanStop(killed)
    await check(stopped)
    const middle = Math.floor(known.length / 2)
    await stopped.log.deletePrefix(toOffset(middle))
    await check(stopped, middle)
  },
)

test('what is not below the high watermark is not found', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem })
  await append(log, batchOf(['a'], { timestamps: [NOW - 10] })).acknowledged
  const sync = fileSystem.hold((call) => call.operation === 'sync' && call.path === FIRST_LOG)
  const later = append(log, batchOf(['b'], { timestamps: [NOW] }))
  await settled()
  expect(await log.offsetForTime(NOW)).toBeUndefined()
  expect(await log.offsetForTime(NOW - 10)).toEqual({ offset: 0, timestamp: NOW - 10 })
  sync.release()
  await later.acknowledged
  expect(await log.offsetForTime(NOW)).toEqual({ offset: 1, timestamp: NOW })
})

test('only the batch that holds the answer is read whole', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem })
  const sizes: number[] = []
  for (let at = 0; at < 40; at++) {
    const batch = batchOf(['.'.repeat(10_000)], { timestamps: [NOW - 1_000 + at] })
    sizes.push(batch.length)
    await append(log, batch).acknowledged
  }
  fileSystem.calls.length = 0
  expect(await log.offsetForTime(NOW - 1_000 + 30)).toMatchObject({ offset: 30 })
  const whole = fileSystem.calls.filter(({ bytes }) => bytes === sizes[0])
  expect(whole).toHaveLength(1)
})

test('segments deleted while others are looked at do not hide the answer', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem, config: { 'segment.bytes': 1_024 } })
  for (let at = 0; at < 8; at++) {
    await append(log, batchOf(['.'.repeat(700)], { timestamps: [NOW + at] })).acknowledged
  }
  const held = fileSystem.hold(
    ({ operation, path }) => operation === 'readFile' && path.endsWith('index'),
  )
  const found = log.offsetForTime(NOW + 2)
  await settled()
  expect(held.waiting).toBe(1)
  await log.deletePrefix(toOffset(2))
  clock.advance(60_000)
  await settled()
  held.release()
  expect(await found).toEqual({ offset: 2, timestamp: NOW + 2 })
})

test('any time is answered alike from any log start', async () => {
  const { engine, known } = await wandering(9)
  const first = known[0]!.timestamp
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: -1_000, max: 30_000 }), async (past) => {
      const expected = known.find(({ timestamp }) => timestamp >= first + past)
      expect(await engine.log.offsetForTime(first + past)).toEqual(expected)
    }),
    { numRuns: 60 },
  )
})
