/** What is stored of a record that came as JSON: exactly what the contract says, byte for byte. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonError } from '../../../../broker/http/records/json-reader.ts'
import { JsonRecords } from '../../../../broker/http/records/json-record.ts'
import {
  type ProducedRecord,
  RecordRefusal,
  type ValueReading,
} from '../../../../broker/http/records/produced-record.ts'

function readOne(text: string, as: ValueReading = 'auto'): ProducedRecord {
  const bytes = Buffer.from(`  ${text} \n`)
  return new JsonRecords(as).readOne(bytes, 1, bytes.length)
}

function readBody(text: string, as: ValueReading = 'auto') {
  const fates: (ProducedRecord | string)[] = []
  new JsonRecords(as).readBody(
    Buffer.from(text),
    (record) => fates.push(record),
    (refusal) => fates.push(refusal.code),
  )
  return fates
}

const storedValue = (json: string, as?: ValueReading) =>
  readOne(`{"value":${json}}`, as).value?.toString() ?? null
const storedKey = (json: string) => readOne(`{"key":${json},"value":0}`).key?.toString() ?? null

describe('a value', () => {
  it('that is a string is stored as its UTF-8', () => {
    expect(storedValue('"h\\u00e9 \\"x\\""')).toBe('hé "x"')
    expect(storedValue('""')).toBe('')
  })

  it('that is anything else is stored as the text that came', () => {
    for (const text of [
      '{ "b":1,\n"a" : [1.0,1e2, "\\u0041\\ud800"] }',
      '[1 , 2]',
      '1.50',
      '12345678901234567890.10',
      'true',
      '{"base64":"AA==","x":1}',
      '{"x":{"base64":"AA=="}}',
      '{"__proto__":{"a":1}}',
    ]) {
      expect(storedValue(text)).toBe(text)
    }
  })

  it('that is {"base64"} is stored as those bytes', () => {
    expect(readOne('{"value":{ "base64" : "AP8=" }}').value).toEqual(Buffer.from([0, 255]))
    expect(readOne('{"value":{"b\\u0061se64":"\\u0041P8="}}').value).toEqual(Buffer.from([0, 255]))
    for (const wrong of ['"AP8"', '"A P8="', '"-_8="', 'null', '1', '["AP8="]']) {
      expect(() => readOne(`{"value":{"base64":${wrong}}}`)).toThrow(RecordRefusal)
    }
  })

  it('that is null is a tombstone, and only that', () => {
    expect(storedValue('null')).toBeNull()
    expect(() => readOne('{"key":"k"}')).toThrow('value is missing')
    expect(() => readOne('{}')).toThrow('value is missing')
  })

  it('with half of a surrogate pair is refused as a string, kept inside a text', () => {
    expect(() => readOne('{"value":"\\ud800"}')).toThrow(RecordRefusal)
    expect(storedValue('["\\ud800"]')).toBe('["\\ud800"]')
  })

  it('under as=json is always the text that came, but for null', () => {
    for (const text of ['"h\\u00e9"', '{"base64":"AP8="}', '{"base64":1}', '1.0', '[ ]']) {
      expect(storedValue(text, 'json')).toBe(text)
    }
    expect(storedValue('null', 'json')).toBeNull()
  })

  it('of any JSON can be told from the stored bytes under as=json', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(JSON.parse(text) !== null)
        expect(storedValue(text, 'json')).toBe(text)
      }),
    )
  })
})

describe('a key', () => {
  it('is a string, an integer, {"base64"} or null', () => {
    expect(storedKey('"u1"')).toBe('u1')
    expect(storedKey('42')).toBe('42')
    expect(storedKey('-12345678901234567890')).toBe('-12345678901234567890')
    expect(readOne('{"key":{"base64":"AP8="},"value":0}').key).toEqual(Buffer.from([0, 255]))
    expect(storedKey('null')).toBeNull()
    expect(readOne('{"value":0}').key).toBeNull()
  })

  it.each(['1.0', '1e3', 'true', '[1]', '{"a":1}', '"\\ud800"', '{"base64":"x"}'])(
    '%s is refused',
    (json) => {
      expect(() => storedKey(json)).toThrow(RecordRefusal)
    },
  )
})

describe('headers', () => {
  const headersOf = (json: string) =>
    readOne(`{"value":0,"headers":${json}}`).headers.map(({ name, value }) => [
      name.toString(),
      value?.toString() ?? null,
    ])

  it('are an object or pairs, in their order', () => {
    expect(headersOf('{"b":"1","a":{"base64":"eA=="},"n":null}')).toEqual([
      ['b', '1'],
      ['a', 'x'],
      ['n', null],
    ])
    expect(headersOf('[["a","1"],["a","2"]]')).toEqual([
      ['a', '1'],
      ['a', '2'],
    ])
    expect(headersOf('[]')).toEqual([])
    expect(headersOf('{"__proto__":"x"}')).toEqual([['__proto__', 'x']])
  })

  it.each([
    '1',
    'null',
    '"a"',
    '{"a":1}',
    '{"a":[]}',
    '[["a"]]',
    '[["a","b","c"]]',
    '[[1,"b"]]',
    '["a"]',
  ])('%s are refused', (json) => {
    expect(() => headersOf(json)).toThrow(RecordRefusal)
  })
})

describe('partition and timestamp', () => {
  it('are numbers in their bounds, -1 when absent', () => {
    expect(readOne('{"value":0,"partition":3,"timestamp":1700000000000}')).toMatchObject({
      partition: 3,
      timestamp: 1_700_000_000_000,
    })
    expect(readOne('{"value":0}')).toMatchObject({ partition: -1, timestamp: -1 })
    expect(readOne('{"value":0,"timestamp":"2025-01-01T01:00:00+01:00"}')).toMatchObject({
      timestamp: Date.UTC(2025, 0, 1),
    })
  })

  it.each([
    ['"partition":-1', 'INVALID_RECORD'],
    ['"partition":2147483648', 'INVALID_RECORD'],
    ['"partition":"0"', 'INVALID_RECORD'],
    ['"partition":null', 'INVALID_RECORD'],
    ['"timestamp":-5', 'INVALID_TIMESTAMP'],
    ['"timestamp":1.5', 'INVALID_TIMESTAMP'],
    ['"timestamp":9007199254740992', 'INVALID_TIMESTAMP'],
    ['"timestamp":"2025-01-01T00:00:00"', 'INVALID_TIMESTAMP'],
    ['"timestamp":"1969-01-01T00:00:00Z"', 'INVALID_TIMESTAMP'],
    ['"timestamp":null', 'INVALID_TIMESTAMP'],
  ])('%s is %s', (member, code) => {
    expect(readBody(`{"value":0,${member}}`)).toEqual([code])
  })
})

describe('a body', () => {
  it('is one record or a list of them', () => {
    expect(readBody('{"value":"a"}')).toMatchObject([{ value: Buffer.from('a') }])
    expect(readBody('{"records":[{"value":"a"},{"value":null}]}')).toMatchObject([
      { value: Buffer.from('a') },
      { value: null },
    ])
    expect(readBody('{"records":[]}')).toEqual([])
  })

  it('tells the fate of every record in its place', () => {
    expect(
      readBody('{"records":[{"value":"a"},7,{"valu":1},{"value":"b","x":0},{"value":"c"}]}'),
    ).toMatchObject([
      { value: Buffer.from('a') },
      'INVALID_RECORD',
      'INVALID_RECORD',
      'INVALID_RECORD',
      { value: Buffer.from('c') },
    ])
    expect(readBody('[{"value":"a"}]')).toEqual(['INVALID_RECORD'])
  })

  it.each([
    '{"records":[{"value":1}],"x":1}',
    '{"records":{}}',
    '{"value":1}}',
    '{"value":1,"value":2}',
    '{"records":[{"value":1},]}',
    '',
    '{',
  ])('%s is refused whole', (text) => {
    expect(() => readBody(text)).toThrow(JsonError)
  })

  it('with "records" beside the members of a record is a record with an unknown name', () => {
    expect(readBody('{"value":1,"records":[]}')).toEqual(['INVALID_RECORD'])
  })
})
