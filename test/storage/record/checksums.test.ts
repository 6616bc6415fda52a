/**
 * CRC32C and xxHash32 against their published vectors and another implementation.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import xxhash from 'xxhash-wasm'
import { crc32c } from '../../../storage/record/crc32c.ts'
import { xxHash32 } from '../../../storage/record/xxhash32.ts'

// RFC 3720, appendix B.4.
test.each([
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['rising', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['falling', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('CRC32C of %s', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
})

test('a CRC32C may be computed in pieces', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
      expect(crc32c(b, crc32c(a))).toBe(crc32c(Buffer.concat([a, b])))
    }),
  )
})

// The xxHash specification's sanity checks, seed 0.
test.each([
  ['', 0x02cc5d05],
  ['a', 0x550d7456],
  ['abc', 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0xe2293b2f],
])('xxHash32 of "%s"', (text, expected) => {
  expect(xxHash32(Buffer.from(text))).toBe(expected)
})

test('xxHash32 agrees with another implementation on any bytes', async () => {
  const { h32Raw } = await xxhash()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (bytes, start) => {
      const view = bytes.subarray(Math.min(start, bytes.length))
      expect(xxHash32(view)).toBe(h32Raw(view))
    }),
    { numRuns: 500 },
  )
})
