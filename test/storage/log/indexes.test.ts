/** The two sparse indexes: against a linear scan, and in Kafka's layout byte for byte. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lastNotAbove, OffsetIndex, offsetIndexProblem } from '../../../storage/log/offset-index.ts'
import { TimeIndex, timeIndexProblem } from '../../../storage/log/time-index.ts'
import { toOffset, toPosition } from '../../../storage/record/offsets.ts'

/** Rising steps: how far each entry is from the one before, in offsets and in bytes. */
const steps = fc.array(
  fc.record({
    offsets: fc.integer({ min: 1, max: 1_000 }),
    bytes: fc.integer({ min: 61, max: 100_000 }),
    ms: fc.integer({ min: -1_000, max: 1_000 }),
  }),
  { maxLength: 200 },
)
const bases = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 2 ** 31 }),
)

test('a look-up by offset finds what a linear scan finds', () => {
  fc.assert(
    fc.property(steps, bases, fc.nat({ max: 250_000 }), (taken, base, past) => {
      const index = new OffsetIndex(toOffset(base))
      let offset = base
      let position = 0
      const entries = taken.map((step) => {
        offset += step.offsets
        position += step.bytes
        index.append(toOffset(offset), toPosition(position))
        return { offset, position }
      })
      expect([...index.entries()]).toEqual(entries)
      expect(offsetIndexProblem(index.bytes, position + 1)).toBeUndefined()
      const wanted = base + past
      const expected = entries.filter((entry) => entry.offset <= wanted).at(-1)?.position ?? 0
      expect(index.lookup(toOffset(wanted))).toBe(expected)
      const again = new OffsetIndex(toOffset(base), Buffer.from(index.bytes))
      expect(again.lookup(toOffset(wanted))).toBe(expected)
      again.append(toOffset(offset + 1), toPosition(position + 61))
      expect([...again.entries()]).toEqual([
        ...entries,
        { offset: offset + 1, position: position + 61 },
      ])
    }),
  )
})

test('a look-up by time never skips a record that is young enough', () => {
  fc.assert(
    fc.property(steps, bases, fc.integer({ min: -2_000, max: 20_000 }), (taken, base, wanted) => {
      const index = new TimeIndex(toOffset(base))
      // Batches of one record each, their timestamps in any order.
      let offset = base
      let timestamp = 5_000
      let youngest = { timestamp: -1, offset: base }
      const records = taken.map((step) => {
        offset += step.offsets
        timestamp = Math.max(0, timestamp + step.ms)
        if (timestamp > youngest.timestamp) youngest = { timestamp, offset }
        index.appendIfYounger(youngest.timestamp, toOffset(youngest.offset))
        return { offset, timestamp }
      })
      expect(timeIndexProblem(index.bytes)).toBeUndefined()
      const first = records.find((record) => record.timestamp >= wanted)
      const from = index.lookup(wanted)
      if (first !== undefined) expect(from).toBeLessThanOrEqual(first.offset)
      for (const record of records) {
        if (record.offset < from) expect(record.timestamp).toBeLessThan(wanted)
      }
      expect(index.last?.timestamp ?? -1).toBe(records.length === 0 ? -1 : youngest.timestamp)
    }),
  )
})

test("Kafka's .index: entries of eight bytes, relative offset and position, big-endian", () => {
  const index = new OffsetIndex(toOffset(1_000))
  index.append(toOffset(1_004), toPosition(310))
  index.append(toOffset(1_000 + 2 ** 31 - 1), toPosition(2 ** 31 - 1))
  expect(index.bytes.toString('hex')).toBe('0000000400000136' + '7fffffff7fffffff')
})

test("Kafka's .timeindex: entries of twelve bytes, timestamp and relative offset, big-endian", () => {
  const index = new TimeIndex(toOffset(1_000))
  index.appendIfYounger(1_700_000_000_000, toOffset(1_004))
  index.appendIfYounger(1_700_000_000_000, toOffset(1_009))
  index.appendIfYounger(1_699_999_999_999, toOffset(1_010))
  index.appendIfYounger(1_700_000_000_001, toOffset(1_011))
  expect(index.bytes.toString('hex')).toBe('0000018bcfe5680000000004' + '0000018bcfe568010000000b')
})

test('an index that could lead astray is found out', () => {
  const offsets = (...numbers: number[]) => {
    const bytes = Buffer.alloc(numbers.length * 4)
    for (const [at, number] of numbers.entries()) bytes.writeUInt32BE(number, at * 4)
    return bytes
  }
  expect(offsetIndexProblem(offsets(4, 100, 9, 200), 1_000)).toBeUndefined()
  expect(offsetIndexProblem(Buffer.alloc(0), 0)).toBeUndefined()
  expect(offsetIndexProblem(offsets(4, 100, 9), 1_000)).toMatch(/multiple of 8/)
  expect(offsetIndexProblem(offsets(4, 100, 4, 200), 1_000)).toMatch(/offset does not rise/)
  expect(offsetIndexProblem(offsets(4, 100, 9, 100), 1_000)).toMatch(/position does not rise/)
  expect(offsetIndexProblem(offsets(4, 100, 9, 1_000), 1_000)).toMatch(/past the log/)
  expect(offsetIndexProblem(Buffer.alloc(16), 1_000)).toBeDefined()
  const times = (...entries: [number, number][]) => {
    const bytes = Buffer.alloc(entries.length * 12)
    entries.forEach(([timestamp, offset], at) => {
      bytes.writeBigInt64BE(BigInt(timestamp), at * 12)
      bytes.writeUInt32BE(offset, at * 12 + 8)
    })
    return bytes
  }
  expect(timeIndexProblem(times([5, 1], [6, 2]))).toBeUndefined()
  expect(timeIndexProblem(times([5, 1]).subarray(1))).toMatch(/multiple of 12/)
  expect(timeIndexProblem(times([5, 1], [5, 2]))).toMatch(/timestamp does not rise/)
  expect(timeIndexProblem(times([5, 2], [6, 2]))).toMatch(/offset does not rise/)
})

test('the binary search agrees with a scan', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer()), fc.integer(), (values, target) => {
      const rising = values.sort((a, b) => a - b)
      const expected = rising.filter((value) => value <= target).length - 1
      expect(lastNotAbove(rising.length, (at) => rising[at]!, target)).toBe(expected)
    }),
  )
})
