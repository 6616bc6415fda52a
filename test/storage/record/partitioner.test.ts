/**
 * Keys go where every other producer sends them; records without a key are spread, a batch at a time.
 */

import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  murmur2,
  partitionerReady,
  partitionForKey,
  StickyChooser,
  xxHash64,
} from '../../../storage/record/partitioner.ts'

beforeAll(() => partitionerReady('xxhash64'))

// Kafka's own vectors: clients' UtilsTest.testMurmur2.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
])('murmur2 of "%s"', (text, expected) => {
  expect(murmur2(Buffer.from(text))).toBe(expected)
})

test('murmur2 of three letters, and of nothing', () => {
  expect(murmur2(Buffer.from('abc'))).toBe(479470107)
  expect(murmur2(Buffer.alloc(0))).toBe(275646681)
})

// The xxHash project's reference values, seed 0.
test.each([
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
  ['Nobody inspects the spammish repetition', 0xfbcea83c8a378bf1n],
])('xxHash64 of "%s"', (text, expected) => {
  expect(xxHash64(Buffer.from(text))).toBe(expected)
})

describe('the partition of a key', () => {
  test('is the unsigned hash modulo the number of partitions', () => {
    expect(partitionForKey('xxhash64', Buffer.from(''), 10)).toBe(Number(0xef46db3751d8e999n % 10n))
    expect(partitionForKey('murmur2', Buffer.from('21'), 1000)).toBe(
      (-973932308 & 0x7fffffff) % 1000,
    )
  })

  test('is inside, stable, and a view’s own bytes decide', () => {
    const names = fc.constantFrom('xxhash64' as const, 'murmur2' as const)
    fc.assert(
      fc.property(
        names,
        fc.uint8Array({ maxLength: 70 }),
        fc.integer({ min: 1, max: 100_000 }),
        (name, key, partitions) => {
          const partition = partitionForKey(name, key, partitions)
          expect(partition).toBeGreaterThanOrEqual(0)
          expect(partition).toBeLessThan(partitions)
          const embedded = Buffer.concat([Buffer.from('xyz'), key, Buffer.from('abc')])
          const view = embedded.subarray(3, 3 + key.length)
          expect(partitionForKey(name, view, partitions)).toBe(partition)
        },
      ),
    )
  })

  test.each(['xxhash64', 'murmur2'] as const)('%s spreads keys evenly', (name) => {
    const counts = new Array<number>(12).fill(0)
    for (let index = 0; index < 12_000; index++) {
      counts[partitionForKey(name, Buffer.from(`user-${index}`), 12)]! += 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(800)
    expect(Math.max(...counts)).toBeLessThan(1200)
  })
})

describe('without a key', () => {
  /** A chance that gives these numbers, over and over. */
  function rigged(...numbers: number[]) {
    let index = 0
    return { next: () => numbers[index++ % numbers.length] ?? 0 }
  }

  test('one partition for a whole batch, another for the next', () => {
    const chooser = new StickyChooser(rigged(0.5, 0, 0.99))
    expect([chooser.choose(4), chooser.choose(4), chooser.choose(4)]).toEqual([2, 2, 2])
    chooser.batchDone(4)
    expect([chooser.choose(4), chooser.choose(4)]).toEqual([3, 3])
    chooser.batchDone(4)
    expect(chooser.choose(4)).toBe(2)
  })

  test('the next partition is always another one, and each gets its share', () => {
    let state = 7
    const random = {
      next() {
        state = (Math.imul(state, 48271) >>> 0) % 2147483647
        return state / 2147483647
      },
    }
    const chooser = new StickyChooser(random)
    const counts = [0, 0, 0]
    for (let batch = 0; batch < 3000; batch++) {
      const partition = chooser.choose(3)
      counts[partition]! += 1
      chooser.batchDone(3)
      expect(chooser.choose(3)).not.toBe(partition)
    }
    expect(Math.min(...counts)).toBeGreaterThan(900)
  })

  test('one partition is chosen again, and a topic may lose or gain partitions', () => {
    const chooser = new StickyChooser(rigged(0.9))
    expect(chooser.choose(1)).toBe(0)
    chooser.batchDone(1)
    expect(chooser.choose(1)).toBe(0)
    expect(new StickyChooser(rigged(0.9)).choose(10)).toBe(9)
    const shrinking = new StickyChooser(rigged(0.9))
    shrinking.choose(10)
    expect(shrinking.choose(2)).toBe(1)
  })
})
