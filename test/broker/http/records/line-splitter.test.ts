/** Lines come out the same however a body was cut into chunks, and memory does not follow the input. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineSplitter } from '../../../../broker/http/records/line-splitter.ts'

const TOO_LONG = Symbol('too long')

function split(chunks: readonly Buffer[], lineBytesMax = 1_000, endsProperly = true) {
  const splitter = new LineSplitter(lineBytesMax)
  const lines: (string | typeof TOO_LONG)[] = []
  const take = () =>
    lines.push(
      splitter.isTooLong
        ? TOO_LONG
        : splitter.bytes.toString('latin1', splitter.start, splitter.end),
    )
  for (const chunk of chunks) {
    splitter.push(chunk)
    while (splitter.next()) take()
    expect(splitter.heldBytes).toBeLessThanOrEqual(lineBytesMax + 1)
  }
  if (endsProperly && splitter.finish()) take()
  return lines
}

/** `text` cut at the given places. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...sorted].map((from, i) => bytes.subarray(from, sorted[i] ?? bytes.length))
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', 'é'), maxLength: 60 })

describe('lines', () => {
  it('do not depend on the chunks', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (whole, places) => {
        const lines = whole.split('\n')
        const last = lines.pop()!
        const expected = last === '' ? lines : [...lines, last]
        expect(split(cut(whole, places))).toEqual(expected.map((line) => line.replace(/\r$/, '')))
      }),
      { numRuns: 2_000 },
    )
  })

  it('beyond the limit are told once, in their place, and not held', () => {
    fc.assert(
      fc.property(
        text,
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.integer({ min: 1, max: 6 }),
        (whole, places, limit) => {
          const lines = whole.split('\n')
          const last = lines.pop()!
          const expected = last === '' ? lines : [...lines, last]
          expect(split(cut(whole, places), limit)).toEqual(
            expected
              .map((line) => line.replace(/\r$/, ''))
              .map((line) => (line.length > limit ? TOO_LONG : line)),
          )
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('without their end count only when the body ended properly', () => {
    const chunks = [Buffer.from('one\ntw'), Buffer.from('o')]
    expect(split(chunks)).toEqual(['one', 'two'])
    expect(split(chunks, 1_000, false)).toEqual(['one'])
  })

  it('may be empty', () => {
    expect(split([Buffer.from('\n\r\n\n')])).toEqual(['', '', ''])
    expect(split([])).toEqual([])
  })
})
