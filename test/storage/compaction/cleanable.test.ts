/** Which segments are dirty and which become one, from numbers alone. */

import { describe, expect, test } from 'vitest'
import { dirtOf, dirtyRatio, groupsOf } from '../../../storage/compaction/cleanable.ts'

const SEGMENTS = [
  { baseOffset: 0, sizeBytes: 100 },
  { baseOffset: 10, sizeBytes: 200 },
  { baseOffset: 20, sizeBytes: 300 },
]

describe('dirt', () => {
  test.each([
    [0, 0, 600],
    [9, 0, 600],
    [10, 100, 500],
    [19, 100, 500],
    [20, 300, 300],
    [29, 300, 300],
    [30, 600, 0],
    [99, 600, 0],
  ])('begins with the segment that holds offset %i', (firstDirty, cleanBytes, dirtyBytes) => {
    expect(dirtOf(SEGMENTS, firstDirty, 30)).toEqual({ cleanBytes, dirtyBytes })
  })

  test('is a part of all that may be compacted; nothing is not dirty', () => {
    expect(dirtyRatio({ cleanBytes: 300, dirtyBytes: 100 })).toBe(0.25)
    expect(dirtyRatio({ cleanBytes: 0, dirtyBytes: 100 })).toBe(1)
    expect(dirtyRatio({ cleanBytes: 0, dirtyBytes: 0 })).toBe(0)
    expect(dirtOf([], 0, 0)).toEqual({ cleanBytes: 0, dirtyBytes: 0 })
  })
})

describe('groups', () => {
  const bases = (bytesMax: number, offsetsMax = 1_000) =>
    groupsOf(SEGMENTS, 30, { bytesMax, offsetsMax }).map((group) =>
      group.map(({ baseOffset }) => baseOffset),
    )

  test.each([
    [600, [[0, 10, 20]]],
    [599, [[0, 10], [20]]],
    [299, [[0], [10], [20]]],
    [1, [[0], [10], [20]]],
  ])('of at most %i bytes, but always one segment', (bytesMax, expected) => {
    expect(bases(bytesMax)).toEqual(expected)
  })

  test('of no more offsets than an index can tell', () => {
    expect(bases(10_000, 20)).toEqual([[0, 10], [20]])
    expect(bases(10_000, 9)).toEqual([[0], [10], [20]])
  })

  test('of nothing are none', () => {
    expect(groupsOf([], 0, { bytesMax: 1, offsetsMax: 1 })).toEqual([])
  })
})
