/** The map from keys to offsets: its hash is what it says it is, and it never mixes up or loses a key. */

import { describe, expect, test } from 'vitest'
import { KeyHash } from '../../../storage/compaction/key-hash.ts'
import { KeyOffsetMap, NO_OFFSET, SLOT_BYTES } from '../../../storage/compaction/key-offset-map.ts'
import { SeededRandom } from '../../rigs/random.ts'

/** The first half of the hash as its authors print it: two little-endian words. */
function firstHalf(hash: KeyHash): string {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32LE(hash.a, 0)
  bytes.writeInt32LE(hash.b, 4)
  return bytes.toString('hex')
}

function hashOf(hash: KeyHash, text: string): KeyHash {
  const bytes = Buffer.from(text)
  hash.hash(bytes, 0, bytes.length)
  return hash
}

describe('the hash', () => {
  // The authors' vectors of HalfSipHash-2-4 with 64 bits: key 00…07, input 00, 01, 02 …
  test.each([
    [0, '218d1f59b9b83cc8'],
    [1, 'be552412f8387315'],
    [2, '064f39ef7c50eb57'],
    [3, 'ce0f1a45f7060679'],
    [4, 'd5e78a175be52ea1'],
    [5, 'cb9d7c3f2f3db580'],
  ])('of %i bytes is HalfSipHash', (length, expected) => {
    const secret = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7])
    const words = [secret.readInt32LE(0), secret.readInt32LE(4)]
    const hash = new KeyHash(Int32Array.from([...words, 9, 9]))
    const input = Buffer.from([7, 7, ...Array.from({ length }, (_, index) => index), 7])
    hash.hash(input, 2, 2 + length)
    expect(firstHalf(hash)).toBe(expected)
    const swapped = new KeyHash(Int32Array.from([9, 9, ...words]))
    swapped.hash(input, 2, 2 + length)
    expect([swapped.c, swapped.d]).toEqual([hash.a, hash.b])
    expect([swapped.a, swapped.b]).toEqual([hash.c, hash.d])
  })

  test('differs from compaction to compaction, so that nobody can prepare keys that collide', () => {
    const first = firstHalf(hashOf(new KeyHash(), 'key'))
    const others = Array.from({ length: 5 }, () => firstHalf(hashOf(new KeyHash(), 'key')))
    expect(new Set([first, ...others]).size).toBe(6)
  })
})

describe('the map', () => {
  test('knows the last offset of every key put in, also beyond 2^32, and of no other', () => {
    const random = new SeededRandom(1)
    const hash = new KeyHash()
    const map = new KeyOffsetMap(2_000, 1024 * 1024)
    const expected = new Map<string, number>()
    for (let put = 0; put < 10_000; put++) {
      const key = `key ${random.below(2_000)}`
      const offset = random.chance(0.5) ? put : 2 ** 40 + put
      expected.set(key, offset)
      expect(map.put(hashOf(hash, key), offset)).toBe(true)
    }
    expect(map.size).toBe(expected.size)
    for (const [key, offset] of expected) expect(map.get(hashOf(hash, key))).toBe(offset)
    for (let other = 0; other < 1_000; other++) {
      expect(map.get(hashOf(hash, `other ${other}`))).toBe(NO_OFFSET)
    }
  })

  test('keeps offset 0 and offset 2^53 - 2 apart from none', () => {
    const hash = new KeyHash()
    const map = new KeyOffsetMap(10, 1_000)
    map.put(hashOf(hash, 'first'), 0)
    map.put(hashOf(hash, 'last'), Number.MAX_SAFE_INTEGER - 1)
    expect(map.get(hashOf(hash, 'first'))).toBe(0)
    expect(map.get(hashOf(hash, 'last'))).toBe(Number.MAX_SAFE_INTEGER - 1)
  })

  test('takes no more keys than fit into its memory, but new offsets of those it has', () => {
    const hash = new KeyHash()
    const map = new KeyOffsetMap(1_000_000, 100 * SLOT_BYTES)
    expect(map.capacity).toBe(75)
    expect(map.sizeBytes).toBeLessThanOrEqual(100 * SLOT_BYTES)
    for (let key = 0; key < 75; key++) expect(map.put(hashOf(hash, `${key}`), key)).toBe(true)
    expect(map.put(hashOf(hash, 'one more'), 75)).toBe(false)
    expect(map.put(hashOf(hash, '7'), 76)).toBe(true)
    expect(map.get(hashOf(hash, 'one more'))).toBe(NO_OFFSET)
    expect(map.get(hashOf(hash, '7'))).toBe(76)
    expect(map.size).toBe(75)
  })

  test('is no larger than the keys there can be', () => {
    expect(new KeyOffsetMap(10, 1024 * 1024 * 1024).sizeBytes).toBeLessThan(1_000)
    expect(new KeyOffsetMap(0, 0).capacity).toBeGreaterThan(0)
  })
})
