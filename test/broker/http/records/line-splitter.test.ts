/** Lines come out the same however a body was cut into chunks, and memory does not follow the input. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineSplitter } from '../../../../broker/http/records/line-splitter.ts'

const TOO_LONG = Symbol('too long')

function split(
  chunks: readonly Buffer[],
  lineBytesMax = 1_000,
  endsProperly = true,
  delimiter = '\n',
) {
  const splitter = new LineSplitter(lineBytesMax, Buffer.from(delimiter))
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
    expect(splitter.heldBytes).toBeLessThanOrEqual(lineBytesMax + delimiter.length)
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

  it('may end with any other delimiter, wherever a chunk cuts it, and a CR is then a byte like others', () => {
    const unit = fc.constantFrom('a', 'b', '\n', '\r', '\0')
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 60 }),
        fc.constantFrom('\0', '\r\n', 'ab', 'aab', '\n\n'),
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        (whole, delimiter, places, limit) => {
          const lines = whole.split(delimiter)
          const last = lines.pop()!
          const expected = last === '' ? lines : [...lines, last]
          expect(split(cut(whole, places), limit, true, delimiter)).toEqual(
            expected.map((line) => (line.length > limit ? TOO_LONG : line)),
          )
        },
      ),
      { numRuns: 5_000 },
    )
  })

  it('tell where the last one that has ended ends, among all bytes', () => {
    fc.assert(
      fc.property(
        text,
        fc.constantFrom('\n', 'ab'),
        fc.array(fc.nat(), { maxLength: 8 }),
        (whole, delimiter, places) => {
          const splitter = new LineSplitter(3, Buffer.from(delimiter))
          let at = 0
          for (const chunk of cut(whole, places)) {
            splitter.push(chunk)
            at += chunk.length
            while (splitter.next()) {}
            const found = whole.slice(0, at).split(delimiter)
            expect(splitter.position).toBe(at - found.at(-1)!.length)
          }
          splitter.finish()
          expect(splitter.position).toBe(whole.length)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('may be empty', () => {
    expect(split([Buffer.from('\n\r\n\n')])).toEqual(['', '', ''])
    expect(split([])).toEqual([])
  })
})
