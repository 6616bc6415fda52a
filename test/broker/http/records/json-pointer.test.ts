/** JSON Pointers in the bytes of a text find what RFC 6901 says they name. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PointerFinder, parsePointer } from '../../../../broker/http/records/json-pointer.ts'
import { JsonError, JsonReader } from '../../../../broker/http/records/json-reader.ts'

function find(text: string, ...pointers: string[]): (string | undefined)[] {
  const finder = new PointerFinder(
    pointers.map((pointer) => parsePointer(pointer)!),
    new JsonReader(),
  )
  const bytes = Buffer.from(text)
  finder.find(bytes, 0, bytes.length)
  return pointers.map((_, i) =>
    finder.starts[i]! < 0 ? undefined : bytes.toString('utf8', finder.starts[i]!, finder.ends[i]!),
  )
}

/** Every pointer into a value, with the value it names. */
function* pointersInto(value: unknown, pointer = ''): Generator<[string, unknown]> {
  yield [pointer, value]
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    const token = name.replaceAll('~', '~0').replaceAll('/', '~1')
    yield* pointersInto(member, `${pointer}/${token}`)
  }
}

describe('a pointer', () => {
  it('finds every part of any value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value, undefined, 1)
        const all = [...pointersInto(JSON.parse(text))].slice(0, 30)
        const found = find(text, ...all.map(([pointer]) => pointer))
        expect(found.map((part) => JSON.parse(part!))).toEqual(all.map(([, part]) => part))
      }),
      { numRuns: 300 },
    )
  })

  it('finds the examples of RFC 6901', () => {
    const text =
      '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8}'
    const pointers = ['', '/foo', '/foo/0', '/', '/a~1b', '/c%d', '/e^f', '/g|h', '/i\\j', '/k"l']
    expect(find(text, ...pointers, '/ ', '/m~0n')).toEqual([
      text,
      '["bar","baz"]',
      '"bar"',
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      '8',
    ])
  })

  it('finds nothing where there is nothing', () => {
    expect(find('{"a":[1,2],"b":{"c":1}}', '/x', '/a/2', '/a/-', '/a/01', '/b/c/d', '/b/')).toEqual(
      Array(6).fill(undefined),
    )
  })

  it('sees that the rest of the text is no JSON', () => {
    expect(() => find('{"a":1,"b":}', '/a')).toThrow(JsonError)
    expect(() => find('{"a":1} x', '/a')).toThrow(JsonError)
    expect(() => find('', '/a')).toThrow(JsonError)
  })

  it.each(['a', 'a/b', '/a~', '/a~2b', '/~'])('%j is none', (text) => {
    expect(parsePointer(text)).toBeUndefined()
  })
})
