/** Memory for large bodies is used again, is never two bodies' at once, and is bounded while idle. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LargeBuffers } from '../../../broker/http/limits/large-buffers.ts'

const MIB = 1024 * 1024

describe('memory for large bodies', () => {
  test('a body comes out as it went in, whatever the chunks, and takes at most twice what came', () => {
    const buffers = new LargeBuffers()
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200_000 }), { maxLength: 40 })
    fc.assert(
      fc.property(chunks, fc.integer({ min: 0, max: 8 * MIB }), (drawn, announced) => {
        const body = buffers.collector(256 * 1024 + announced)!
        for (const chunk of drawn) body.add(Buffer.from(chunk))
        const whole = body.whole()
        const sent = Buffer.concat(drawn)
        expect(whole.equals(sent)).toBe(true)
        expect(whole.buffer.byteLength).toBeLessThanOrEqual(Math.max(2 * MIB, 4 * sent.length))
        if (drawn.length % 2 === 0) buffers.giveBack(whole)
      }),
      { numRuns: 60 },
    )
  })

  test('what was given back is used again; what was not is nobody else’s', () => {
    const buffers = new LargeBuffers()
    const first = buffers.take(MIB)
    const second = buffers.take(MIB)
    expect(second.buffer).not.toBe(first.buffer)
    buffers.giveBack(first.subarray(10, 20))
    buffers.giveBack(first)
    expect(buffers.take(MIB).buffer).toBe(first.buffer)
    expect(buffers.take(MIB).buffer).not.toBe(first.buffer)
  })

  test('memory of others is not taken, and little is kept idle', () => {
    const buffers = new LargeBuffers()
    const foreign = Buffer.allocUnsafeSlow(MIB)
    buffers.giveBack(foreign)
    expect(buffers.take(MIB).buffer).not.toBe(foreign.buffer)
    const lent = Array.from({ length: 5 }, () => buffers.take(16 * MIB))
    for (const buffer of lent) buffers.giveBack(buffer)
    const again = Array.from({ length: 5 }, () => buffers.take(16 * MIB).buffer)
    expect(again.filter((memory) => lent.some((buffer) => buffer.buffer === memory))).toHaveLength(
      2,
    )
  })

  test('a small body, or one of unknown length, is left to the collector', () => {
    const buffers = new LargeBuffers()
    expect(buffers.collector(100_000)).toBeUndefined()
    expect(buffers.collector(undefined)).toBeUndefined()
  })
})
