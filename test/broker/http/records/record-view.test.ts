/** How stored bytes look in JSON, and as HTTP headers: readable where they can be, never ambiguous. */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteWriter } from '../../../../broker/http/records/byte-writer.ts'
import { indentJson } from '../../../../broker/http/records/indent-json.ts'
import {
  decodeHeaderValue,
  encodeHeaderValue,
} from '../../../../broker/http/records/raw-headers.ts'
import { RecordView, type View } from '../../../../broker/http/records/record-view.ts'
import { BatchBuilder } from '../../../../storage/record/batch-builder.ts'
import { RecordCursor } from '../../../../storage/record/batch-reader.ts'
import { RecordBatch } from '../../../../storage/record/record-batch.ts'

function view(
  value: Uint8Array | null,
  { as = 'auto' as View, key = null as Uint8Array | null, isOneLine = false } = {},
): string {
  const builder = new BatchBuilder({ compression: 'none' })
  builder.append(5, key, value, [{ name: Buffer.from('h'), value: key }])
  const cursor = new RecordCursor(new RecordBatch(builder.build()), { maxDecompressedBytes: 1e6 })
  cursor.next()
  const writer = new ByteWriter()
  new RecordView(as, isOneLine).write(writer, 3, cursor)
  return writer.take().toString()
}

const valueIn = (text: string, as?: View) =>
  JSON.parse(view(Buffer.from(text, 'latin1'), as === undefined ? {} : { as })).value

describe('a record', () => {
  it('is well-formed JSON that gives its bytes back, whatever they are', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text)),
      fc.json().map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(bytes, fc.option(bytes), (value, key) => {
        const shown = JSON.parse(view(value, { as: 'base64', key }))
        expect(Buffer.from(shown.value.base64, 'base64')).toEqual(Buffer.from(value))
        const back = (part: string | { base64: string } | null) =>
          part === null
            ? null
            : typeof part === 'string'
              ? Buffer.from(part)
              : Buffer.from(part.base64, 'base64')
        expect(back(shown.key)).toEqual(key === null ? null : Buffer.from(key))
        expect(back(shown.headers[0][1])).toEqual(key === null ? null : Buffer.from(key))
        const forEyes = JSON.parse(view(value, { key })).value
        if (typeof forEyes === 'string') expect(Buffer.from(forEyes)).toEqual(Buffer.from(value))
        else if (Object.keys(forEyes).join() === 'base64') {
          expect(Buffer.from(forEyes.base64, 'base64')).toEqual(Buffer.from(value))
        } else expect(forEyes).toEqual(JSON.parse(Buffer.from(value).toString()))
      }),
      { numRuns: 1_000 },
    )
  })

  it('is one line of NDJSON, whatever its bytes', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('\n', '\r\n', '\n  '), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), undefined, 1).replaceAll('\n', indent)
        const line = view(Buffer.from(spaced), { isOneLine: true })
        expect(line).not.toMatch(/[\r\n]/)
        expect(JSON.parse(line)).toEqual(JSON.parse(view(Buffer.from(spaced))))
      }),
    )
  })

  it.each([
    ['{"a":1}', { a: 1 }],
    [' [1, 2] ', [1, 2]],
    ['12', '12'],
    ['true', 'true'],
    ['"quoted"', '"quoted"'],
    ['{"a":1', '{"a":1'],
    ['{"a":1,"a":2}', '{"a":1,"a":2}'],
    ['{"base64":"AA=="}', { base64: Buffer.from('{"base64":"AA=="}').toString('base64') }],
    ['{"base64":"AA==","x":1}', { base64: 'AA==', x: 1 }],
    ['\u00ff', { base64: '/w==' }],
    ['', ''],
  ])('%s is %j for eyes', (stored, expected) => {
    expect(valueIn(stored)).toEqual(expected)
  })

  it('under as=json is the text that is stored', () => {
    for (const text of ['12', 'true', '"x"', '{"base64":"AA=="}', '[1]', 'null']) {
      expect(valueIn(text, 'json')).toEqual(JSON.parse(text))
    }
    for (const text of ['x', '', '{', '\u00ff', '{"a":1,"a":2}']) {
      expect(() => valueIn(text, 'json')).toThrow('is not JSON')
    }
  })
})

describe('an HTTP header', () => {
  it('gives back any bytes, in visible ASCII', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const text = encodeHeaderValue(Buffer.from(bytes))
        expect(text).toMatch(/^[\x21-\x7e]*$/)
        expect(decodeHeaderValue('x', text)).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('that came unencoded is those bytes', () => {
    expect(decodeHeaderValue('x', '\u00ff a%20\u00e9')).toEqual(
      Buffer.from('\u00ff a \u00e9', 'latin1'),
    )
    expect(() => decodeHeaderValue('x', '100%')).toThrow('%')
  })
})

describe('indenting', () => {
  it('looks like JSON.stringify and changes no token', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text)
        const expected = `${JSON.stringify(value, null, 2)}\n`
        expect(indentJson(JSON.stringify(value))).toBe(expected)
        expect(indentJson(JSON.stringify(value, null, 1))).toBe(expected)
      }),
      { numRuns: 300 },
    )
    expect(indentJson('[1.0,1e2,"\\u0041"]')).toBe('[\n  1.0,\n  1e2,\n  "\\u0041"\n]\n')
  })
})
