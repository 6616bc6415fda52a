/** Promises of the high watermark, over all small worlds: what readers may see is on every in-sync replica. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  highWatermark,
  type ReplicaProgress,
  type WatermarkInputs,
} from '../../../broker/partition/replica-progress.ts'
import { type Offset, toOffset } from '../../../storage/record/offsets.ts'

const progress = fc
  .tuple(fc.nat(100), fc.nat(100))
  .map(([a, b]) => ({ logEndOffset: Math.max(a, b), flushedOffset: Math.min(a, b) }))
  .map((it) => it as unknown as ReplicaProgress)

const inputs: fc.Arbitrary<WatermarkInputs> = fc.record({
  leader: progress,
  followers: fc.array(progress, { maxLength: 4 }),
  acknowledgesAfterSync: fc.boolean(),
  minInSyncReplicas: fc.integer({ min: 1, max: 4 }),
  previous: fc.nat(100).map(toOffset),
})

const reachedBy = (it: WatermarkInputs, replica: ReplicaProgress): number =>
  it.acknowledgesAfterSync ? replica.flushedOffset : replica.logEndOffset

describe('the high watermark', () => {
  test('advances only to where every in-sync replica is', () => {
    fc.assert(
      fc.property(inputs, (it) => {
        const result = highWatermark(it)
        if (result <= it.previous) return
        for (const replica of [it.leader, ...it.followers]) {
          expect(result).toBeLessThanOrEqual(reachedBy(it, replica))
        }
      }),
    )
  })

  test('advances all the way there when enough replicas are in sync', () => {
    fc.assert(
      fc.property(inputs, (it) => {
        fc.pre(1 + it.followers.length >= it.minInSyncReplicas)
        const least = Math.min(...[it.leader, ...it.followers].map((one) => reachedBy(it, one)))
        expect(highWatermark(it)).toBeGreaterThanOrEqual(Math.min(least, it.leader.logEndOffset))
      }),
    )
  })

  test('stands still while too few replicas are in sync', () => {
    fc.assert(
      fc.property(inputs, (it) => {
        fc.pre(1 + it.followers.length < it.minInSyncReplicas)
        expect(highWatermark(it)).toBe(Math.min(it.previous, it.leader.logEndOffset))
      }),
    )
  })

  test('never falls while the leader has the records, and is never beyond its end', () => {
    fc.assert(
      fc.property(inputs, (it) => {
        const result = highWatermark(it)
        expect(result).toBeLessThanOrEqual(it.leader.logEndOffset)
        if (it.previous <= it.leader.logEndOffset)
          expect(result).toBeGreaterThanOrEqual(it.previous)
      }),
    )
  })

  test('of one replica alone is what it has flushed, or written where flushing is relaxed', () => {
    fc.assert(
      fc.property(progress, fc.boolean(), (leader, acknowledgesAfterSync) => {
        const alone = { followers: [], minInSyncReplicas: 1, previous: 0 as Offset }
        const result = highWatermark({ ...alone, leader, acknowledgesAfterSync })
        expect(result).toBe(acknowledgesAfterSync ? leader.flushedOffset : leader.logEndOffset)
      }),
    )
  })
})
