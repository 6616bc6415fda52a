/** Memory that is given back is used again, within bounds, and never by two at once. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SpareMemory } from '../../../client/node/spare-memory.ts'

const MIB = 1024 * 1024

test('what was given back is taken again, by what is nearly as large', () => {
  const memory = new SpareMemory()
  const first = memory.take(300_000)
  memory.giveBack(first)
  expect(memory.take(100_000).buffer).not.toBe(first.buffer)
  expect(memory.take(200_000).buffer).toBe(first.buffer)
  expect(memory.take(200_000).buffer).not.toBe(first.buffer)
})

test('keeps 32 MiB at most, and those that were of use last', () => {
  const memory = new SpareMemory()
  const old = Array.from({ length: 64 }, () => memory.take(100_000))
  const large = Array.from({ length: 40 }, () => memory.take(MIB))
  for (const buffer of [...old, ...large]) memory.giveBack(buffer)
  const known = new Set(large.map(({ buffer }) => buffer))
  const again = Array.from({ length: 40 }, () => memory.take(MIB))
  expect(again.filter(({ buffer }) => known.has(buffer)).length).toBe(32)
  const knownOld = new Set(old.map(({ buffer }) => buffer))
  expect(knownOld.has(memory.take(100_000).buffer)).toBe(false)
})

test("small ones are Node's, and are not kept", () => {
  const memory = new SpareMemory()
  const small = memory.take(1_000)
  small.fill(1)
  memory.giveBack(small)
  for (let count = 0; count < 100; count++) memory.take(1_000).fill(2)
  expect(small.every((byte) => byte === 1)).toBe(true)
})

test('two that are in use never share a byte', () => {
  const action = fc.record({
    isTake: fc.boolean(),
    bytes: fc.nat({ max: 300_000 }),
    which: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const memory = new SpareMemory()
      const used: Buffer[] = []
      for (const [at, { isTake, bytes, which }] of actions.entries()) {
        if (isTake) {
          const buffer = memory.take(bytes)
          expect(buffer.length).toBe(bytes)
          used.push(buffer.fill(at))
        } else if (used.length > 0) {
          const [buffer] = used.splice(which % used.length, 1) as [Buffer]
          expect(buffer.every((byte) => byte === buffer[0])).toBe(true)
          memory.giveBack(buffer)
        }
      }
      for (const buffer of used) expect(buffer.every((byte) => byte === buffer[0])).toBe(true)
    }),
    { numRuns: 50 },
  )
})
