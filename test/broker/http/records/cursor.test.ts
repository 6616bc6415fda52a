/** Cursors: what went in comes out, they are short, and nothing else is taken for one. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Cursor,
  type CursorPlace,
  decodeCursor,
  encodeCursor,
} from '../../../../broker/http/records/cursor.ts'
import { SpoolError } from '../../../../client/api/errors.ts'
import { CURSOR_CHARACTERS_MAX } from '../../../../client/api/schemas/records.ts'
import { crc32c } from '../../../../storage/record/crc32c.ts'

const TOPIC_ID = '0188f0a2-7c3e-4b5d-9e6f-00112233aabb'
const INT32_MAX = 2 ** 31 - 1

const place = fc
  .record({
    partition: fc.integer({ min: 0, max: INT32_MAX }),
    nextOffset: fc.maxSafeNat(),
    left: fc.option(fc.nat(), { nil: undefined }),
  })
  .map(({ partition, nextOffset, left }): CursorPlace => {
    const endOffset = left === undefined ? undefined : nextOffset + left
    return endOffset === undefined || !Number.isSafeInteger(endOffset)
      ? { partition, nextOffset }
      : { partition, nextOffset, endOffset }
  })

const cursor: fc.Arbitrary<Cursor> = fc
  .record({
    topicId: fc.uuid(),
    places: fc.uniqueArray(place, { selector: ({ partition }) => partition, maxLength: 50 }),
    isDense: fc.boolean(),
    isEnd: fc.boolean(),
    turn: fc.integer({ min: 0, max: INT32_MAX }),
  })
  .map(({ topicId, places, isDense, isEnd, turn }) => ({
    topicId,
    places: [...places]
      .sort((a, b) => a.partition - b.partition)
      .map((each, index) => (isDense ? { ...each, partition: index } : each)),
    isEnd,
    turn,
  }))

function refusal(text: string): SpoolError {
  try {
    decodeCursor(text)
  } catch (error) {
    expect(error).toBeInstanceOf(SpoolError)
    return error as SpoolError
  }
  throw new Error(`${text} was taken for a cursor`)
}

/** The text of bytes that have the right checksum, whatever they say. */
function signed(bytes: readonly number[]): string {
  const body = Buffer.from(bytes)
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32c(body))
  return Buffer.concat([body, checksum]).toString('base64url')
}

test('what went in comes out', () => {
  fc.assert(
    fc.property(cursor, (given) => {
      expect(decodeCursor(encodeCursor(given))).toEqual(given)
    }),
  )
})

test('the bytes stay what they are: cursors do not expire', () => {
  const places = [
    { partition: 0, nextOffset: 17, endOffset: 1_000_000 },
    { partition: 1, nextOffset: 4 },
  ]
  const text = 'AQYBiPCifD5LXZ5vABEiM6q7AiLeiHoZASBelqg'
  expect(encodeCursor({ topicId: TOPIC_ID, places, isEnd: false, turn: 1 })).toBe(text)
  expect(decodeCursor(text)).toEqual({ topicId: TOPIC_ID, places, isEnd: false, turn: 1 })
})

describe('the length', () => {
  const many = (count: number, offset: (partition: number) => number): Cursor => ({
    topicId: TOPIC_ID,
    places: Array.from({ length: count }, (_, partition) => ({
      partition,
      nextOffset: offset(partition),
    })),
    isEnd: false,
    turn: count - 1,
  })

  test.each([
    ['a thousand partitions, far apart', many(1_000, (n) => (n % 2 === 0 ? 2 ** 40 : 0))],
    ['a thousand partitions, far along', many(1_000, (n) => 2 ** 52 + n * 1_000)],
    ['two thousand partitions of a million', many(2_000, (n) => 10 ** 6 + ((n * 7_919) % 10_000))],
    ['six thousand empty partitions', many(6_000, () => 0)],
  ])('of %s is at most 8 KiB', (_, given) => {
    const text = encodeCursor(given)
    expect(text.length).toBeLessThanOrEqual(CURSOR_CHARACTERS_MAX)
    expect(decodeCursor(text)).toEqual(given)
  })

  test('is never more: places that do not fit are refused, with what to do', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.maxSafeNat(), (count, far) => {
        const given = many(count, (n) => (n % 3 === 0 ? far : n))
        try {
          expect(encodeCursor(given).length).toBeLessThanOrEqual(CURSOR_CHARACTERS_MAX)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
          expect((error as SpoolError).detail).toMatch(/one by one/)
        }
      }),
      { numRuns: 30 },
    )
  })
})

describe('nothing else is taken for one', () => {
  test('no text whatever', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })),
        (text) => {
          expect(refusal(text).code).toBe('INVALID_REQUEST')
        },
      ),
    )
  })

  test('no bytes whatever, be their checksum right', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, isOurs) => {
        const given = isOurs ? [1, bytes[0] ?? 0, ...bytes] : [...bytes]
        try {
          const found = decodeCursor(signed(given))
          for (const { partition, nextOffset, endOffset = nextOffset } of found.places) {
            expect(partition).toBeLessThanOrEqual(INT32_MAX)
            expect(Number.isSafeInteger(nextOffset) && nextOffset >= 0).toBe(true)
            expect(Number.isSafeInteger(endOffset) && endOffset >= nextOffset).toBe(true)
          }
          const partitions = found.places.map(({ partition }) => partition)
          expect(partitions).toEqual([...new Set(partitions)].sort((a, b) => a - b))
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
        }
      }),
    )
  })

  test('none that was cut, mistyped or added to', () => {
    fc.assert(
      fc.property(cursor, fc.nat(), fc.constantFrom(...'AZaz09-_'), (given, seed, character) => {
        const text = encodeCursor(given)
        const at = seed % text.length
        const changed = text.slice(0, at) + character + text.slice(at + 1)
        if (changed !== text) refusal(changed)
        refusal(text.slice(0, at))
        refusal(`${text}${character}`)
        refusal(`${text}=`)
      }),
    )
  })

  test('and the refusal does not repeat what was sent', () => {
    expect(refusal('\u001b[2Jsecret').detail).not.toMatch(/secret/)
  })
})
