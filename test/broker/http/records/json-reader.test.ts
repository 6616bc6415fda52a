/**
 * JSON as it is read off the wire: what `JSON.parse` takes is taken and what it refuses is refused, but
 * for names that come twice, depth and byte order marks; members are found where they stand.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  JSON_DEPTH_MAX,
  JsonError,
  JsonReader,
} from '../../../../broker/http/records/json-reader.ts'

const reader = new JsonReader()

function isRead(text: string | Buffer): boolean {
  const bytes = Buffer.from(text)
  try {
    reader.open(bytes)
    reader.skip()
    reader.finish()
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(JsonError)
    return false
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** True when some object in the text has a name twice: `JSON.parse` keeps the last. */
function hasRepeatedName(text: string): boolean {
  let members = 0
  JSON.parse(text, (_name, value) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      members += Object.keys(value).length
    }
    return value
  })
  let colons = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    if (isInString && text[i] === '\\') i++
    else if (text[i] === '"') isInString = !isInString
    else if (!isInString && text[i] === ':') colons++
  }
  return colons !== members
}

describe('a JSON text', () => {
  it('is read when it is one, whatever its values and white space', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 1, '\t', ' \r\n'), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), undefined, indent)
        expect(isRead(spaced)).toBe(true)
        expect(isRead(` \n${spaced}\r\t`)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('is refused exactly when JSON.parse refuses it, or a name comes twice', () => {
    const pieces = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"a"', '"b"', '"\\u0061"', '"', '\\', '1', '-', '0', '.5'],
      ...[
        'e3',
        'E-1',
        '+',
        'true',
        'false',
        'null',
        'nul',
        ' ',
        '\n',
        '\u0001',
        'é',
        '\\ud800',
        'NaN',
      ],
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('')
        expect(isRead(text)).toBe(parses(text) && !hasRepeatedName(text))
      }),
      { numRuns: 5_000 },
    )
  })

  it('is refused when one byte of it is changed into something that is not JSON', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.integer({ min: 0, max: 127 }), (text, at, byte) => {
        const bytes = Buffer.from(JSON.stringify(JSON.parse(text)))
        bytes[at % bytes.length] = byte
        const changed = bytes.toString()
        fc.pre(changed.isWellFormed() && Buffer.from(changed).equals(bytes))
        expect(isRead(bytes)).toBe(parses(changed) && !hasRepeatedName(changed))
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['', 'the text ends'],
    ['{"a":1', 'the text ends'],
    ['{"a":1,}', 'a name in quotes'],
    ['[1,]', 'a value'],
    ['[1 2]', '"," or "]"'],
    ['01', 'more text'],
    ['-', 'a number'],
    ['1.', 'a number'],
    ['NaN', 'a value'],
    ['\ufeff1', 'byte order mark'],
    ['"\u0001"', 'control character'],
    ['"\\x"', 'escape'],
    ['"\\u12g4"', 'escape'],
    ['1 1', 'more text'],
  ])('%j is refused, saying where', (text, why) => {
    const read = () => {
      reader.open(Buffer.from(text))
      reader.skip()
      reader.finish()
    }
    expect(read).toThrow(why)
    expect(read).toThrow(/at byte \d+$/)
  })
})

describe('names', () => {
  it('are refused the second time, also when an escape hides it', () => {
    expect(isRead('{"a":1,"a":2}')).toBe(false)
    expect(isRead('{"a":1,"\\u0061":2}')).toBe(false)
    expect(isRead('{"x":[{"b":1,"c":2,"b":3}]}')).toBe(false)
    expect(isRead('{"a":{"a":{"a":1}},"b":{"a":1}}')).toBe(true)
  })

  it('may be many, and one among many is still seen twice', () => {
    const many = Array.from({ length: 5_000 }, (_, i) => `"n${i}":${i}`)
    expect(isRead(`{${many.join(',')}}`)).toBe(true)
    for (const repeated of [0, 15, 16, 17, 4_999]) {
      expect(isRead(`{${many.join(',')},"n${repeated}":0}`)).toBe(false)
    }
    const nested = `{${many.join(',')},"inner":{${many.join(',')}},"last":1}`
    expect(isRead(nested)).toBe(true)
  })

  it('with the same hash are told apart', () => {
    // 31 * 'A' + 'a' = 31 * 'B' + 'B'
    expect(isRead('{"Aa":1,"BB":2}')).toBe(true)
    expect(isRead('{"Aa":1,"BB":2,"Aa":3}')).toBe(false)
  })

  it('such as __proto__ are names like others', () => {
    expect(isRead('{"__proto__":{"x":1},"constructor":2,"toString":3}')).toBe(true)
  })
})

describe('depth', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}1${']'.repeat(depth)}`

  it('is read up to the limit and refused beyond it, however deep', () => {
    expect(isRead(nested(JSON_DEPTH_MAX))).toBe(true)
    expect(isRead(nested(JSON_DEPTH_MAX + 1))).toBe(false)
    expect(isRead('['.repeat(200_000))).toBe(false)
    expect(isRead('{"a":'.repeat(200_000))).toBe(false)
  })

  it('counts the levels entered by hand too', () => {
    reader.open(Buffer.from(`{"a":${nested(JSON_DEPTH_MAX)}}`))
    reader.peek()
    reader.beginObject()
    expect(reader.nextMember()).toBe(true)
    expect(() => reader.skip()).toThrow(`deeper than ${JSON_DEPTH_MAX}`)
  })
})

describe('members', () => {
  it('are found where they stand, as sent', () => {
    const value = fc.json().map((text) => JSON.stringify(JSON.parse(text), undefined, 1))
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value, { maxKeys: 20 }), (members) => {
        const entries = Object.entries(members)
        const text = `{ ${entries.map(([name, raw]) => `${JSON.stringify(name)} : ${raw}`).join(' ,\n')} }`
        const bytes = Buffer.from(`xx${text}yy`)
        reader.open(bytes, 2, bytes.length - 2)
        reader.peek()
        reader.beginObject()
        const found: [string, string][] = []
        while (reader.nextMember()) {
          const name = reader.name()
          expect(reader.nameIs(Buffer.from(name))).toBe(true)
          reader.skip()
          found.push([name, bytes.toString('utf8', reader.valueStart, reader.valueEnd)])
        }
        reader.finish()
        expect(found).toEqual(entries)
      }),
      { numRuns: 300 },
    )
  })
})
