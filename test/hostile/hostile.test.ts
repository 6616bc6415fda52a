/**
 * Every bad input there is a rule for, sent to one real broker process over real sockets: each gets the
 * right answer, and none takes the broker, other connections, memory or a record with it.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  BrokerUnderAttack,
  MEMORY_HELD_MIB_MAX,
  MEMORY_PEAK_MIB_MAX,
} from './broker-under-attack.ts'
import { FLOODS, prepareFloods } from './floods.ts'
import { STREAM_FLOODS } from './stream-floods.ts'
import { GROUPS, runFlood, runGroup } from './tables.ts'

let broker: BrokerUnderAttack
beforeAll(async () => {
  broker = await BrokerUnderAttack.start()
})
afterAll(() => broker[Symbol.asyncDispose]())

const grownMiB = (now: number) => now - broker.memoryBeforeMiB

test.each(GROUPS.map((group) => [group.name, group] as const))('%s', async (_name, group) => {
  const { results, after } = await runGroup(broker, group)
  const wrong = results.filter(({ problems }) => problems.length > 0)
  expect(wrong).toEqual([])
  expect(after).toEqual([])
})

describe('floods', () => {
  beforeAll(() => prepareFloods(broker))

  const floods = [...FLOODS, ...STREAM_FLOODS]
  test.each(floods.map((flood) => [flood.name, flood] as const))('%s', async (_name, flood) => {
    const { results, after, peakMiB } = await runFlood(broker, flood)
    expect(results.flatMap(({ problems }) => problems)).toEqual([])
    expect(after).toEqual([])
    expect(grownMiB(peakMiB)).toBeLessThan(MEMORY_PEAK_MIB_MAX)
  })
})

test('memory comes back, and no acknowledged record was lost', async () => {
  expect(await broker.heldMemoryMiB()).toBeLessThan(MEMORY_HELD_MIB_MAX)
  expect(broker.acknowledgedCount).toBeGreaterThan(100)
  expect(await broker.lostRecords()).toEqual([])
})
