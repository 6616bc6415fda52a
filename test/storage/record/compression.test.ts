/**
 * Each codec gives back what it was given, within the bound, and turns anything else into a StorageError.
 */

import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../storage/errors.ts'
import { COMPRESSION_NAMES, compress, decompress } from '../../../storage/record/compression.ts'
import { encodeSnappy } from '../../../storage/record/snappy-frame.ts'

const MIB = 1024 * 1024
const COMPRESSING = COMPRESSION_NAMES.filter((name) => name !== 'none')

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof StorageError) return error.code
    throw error
  }
  return 'accepted'
}

test('the codes in a batch’s attributes are Kafka’s', () => {
  expect(Object.entries(COMPRESSION_NAMES)).toEqual([
    ['0', 'none'],
    ['1', 'gzip'],
    ['2', 'snappy'],
    ['3', 'lz4'],
    ['4', 'zstd'],
  ])
})

describe.each(COMPRESSING)('%s', (name) => {
  test('round trip, at exactly the bound and not a byte below it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 2000 }),
        fc.integer({ min: 1, max: 60 }),
        (bytes, times) => {
          const content = Buffer.concat(Array.from({ length: times }, () => bytes))
          const packed = compress(name, content)
          expect(decompress(name, packed, content.length).equals(content)).toBe(true)
          if (content.length > 1) {
            expect(codeOf(() => decompress(name, packed, content.length - 1))).toBe(
              'MESSAGE_TOO_LARGE',
            )
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('nothing at all is corrupt, not empty', () => {
    expect(codeOf(() => decompress(name, Buffer.alloc(0), MIB))).toBe('CORRUPT_MESSAGE')
  })

  test('a cut stream and trailing bytes are corrupt', () => {
    const packed = compress(
      name,
      Buffer.from('some text, some text, some text, some text'.repeat(20)),
    )
    for (let cut = 0; cut < packed.length; cut++) {
      expect(codeOf(() => decompress(name, packed.subarray(0, cut), MIB))).toBe('CORRUPT_MESSAGE')
    }
    const trailed = Buffer.concat([packed, Buffer.from('x')])
    expect(codeOf(() => decompress(name, trailed, MIB))).toBe('CORRUPT_MESSAGE')
  })

  test('a bomb stops at the bound, and what is allocated stays near it', () => {
    const bomb = compress(name, Buffer.alloc(48 * MIB))
    const before = process.memoryUsage().arrayBuffers
    expect(codeOf(() => decompress(name, bomb, MIB))).toBe('MESSAGE_TOO_LARGE')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * MIB)
  })

  test('any bytes give content within the bound or a StorageError', () => {
    const base = compress(name, Buffer.from('the quick brown fox '.repeat(30)))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 3 }),
        fc.nat(base.length),
        fc.uint8Array({ maxLength: 10 }),
        (changes, cut, tail) => {
          const bytes = Buffer.concat([base.subarray(0, cut), tail])
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          const code = codeOf(() => {
            expect(decompress(name, bytes, 700).length).toBeLessThanOrEqual(700)
          })
          expect(['accepted', 'CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE']).toContain(code)
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('two zstd frames or two gzip members', () => {
  const [zstd, gzip] = [zstdCompressSync(Buffer.from('a')), gzipSync(Buffer.from('a'))]
  expect(codeOf(() => decompress('zstd', Buffer.concat([zstd, zstd]), MIB))).toBe('CORRUPT_MESSAGE')
  // Concatenated members are one gzip stream, for Java too.
  expect(decompress('gzip', Buffer.concat([gzip, gzip]), MIB).toString()).toBe('aa')
})

describe('snappy in its two forms', () => {
  const header = Buffer.from('82534e41505059000000000100000001', 'hex')
  const block = (bytes: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(bytes.length)
    return Buffer.concat([length, bytes])
  }
  const [hel, lo] = [encodeSnappy(Buffer.from('hel')), encodeSnappy(Buffer.from('lo'))]

  test('xerial framing is read, block after block', () => {
    const stream = Buffer.concat([header, block(hel), block(lo)])
    expect(decompress('snappy', stream, 5).toString()).toBe('hello')
    expect(codeOf(() => decompress('snappy', stream, 4))).toBe('MESSAGE_TOO_LARGE')
  })

  test.each([
    ['a block length cut short', Buffer.concat([header, block(hel), Buffer.from([0, 0])])],
    ['a block cut short', Buffer.concat([header, block(hel), block(lo).subarray(0, 5)])],
    ['a negative block length', Buffer.concat([header, Buffer.from([0xff, 0xff, 0xff, 0xff])])],
    ['a block of nothing', Buffer.concat([header, Buffer.alloc(4)])],
    ['a header cut short', header.subarray(0, 12)],
    ['a block that claims 4 GiB', Buffer.from('ffffffff0f00', 'hex')],
    [
      'a block that claims 4 GiB, framed',
      Buffer.concat([header, block(Buffer.from('ffffffff0f00', 'hex'))]),
    ],
    [
      'a thousand tiny blocks',
      Buffer.concat([header, ...Array.from({ length: 1000 }, () => block(lo))]),
    ],
    ['a length that never ends', Buffer.alloc(20, 0xff)],
  ])('%s is corrupt', (_, bytes) => {
    expect(codeOf(() => decompress('snappy', bytes, 64 * MIB))).toBe('CORRUPT_MESSAGE')
  })
})
