/** The small readers of text: base64, timestamps, strings and integers of JSON. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64 } from '../../../../broker/http/records/base64.ts'
import {
  isIntegerText,
  LoneSurrogateError,
  safeInteger,
  stringBytes,
} from '../../../../broker/http/records/json-string.ts'
import { timestampOfText } from '../../../../broker/http/records/timestamp-text.ts'

describe('base64', () => {
  it('of any bytes is read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = Buffer.from(`x${Buffer.from(bytes).toString('base64')}y`)
        expect(decodeBase64(text, 1, text.length - 1)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('is taken only as the one text that stands for its bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'AZaz09+/=-_ \n'), maxLength: 9 }),
        (text) => {
          const decoded = decodeBase64(Buffer.from(text))
          const again = Buffer.from(text, 'base64').toString('base64')
          expect(decoded !== undefined).toBe(again === text)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('a timestamp', () => {
  const read = (text: string) => {
    const bytes = Buffer.from(`[${text}]`)
    return timestampOfText(bytes, 1, bytes.length - 1)
  }

  it('of any moment is read back', () => {
    const moment = fc.date({
      min: new Date('1000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(moment, fc.integer({ min: -1439, max: 1439 }), (date, zoneMinutes) => {
        expect(read(date.toISOString())).toBe(date.getTime())
        const local = new Date(date.getTime() + zoneMinutes * 60_000)
        fc.pre(local.getUTCFullYear() <= 9999 && local.getUTCFullYear() >= 1000)
        const zone = Math.abs(zoneMinutes)
        const sign = zoneMinutes < 0 ? '-' : '+'
        const pair = (value: number) => String(value).padStart(2, '0')
        const offset = `${sign}${pair(Math.trunc(zone / 60))}:${pair(zone % 60)}`
        expect(read(local.toISOString().replace('Z', offset))).toBe(date.getTime())
      }),
    )
  })

  it.each([
    ['2025-01-01T00:00:00Z', Date.UTC(2025, 0, 1)],
    ['2025-01-01t00:00:00z', Date.UTC(2025, 0, 1)],
    ['2025-01-01T00:00:00.5Z', Date.UTC(2025, 0, 1) + 500],
    ['2025-01-01T00:00:00.123987654Z', Date.UTC(2025, 0, 1) + 123],
    ['2024-02-29T23:59:60Z', Date.UTC(2024, 2, 1)],
    ['1969-12-31T23:59:59Z', -1000],
  ])('%s is %d', (text, expected) => {
    expect(read(text)).toBe(expected)
  })

  it.each([
    '2025-01-01T00:00:00',
    '2025-01-01 00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-00-01T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2025-01-01T00:60:00Z',
    '2025-01-01T00:00:00.Z',
    '2025-01-01T00:00:00ZZ',
    '2025-01-01T00:00:00+0200',
    '2025-01-01T00:00:00+24:00',
    '2025-1-01T00:00:00.0Z',
    'not a timestamp at all',
    '',
  ])('%j is none', (text) => {
    expect(read(text)).toBeUndefined()
  })
})

describe('a string of JSON', () => {
  const bytesOf = (json: string) => {
    const bytes = Buffer.from(json)
    return stringBytes(bytes, 1, bytes.length - 1)
  }

  it('is its UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(text.isWellFormed())
        expect(bytesOf(JSON.stringify(text)).toString()).toBe(text)
      }),
    )
    expect(bytesOf('"\\ud83d\\ude00"').toString()).toBe('😀')
  })

  it('with half of a surrogate pair has none', () => {
    for (const half of ['"\\ud800"', '"a\\udc00b"', '"\\ud800\\ud800"', '"\\udc00\\ud800"']) {
      expect(() => bytesOf(half)).toThrow(LoneSurrogateError)
    }
  })
})

describe('an integer of JSON', () => {
  const range = (text: string) => [Buffer.from(text), 0, text.length] as const

  it('is one only without fraction and exponent', () => {
    for (const text of ['0', '-1', '12345678901234567890'])
      expect(isIntegerText(...range(text))).toBe(true)
    for (const text of ['1.0', '1e3', '-', '', 'true'])
      expect(isIntegerText(...range(text))).toBe(false)
  })

  it('is a number only where that is exact', () => {
    expect(safeInteger(...range('9007199254740991'))).toBe(Number.MAX_SAFE_INTEGER)
    expect(safeInteger(...range('9007199254740992'))).toBeUndefined()
    expect(safeInteger(...range('-9007199254740991'))).toBe(Number.MIN_SAFE_INTEGER)
    expect(safeInteger(...range('123456789012345678901234567890'))).toBeUndefined()
    expect(safeInteger(...range('1.5'))).toBeUndefined()
  })
})
