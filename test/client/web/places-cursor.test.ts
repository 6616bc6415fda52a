/** The places of a stream as a cursor: the bytes the broker reads and writes. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCursor, encodeCursor } from '../../../broker/http/records/cursor.ts'
import { cursorOfPlaces, placesOfCursor } from '../../../client/web/places-cursor.ts'

const offset = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.constantFrom(0, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER),
)
const places = fc
  .uniqueArray(fc.tuple(fc.nat(3_000), offset, fc.option(offset)), {
    selector: ([partition]) => partition,
    maxLength: 40,
  })
  .map((all) =>
    all
      .sort(([a], [b]) => a - b)
      .map(([partition, nextOffset, end]) => ({
        partition,
        nextOffset,
        endOffset: end === null ? Number.POSITIVE_INFINITY : Math.max(nextOffset, end),
      })),
  )

test('the broker understands ours', () => {
  fc.assert(
    fc.property(fc.uuid(), places, (topicId, all) => {
      const cursor = decodeCursor(cursorOfPlaces(topicId, all))
      expect(cursor.topicId).toBe(topicId)
      expect(cursor.isEnd).toBe(false)
      expect(
        cursor.places.map(({ endOffset = Number.POSITIVE_INFINITY, ...place }) => ({
          ...place,
          endOffset,
        })),
      ).toEqual(all)
    }),
  )
})

test('we understand the broker’s', () => {
  fc.assert(
    fc.property(fc.uuid(), places, fc.boolean(), (topicId, all, isEnd) => {
      const text = encodeCursor({
        topicId,
        isEnd,
        turn: 3,
        places: all.map(({ endOffset, ...place }) =>
          endOffset === Number.POSITIVE_INFINITY ? place : { ...place, endOffset },
        ),
      })
      expect(placesOfCursor(text)).toEqual(all)
    }),
  )
})

test('what was cut or is of another version is refused', () => {
  const cursor = cursorOfPlaces('0f8fad5b-d9cb-469f-a165-70867728950e', [
    { partition: 0, nextOffset: 7, endOffset: 9 },
  ])
  expect(() => placesOfCursor(cursor.slice(0, -2))).toThrow(/does not understand/)
  expect(() => placesOfCursor(`B${cursor.slice(1)}`)).toThrow(/does not understand/)
  expect(() => placesOfCursor('?')).toThrow(/does not understand/)
})

test('more places than fit are refused with the way out', () => {
  const many = Array.from({ length: 9_000 }, (_, partition) => ({
    partition,
    nextOffset: 0,
    endOffset: Number.POSITIVE_INFINITY,
  }))
  expect(() => cursorOfPlaces('0f8fad5b-d9cb-469f-a165-70867728950e', many)).toThrow(
    /9000 partitions do not fit/,
  )
})
