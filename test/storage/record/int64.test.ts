/**
 * 64-bit integers as doubles: exact where they can be, recognisable where they can not.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readInt64, readUnsigned64LittleEndian, writeInt64 } from '../../../storage/record/int64.ts'

test('every safe integer is written as the 64-bit integer it is, and comes back', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const bytes = Buffer.alloc(10, 0xaa)
      writeInt64(bytes, value, 1)
      expect(bytes.readBigInt64BE(1)).toBe(BigInt(value))
      expect(readInt64(bytes, 1)).toBe(value)
      expect([bytes[0], bytes[9]]).toEqual([0xaa, 0xaa])
    }),
  )
})

test('what is not a safe integer is not written', () => {
  for (const value of [2 ** 53, -(2 ** 53), 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => writeInt64(Buffer.alloc(8), value, 0)).toThrow(RangeError)
  }
})

test('a 64-bit integer beyond 2^53 reads as a number that is not safe', () => {
  const bytes = Buffer.alloc(8)
  for (const value of [2n ** 53n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    bytes.writeBigInt64BE(value)
    expect(Number.isSafeInteger(readInt64(bytes, 0))).toBe(false)
  }
})

test('unsigned little-endian', () => {
  const bytes = Buffer.from('0102030405060000', 'hex')
  expect(readUnsigned64LittleEndian(bytes, 0)).toBe(0x060504030201)
  expect(readUnsigned64LittleEndian(Buffer.alloc(8, 0xff), 0)).toBe(2 ** 64)
})
