/**
 * The LZ4 frame: reads what the reference library writes, refuses what Kafka refuses, and never makes
 * or allocates more than it was allowed to.
 */

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../storage/errors.ts'
import { decodeLz4Frame, encodeLz4Frame } from '../../../storage/record/lz4-frame.ts'
import { xxHash32 } from '../../../storage/record/xxhash32.ts'
import { MANY } from '../../golden/records.ts'

const MIB = 1024 * 1024
const END_MARK = [0, 0, 0, 0]

const golden = (name: string) =>
  readFileSync(new URL(`../../golden/lz4-frames/${name}.lz4`, import.meta.url))

/** A frame put together by hand: descriptor, its checksum, then `rest`. */
function frame(flags: number, descriptor: number, rest: readonly number[], extra: number[] = []) {
  const fields = Buffer.from([flags, descriptor, ...extra])
  const checksum = (xxHash32(fields) >>> 8) & 0xff
  return Buffer.from([0x04, 0x22, 0x4d, 0x18, ...fields, checksum, ...rest])
}

/** A block stored as it is. */
function stored(text: string): number[] {
  const bytes = Buffer.from(text)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(0x8000_0000 + bytes.length)
  return [...size, ...bytes]
}

function checksum(text: string): number[] {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(xxHash32(Buffer.from(text)))
  return [...bytes]
}

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof StorageError) return error.code
    throw error
  }
  return 'accepted'
}

describe('frames of the reference library', () => {
  const text = Buffer.concat(MANY.map((record) => record.value ?? Buffer.alloc(0)))

  test.each([
    'sized',
    'checksums-64k',
    'checksums-256k',
    'block-checksums-1m',
    'content-checksum-4m',
  ])('%s is read', (name) => {
    expect(decodeLz4Frame(golden(name), text.length).equals(text)).toBe(true)
    expect(codeOf(() => decodeLz4Frame(golden(name), text.length - 1))).toBe('MESSAGE_TOO_LARGE')
  })

  test('dependent blocks are refused', () => {
    expect(() => decodeLz4Frame(golden('linked'), MIB)).toThrow(/dependent/)
  })

  // A flipped bit may be without effect (a match that could as well begin elsewhere), never change
  // what is read. Only the content checksum promises that: the block's does not cover its "stored" bit.
  test.each(['checksums-64k', 'content-checksum-4m'])(
    '%s: no single flipped bit changes the content unnoticed',
    (name) => {
      const bytes = golden(name)
      fc.assert(
        fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
          const flipped = Buffer.from(bytes)
          flipped[bit >> 3]! ^= 1 << (bit & 7)
          let content: Buffer
          try {
            content = decodeLz4Frame(flipped, MIB)
          } catch (error) {
            expect(error).toBeInstanceOf(StorageError)
            return
          }
          expect(content.equals(text)).toBe(true)
        }),
        { numRuns: 300 },
      )
    },
  )
})

describe('round trip', () => {
  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(40), (bytes, times) => {
        const content = Buffer.concat(Array.from({ length: times }, () => bytes))
        expect(decodeLz4Frame(encodeLz4Frame(content), content.length).equals(content)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  test('bytes that do not compress are stored, block by block', () => {
    let state = 1
    const noise = Buffer.from(
      Array.from({ length: 150_000 }, () => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fff_ffff
        return state >> 16
      }),
    )
    const encoded = encodeLz4Frame(noise)
    expect(encoded.length).toBe(noise.length + 7 + 3 * 4 + 4)
    expect(decodeLz4Frame(encoded, noise.length).equals(noise)).toBe(true)
  })
})

describe('by hand', () => {
  test.each([
    ['stored block', frame(0x60, 0x40, [...stored('hello'), ...END_MARK])],
    ['two blocks', frame(0x60, 0x70, [...stored('hel'), ...stored('lo'), ...END_MARK])],
    [
      'content size',
      frame(0x68, 0x40, [...stored('hello'), ...END_MARK], [5, 0, 0, 0, 0, 0, 0, 0]),
    ],
    ['block checksum', frame(0x70, 0x40, [...stored('hello'), ...checksum('hello'), ...END_MARK])],
    [
      'content checksum',
      frame(0x64, 0x40, [...stored('hello'), ...END_MARK, ...checksum('hello')]),
    ],
  ])('%s is read', (_, bytes) => {
    expect(decodeLz4Frame(bytes, 100).toString()).toBe('hello')
  })

  const good = frame(0x60, 0x40, [...stored('hello'), ...END_MARK])
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['another magic', Buffer.concat([Buffer.from([0x05]), good.subarray(1)])],
    ['a legacy frame', Buffer.from([0x02, 0x21, 0x4c, 0x18, 1, 0, 0, 0, 0x00, 0, 0, 0, 0])],
    ['a skippable frame', Buffer.concat([skippable, good])],
    ['a skippable frame behind', Buffer.concat([good, skippable])],
    ['two frames', Buffer.concat([good, good])],
    ['a trailing byte', Buffer.concat([good, Buffer.from([0])])],
    ['no end mark', good.subarray(0, good.length - 4)],
    ['half an end mark', good.subarray(0, good.length - 2)],
    ['a cut block', frame(0x60, 0x40, stored('hello').slice(0, 6))],
    ['version 00', frame(0x20, 0x40, END_MARK)],
    ['dependent blocks', frame(0x40, 0x40, END_MARK)],
    ['a reserved flag', frame(0x62, 0x40, END_MARK)],
    ['a dictionary', frame(0x61, 0x40, END_MARK, [1, 0, 0, 0])],
    ['a reserved bit of the descriptor', frame(0x60, 0xc0, END_MARK)],
    ['a low bit of the descriptor', frame(0x60, 0x41, END_MARK)],
    ['block size code 3', frame(0x60, 0x30, END_MARK)],
    [
      'a wrong header checksum',
      Buffer.from([...good.subarray(0, 6), good[6]! ^ 1, ...good.subarray(7)]),
    ],
    [
      'a block larger than declared',
      frame(0x60, 0x40, [...stored('x'.repeat(65_537)), ...END_MARK]),
    ],
    ['a stored block of nothing', frame(0x60, 0x40, [0, 0, 0, 0x80, ...END_MARK])],
    ['a wrong block checksum', frame(0x70, 0x40, [...stored('hello'), 1, 2, 3, 4, ...END_MARK])],
    ['a wrong content checksum', frame(0x64, 0x40, [...stored('hello'), ...END_MARK, 1, 2, 3, 4])],
    ['a missing content checksum', frame(0x64, 0x40, [...stored('hello'), ...END_MARK])],
    [
      'a content size too small',
      frame(0x68, 0x40, [...stored('hello'), ...END_MARK], [4, 0, 0, 0, 0, 0, 0, 0]),
    ],
    [
      'a content size too large',
      frame(0x68, 0x40, [...stored('hello'), ...END_MARK], [6, 0, 0, 0, 0, 0, 0, 0]),
    ],
    ['a block that is no LZ4', frame(0x60, 0x40, [3, 0, 0, 0, 0xff, 0xff, 0xff, ...END_MARK])],
  ])('%s is corrupt', (_, bytes) => {
    expect(codeOf(() => decodeLz4Frame(bytes, 100_000))).toBe('CORRUPT_MESSAGE')
  })

  test('an absurd content size is too large, and nothing is allocated for it', () => {
    const bytes = frame(0x68, 0x40, [...stored('hello'), ...END_MARK], [0, 0, 0, 0, 0, 1, 0, 0])
    expect(codeOf(() => decodeLz4Frame(bytes, MIB))).toBe('MESSAGE_TOO_LARGE')
  })

  test('a block that makes more than the declared maximum is corrupt, not too large', () => {
    // One literal, a match of 19 + 255 * 257 at distance 1, five literals: 65,560 bytes.
    const block = [
      0x1f,
      0x61,
      1,
      0,
      ...Array.from({ length: 257 }, () => 0xff),
      0,
      0x50,
      ...Buffer.from('aaaaa'),
    ]
    const bytes = (descriptor: number) =>
      frame(0x60, descriptor, [block.length & 0xff, block.length >> 8, 0, 0, ...block, ...END_MARK])
    expect(decodeLz4Frame(bytes(0x50), MIB).length).toBe(65_560)
    expect(codeOf(() => decodeLz4Frame(bytes(0x40), MIB))).toBe('CORRUPT_MESSAGE')
    expect(codeOf(() => decodeLz4Frame(bytes(0x50), 65_559))).toBe('MESSAGE_TOO_LARGE')
  })
})

test('a frame of tiny blocks is refused before any is decoded', () => {
  const tiny = Array.from({ length: 1000 }, () => stored('a')).flat()
  expect(() => decodeLz4Frame(frame(0x60, 0x40, [...tiny, ...END_MARK]), MIB)).toThrow(
    /short blocks/,
  )
  const flushed = Array.from({ length: 60 }, () => stored('a')).flat()
  expect(decodeLz4Frame(frame(0x60, 0x40, [...flushed, ...END_MARK]), MIB).length).toBe(60)
})

test('scratch is used where the content is sure to fit, and bounds nothing', () => {
  const content = Buffer.from('some content '.repeat(20_000))
  const encoded = encodeLz4Frame(content)
  const roomy = Buffer.alloc(512 * 1024)
  const inScratch = decodeLz4Frame(encoded, MIB, roomy)
  expect(inScratch.buffer).toBe(roomy.buffer)
  expect(inScratch.equals(content)).toBe(true)
  const small = Buffer.alloc(content.length - 1)
  expect(decodeLz4Frame(encoded, MIB, small).equals(content)).toBe(true)
  expect(small.equals(Buffer.alloc(small.length))).toBe(true)
  expect(codeOf(() => decodeLz4Frame(encoded, content.length - 1, roomy))).toBe('MESSAGE_TOO_LARGE')
})

test('a bomb stops at the bound, and what is allocated stays near it', () => {
  const bomb = encodeLz4Frame(Buffer.alloc(64 * MIB))
  expect(bomb.length).toBeLessThan(MIB)
  const before = process.memoryUsage().arrayBuffers
  expect(codeOf(() => decodeLz4Frame(bomb, MIB))).toBe('MESSAGE_TOO_LARGE')
  // The output itself; what each block was decoded into is given back at once.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB + 128 * 1024)
})

test('any bytes give content or a StorageError, never more than allowed', () => {
  const base = encodeLz4Frame(Buffer.from('the quick brown fox '.repeat(30)))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(base.length),
      fc.uint8Array({ maxLength: 20 }),
      (changes, cut, tail) => {
        const bytes = Buffer.concat([base.subarray(0, cut), tail])
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        const code = codeOf(() => {
          expect(decodeLz4Frame(bytes, 700).length).toBeLessThanOrEqual(700)
        })
        expect(['accepted', 'CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE']).toContain(code)
      },
    ),
    { numRuns: 2000 },
  )
})
