/** No more syncs at once than the pool has room for, and whoever waited longest for one goes first. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { poolSize, SyncScheduler, syncsAtOnce } from '../../../storage/file/sync-scheduler.ts'
import { diskError, settled } from './held-files.ts'

/** Syncs that end when told, in the order the scheduler started them. */
class HeldSyncs {
  readonly started: string[] = []
  readonly #ends: ((error?: Error) => void)[] = []

  file(name: string): { sync(): Promise<void> } {
    return {
      sync: () => {
        this.started.push(name)
        return new Promise((resolve, reject) => {
          this.#ends.push((error) => (error ? reject(error) : resolve()))
        })
      },
    }
  }

  async endOldest(error?: Error): Promise<void> {
    this.#ends.shift()?.(error)
    await settled()
  }
}

describe('how many at once', () => {
  test('eight threads are left to others, and two syncs run however small the pool', () => {
    expect([1, 4, 9, 10, 11, 32, 128].map(syncsAtOnce)).toEqual([2, 2, 2, 2, 3, 24, 120])
  })

  test('the size of the pool is read as libuv reads it', () => {
    const sizes = [undefined, '32', '0', '-5', 'many', '5000', '16 threads', '']
    expect(
      sizes.map((size) => poolSize(size === undefined ? {} : { UV_THREADPOOL_SIZE: size })),
    ).toEqual([4, 32, 1, 1, 1, 1024, 16, 1])
  })

  test('a limit that is none is refused', () => {
    for (const limit of [0, -1, 1.5, Number.NaN]) {
      expect(() => new SyncScheduler(limit)).toThrow(/syncs at once/)
    }
  })
})

describe('who goes next', () => {
  test('least recently synced first, first come first served among equals', async () => {
    const syncs = new HeldSyncs()
    const scheduler = new SyncScheduler(1)
    const wanted: [string, number][] = [
      ['running', 99],
      ['c1', 30],
      ['a1', 10],
      ['c2', 30],
      ['b1', 20],
      ['a2', 10],
      ['never', Number.NEGATIVE_INFINITY],
    ]
    const all = wanted.map(([name, syncedAt]) => scheduler.sync(syncs.file(name), syncedAt))
    expect(scheduler.waitingCount).toBe(6)
    for (const _ of wanted) await syncs.endOldest()
    await Promise.all(all)
    expect(syncs.started).toEqual(['running', 'never', 'a1', 'a2', 'b1', 'c1', 'c2'])
    expect([scheduler.runningCount, scheduler.waitingCount]).toEqual([0, 0])
  })

  test('a newcomer can not take the place that came free for one who waits', async () => {
    const syncs = new HeldSyncs()
    const scheduler = new SyncScheduler(1)
    const first = scheduler.sync(syncs.file('first'), 1).then(() => {
      return scheduler.sync(syncs.file('first again'), 0)
    })
    const waiting = scheduler.sync(syncs.file('waiting'), 5)
    for (let n = 0; n < 3; n += 1) await syncs.endOldest()
    await Promise.all([first, waiting])
    expect(syncs.started).toEqual(['first', 'waiting', 'first again'])
  })

  test('a sync that fails tells its caller and frees its place', async () => {
    const syncs = new HeldSyncs()
    const scheduler = new SyncScheduler(1)
    const failing = scheduler.sync(syncs.file('failing'), 0)
    const next = scheduler.sync(syncs.file('next'), 0)
    const refused = expect(failing).rejects.toMatchObject({ code: 'EIO' })
    await syncs.endOldest(diskError('EIO'))
    await refused
    await syncs.endOldest()
    await next
    const throwing = {
      sync() {
        throw new Error('at once')
      },
    }
    await expect(scheduler.sync(throwing, 0)).rejects.toThrow('at once')
    expect(scheduler.runningCount).toBe(0)
  })

  test('any arrivals and endings: never over the limit, no place idle, always the right one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant('end' as const)), {
          maxLength: 40,
        }),
        async (limit, steps) => {
          const syncs = new HeldSyncs()
          const scheduler = new SyncScheduler(limit)
          const expectedStarts: string[] = []
          let waiting: { name: string; syncedAt: number }[] = []
          let running = 0
          const all: Promise<void>[] = []
          const end = async () => {
            if (running === 0) return
            await syncs.endOldest()
            const next = waiting.toSorted((a, b) => a.syncedAt - b.syncedAt)[0]
            waiting = waiting.filter((entry) => entry !== next)
            if (next === undefined) running -= 1
            else expectedStarts.push(next.name)
          }
          for (const [n, step] of steps.entries()) {
            if (step === 'end') {
              await end()
            } else {
              all.push(scheduler.sync(syncs.file(`${n}`), step))
              if (running < limit) {
                running += 1
                expectedStarts.push(`${n}`)
              } else {
                waiting.push({ name: `${n}`, syncedAt: step })
              }
            }
            expect(syncs.started).toEqual(expectedStarts)
            expect(scheduler.runningCount).toBe(running)
            expect(scheduler.waitingCount).toBe(waiting.length)
          }
          while (running > 0) await end()
          await Promise.all(all)
        },
      ),
      { numRuns: 150 },
    )
  })
})
