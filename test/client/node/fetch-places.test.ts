/** Which partitions a reader asks for next, and where: turns, ends, failures, offsets that are gone. */

import { describe, expect, test } from 'vitest'
import { SpoolError } from '../../../client/api/errors.ts'
import { FetchPlaces } from '../../../client/node/fetch-places.ts'
import type { FetchedPlace } from '../../../client/node/fetch-reply.ts'
import type { OutOfRange, ReadRange } from '../../../client/transport.ts'
import type { RecordBatch } from '../../../storage/record/record-batch.ts'

const BACKOFF = { retryBackoffMs: 100, retryBackoffMsMax: 1_000 }
const FOR_EVER = Number.POSITIVE_INFINITY

/** Of the places a test made last. */
let ranges: ReadRange[] = []

function places(count: number, until = FOR_EVER, outOfRange?: OutOfRange): FetchPlaces {
  ranges = Array.from({ length: count }, (_, partition) => ({ partition, offset: 0, until }))
  return new FetchPlaces(ranges, outOfRange, BACKOFF)
}

/** What came: everything before `nextOffset`, or an error. */
function fetched(partition: number, came: number | SpoolError): FetchedPlace {
  const isError = came instanceof SpoolError
  return {
    partition,
    range: ranges[partition]!,
    offset: 0,
    highWatermark: 50,
    logStartOffset: 20,
    batches: isError ? [] : [{ nextOffset: came } as RecordBatch],
    error: isError ? came : undefined,
  }
}

const asked = (they: FetchPlaces, nowMs = 0) => they.toAsk(nowMs).map(({ partition }) => partition)

test('every partition stands first in its turn', () => {
  const three = places(3)
  const first = Array.from({ length: 6 }, () => asked(three)[0])
  expect(first).toEqual([0, 1, 2, 0, 1, 2])
  expect(asked(three)).toHaveLength(3)
})

test('more partitions than one question holds are asked for in several', () => {
  const many = places(25_000)
  const all = [asked(many), asked(many), asked(many)]
  expect(all.every(({ length }) => length <= 10_000)).toBe(true)
  expect(new Set(all.flat()).size).toBe(25_000)
})

test('a partition that reached its end is not asked for, and the last one is the end', () => {
  const two = places(2, 10)
  two.take(fetched(0, 4), 0, 0)
  expect(two.toAsk(0)).toMatchObject([{ partition: 0, offset: 4 }, { partition: 1 }])
  two.take(fetched(0, 12), 0, 0)
  expect(asked(two)).toEqual([1])
  two.endAt(1, 0)
  expect(two.isDone).toBe(true)
  two.add([{ partition: 1, offset: 0, until: FOR_EVER }])
  expect(two.isDone).toBe(true)
  two.add([{ partition: 2, offset: 7, until: FOR_EVER }])
  expect(two.toAsk(0)).toMatchObject([{ partition: 2, offset: 7 }])
})

test('an answer without batches moves nothing', () => {
  const one = places(1)
  one.take({ ...fetched(0, 0), batches: [] }, 0, 0)
  expect(one.toAsk(0)).toMatchObject([{ offset: 0 }])
})

test('what comes for a partition that was removed moves nothing, also once it is there again', () => {
  const two = places(2)
  const late = fetched(0, 4)
  two.remove([0])
  expect(two.wants(late)).toBe(false)
  two.take(late, 0, 0)
  expect(asked(two)).toEqual([1])
  two.add([{ partition: 0, offset: 30, until: FOR_EVER }])
  two.take(late, 0, 0)
  two.take({ ...late, error: new SpoolError('UNKNOWN_TOPIC_OR_PARTITION', 'gone') }, 0, 0)
  expect(two.toAsk(0)).toMatchObject([{ partition: 1 }, { partition: 0, offset: 30 }])
  two.remove([0, 1])
  expect(two.isDone).toBe(true)
})

describe('a partition that fails', () => {
  const busy = new SpoolError('NOT_LEADER_OR_FOLLOWER', 'later')

  test('waits longer each time, and holds up no other', () => {
    const two = places(2)
    for (const delayMs of [100, 200, 400, 800, 1_000, 1_000]) {
      two.take(fetched(0, busy), 5, 1)
      expect(two.askAgainAtMs).toBe(0)
      expect(asked(two, 5 + delayMs - 1)).toEqual([1])
      expect(asked(two, 5 + delayMs)).toHaveLength(2)
    }
    two.take(fetched(0, 3), 5, 1)
    two.take(fetched(0, busy), 5, 1)
    expect(asked(two, 105)).toHaveLength(2)
  })

  test('for good, ends the reader', () => {
    for (const code of ['UNKNOWN_TOPIC_OR_PARTITION', 'INCONSISTENT_TOPIC_ID'] as const) {
      const error = new SpoolError(code, 'gone')
      expect(() => places(1).take(fetched(0, error), 0, 0)).toThrow(error)
    }
  })
})

describe('an offset that is not there', () => {
  const gone = new SpoolError('OFFSET_OUT_OF_RANGE', 'offset 0 is not there')

  test('is an error that says what to do, or goes on at either end', () => {
    expect(() => places(1).take(fetched(0, gone), 0, 0)).toThrow("outOfRange: 'earliest'")
    for (const [outOfRange, offset] of [
      ['earliest', 20],
      ['latest', 50],
    ] as const) {
      const one = places(1, FOR_EVER, outOfRange)
      one.take(fetched(0, gone), 0, 0)
      expect(one.toAsk(0)).toMatchObject([{ offset }])
    }
  })

  test('of a broker that does not say what is there, is an error in any case', () => {
    const one = places(1, FOR_EVER, 'earliest')
    const unknown = { ...fetched(0, gone), highWatermark: -1, logStartOffset: -1 }
    expect(() => one.take(unknown, 0, 0)).toThrow('not there')
  })

  test('is no reason to go round in circles', () => {
    const one = places(1, FOR_EVER, 'earliest')
    one.take(fetched(0, gone), 0, 0)
    expect(() => one.take(fetched(0, gone), 0, 0)).toThrow('not there')
  })
})
