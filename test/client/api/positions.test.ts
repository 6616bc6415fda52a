/** The grammar of positions: every form, every way to miss it, and that writing and reading agree. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpoolError } from '../../../client/api/errors.ts'
import {
  formatPosition,
  type Position,
  parsePosition,
  positionTime,
} from '../../../client/api/positions.ts'
import { toOffset } from '../../../storage/record/offsets.ts'

const time = (text: string) => ({ kind: 'time', timestampMs: Date.parse(text) })

describe('a position is read', () => {
  test.each<[string, unknown]>([
    ['earliest', { kind: 'earliest' }],
    ['latest', { kind: 'latest' }],
    ['0', { kind: 'offset', offset: 0 }],
    ['1500', { kind: 'offset', offset: 1500 }],
    ['9007199254740991', { kind: 'offset', offset: Number.MAX_SAFE_INTEGER }],
    ['-1', { kind: 'last', count: 1 }],
    ['-10', { kind: 'last', count: 10 }],
    ['@0', { kind: 'time', timestampMs: 0 }],
    ['@1735689600000', { kind: 'time', timestampMs: 1_735_689_600_000 }],
    ['2025-01-01T00:00:00Z', time('2025-01-01T00:00:00Z')],
    ['2025-01-01t00:00:00z', time('2025-01-01T00:00:00Z')],
    ['2025-06-30T12:34:56.789+02:00', time('2025-06-30T12:34:56.789+02:00')],
    ['2025-06-30T12:34:56-05:30', time('2025-06-30T12:34:56-05:30')],
    ['2024-02-29T00:00:00Z', time('2024-02-29T00:00:00Z')],
    ['2016-12-31T23:59:60Z', time('2017-01-01T00:00:00Z')],
    ['2999-01-01T00:00:00Z', time('2999-01-01T00:00:00Z')],
    ['-PT1H', { kind: 'ago', durationMs: 3_600_000 }],
    ['-PT30M', { kind: 'ago', durationMs: 1_800_000 }],
    ['-PT0.5S', { kind: 'ago', durationMs: 500 }],
    ['-P1DT12H', { kind: 'ago', durationMs: 129_600_000 }],
    ['-P2W', { kind: 'ago', durationMs: 1_209_600_000 }],
    ['-P7D', { kind: 'ago', durationMs: 604_800_000 }],
  ])('%s', (text, expected) => {
    expect(parsePosition(text)).toEqual(expected)
  })

  test('a space where a query string ate the plus of a zone', () => {
    expect(parsePosition('2025-06-30T12:00:00 02:00')).toEqual(time('2025-06-30T12:00:00+02:00'))
  })

  test('a fraction of a millisecond is the next one: the first record at or after it', () => {
    expect(parsePosition('2025-01-01T00:00:00.0001Z')).toEqual(time('2025-01-01T00:00:00.001Z'))
    expect(parsePosition('2025-01-01T00:00:00.001Z')).toEqual(time('2025-01-01T00:00:00.001Z'))
  })

  test.each(['1969-12-31T23:59:59Z', '0099-01-01T00:00:00Z', '1970-01-01T01:00:00+02:00'])(
    '%s, before any record, is the beginning of time',
    (text) => {
      expect(parsePosition(text)).toEqual({ kind: 'time', timestampMs: 0 })
    },
  )
})

describe('not a position', () => {
  test.each([
    '',
    ' ',
    'Earliest',
    'beginning',
    'latest ',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    '٣',
    '-',
    '-0',
    '--1',
    '@',
    '@-1',
    '@1.5',
    '@1735689600000ms',
    '9007199254740992',
    '99999999999999999999999',
    '-9007199254740992',
    '@9007199254740992',
    '2025-01-01',
    '2025-01-01T00:00Z',
    '2025-01-01T00:00:00',
    '2025-01-01 00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2025-00-10T00:00:00Z',
    '2025-01-00T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2025-01-01T00:60:00Z',
    '2025-01-01T00:00:61Z',
    '2025-01-01T00:00:00+24:00',
    '2025-01-01T00:00:00+0200',
    '2025-01-01T00:00:00.Z',
    'PT1H',
    '+PT1H',
    '-P',
    '-PT',
    '-P1DT',
    '-P1Y',
    '-P1M',
    '-PT1H30',
    '-PT1.5H',
    '-PT1S1M',
    `${'9'.repeat(100_000)}`,
    `-P${'1'.repeat(1_000)}D`,
  ])('%s', (text) => {
    expect(() => parsePosition(text, 'from')).toThrow(SpoolError)
    expect(() => parsePosition(text, 'from')).toThrow(/^from=/)
  })

  test('a time without a zone is told so', () => {
    expect(() => parsePosition('2025-01-01T00:00:00')).toThrow(/zone/)
  })

  test('any text gives a position or INVALID_REQUEST, never another error', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[-@PTZHMSDW0-9:.+ ]{0,40}$/)),
        (text) => {
          try {
            const position = parsePosition(text)
            expect(parsePosition(formatPosition(position))).toEqual(position)
          } catch (error) {
            expect(error).toMatchObject({ name: 'SpoolError', code: 'INVALID_REQUEST' })
          }
        },
      ),
    )
  })
})

test('what is written reads back the same', () => {
  const count = fc.integer({ min: 1, max: 2 ** 53 - 1 })
  const instant = fc.integer({ min: 0, max: 2 ** 53 - 1 })
  const position = fc.oneof<fc.Arbitrary<Position>[]>(
    fc.constantFrom<Position>({ kind: 'earliest' }, { kind: 'latest' }),
    instant.map((value) => ({ kind: 'offset', offset: toOffset(value) })),
    count.map((value) => ({ kind: 'last', count: value })),
    instant.map((value) => ({ kind: 'time', timestampMs: value })),
    fc.integer({ min: 0, max: 2 ** 49 }).map((value) => ({ kind: 'ago', durationMs: value })),
  )
  fc.assert(
    fc.property(position, (value) => {
      expect(parsePosition(formatPosition(value))).toEqual(value)
    }),
  )
})

test('a duration is resolved against now, and not to before the beginning of time', () => {
  expect(positionTime(parsePosition('-PT1S'), 5_000)).toBe(4_000)
  expect(positionTime(parsePosition('-PT10S'), 5_000)).toBe(0)
  expect(positionTime(parsePosition('@77'), 5_000)).toBe(77)
  expect(positionTime(parsePosition('77'), 5_000)).toBeUndefined()
})
