/**
 * Kafka's variable-length numbers: its own vectors, every value back, and nothing read past the end.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StorageError } from '../../../storage/errors.ts'
import {
  readVarint,
  readVarlong,
  varintEnd,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../../storage/record/varint.ts'

const INT32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

// Kafka's own vectors (ByteUtilsTest).
test.each([
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [-64, '7f'],
  [64, '8001'],
  [-65, '8101'],
  [8191, 'fe7f'],
  [-8192, 'ff7f'],
  [8192, '808001'],
  [-8193, '818001'],
  [1048575, 'feff7f'],
  [1048576, '80808001'],
  [134217727, 'feffff7f'],
  [134217728, '8080808001'],
  [-134217729, '8180808001'],
  [2147483647, 'feffffff0f'],
  [-2147483648, 'ffffffff0f'],
])('varint %d is %s', (value, hex) => {
  const bytes = Buffer.alloc(5)
  const end = writeVarint(bytes, value, 0)
  expect(bytes.subarray(0, end).toString('hex')).toBe(hex)
  expect(varintSize(value)).toBe(end)
  expect(readVarint(bytes, 0, end)).toBe(value)
  expect(varintEnd).toBe(end)
})

test.each([
  [2147483648, '8080808010'],
  [-2147483649, '8180808010'],
  [17179869183, 'feffffff7f'],
  [17179869184, '808080808001'],
  [-17179869185, '818080808001'],
  [2199023255551, 'feffffffff7f'],
  [281474976710655, 'feffffffffff7f'],
  [281474976710656, '8080808080808001'],
  [Number.MAX_SAFE_INTEGER, 'feffffffffffff1f'],
  [Number.MIN_SAFE_INTEGER, 'fdffffffffffff1f'],
])('varlong %d is %s', (value, hex) => {
  const bytes = Buffer.alloc(10)
  const end = writeVarlong(bytes, value, 0)
  expect(bytes.subarray(0, end).toString('hex')).toBe(hex)
  expect(varlongSize(value)).toBe(end)
  expect(readVarlong(bytes, 0, end)).toBe(value)
  expect(varintEnd).toBe(end)
})

test('every varint and varlong comes back, in the size announced', () => {
  const bytes = Buffer.alloc(16)
  fc.assert(
    fc.property(INT32, fc.maxSafeInteger(), (int, long) => {
      const intEnd = writeVarint(bytes, int, 3)
      expect(readVarint(bytes, 3, intEnd)).toBe(int)
      expect(intEnd - 3).toBe(varintSize(int))
      const longEnd = writeVarlong(bytes, long, 3)
      expect(readVarlong(bytes, 3, longEnd)).toBe(long)
      expect(longEnd - 3).toBe(varlongSize(long))
    }),
    { numRuns: 5000 },
  )
})

test('a varlong outside the safe integers is recognisable', () => {
  for (const hex of ['ffffffffffffffffff01', 'feffffffffffffffff01', '8080808080808080f001']) {
    const bytes = Buffer.from(hex, 'hex')
    expect(Number.isSafeInteger(readVarlong(bytes, 0, bytes.length))).toBe(false)
  }
})

test.each([
  ['', 'cut short'],
  ['80', 'cut short'],
  ['ffffffff', 'cut short'],
  ['ffffffff10', '32 bits'],
  ['808080808000', '32 bits'],
])('varint %s is refused: %s', (hex, problem) => {
  const bytes = Buffer.from(hex, 'hex')
  const refusal = () => readVarint(bytes, 0, bytes.length)
  expect(refusal).toThrow(StorageError)
  expect(refusal).toThrow(problem)
})

test.each([
  ['', 'cut short'],
  ['ffffffffffffffffff', 'cut short'],
  ['ffffffffffffffffff02', '64 bits'],
  ['8080808080808080808000', '64 bits'],
])('varlong %s is refused: %s', (hex, problem) => {
  const bytes = Buffer.from(hex, 'hex')
  const refusal = () => readVarlong(bytes, 0, bytes.length)
  expect(refusal).toThrow(StorageError)
  expect(refusal).toThrow(problem)
})

test('reading stops at the end given, not at the end of the bytes', () => {
  expect(() => readVarint(Buffer.from([0x80, 0x01]), 0, 1)).toThrow('cut short')
  expect(readVarint(Buffer.from([0x80, 0x01]), 0, 2)).toBe(64)
})
