/** Checking what was sent: strict, in words, and safe for any text. */

import { Type } from '@sinclair/typebox'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allowed, Check, PathCheck, QueryCheck, shown } from '../../../broker/http/validation.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { strictObject } from '../../../client/api/route.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import { Acks } from '../../../client/api/schemas/envelopes.ts'

const QUERY = strictObject({
  count: Type.Optional(Type.Integer({ minimum: -5, maximum: 2 ** 53 - 1 })),
  flag: Type.Optional(Type.Boolean()),
  acks: Type.Optional(Acks),
  text: Type.Optional(Type.String({ maxLength: 20 })),
  many: Type.Optional(Type.Array(Type.Integer())),
})

describe('a query', () => {
  const check = new QueryCheck(QUERY)

  test.each<[string, object]>([
    ['', {}],
    ['&&', {}],
    ['count=0', { count: 0 }],
    ['count=-5', { count: -5 }],
    ['count=9007199254740991', { count: Number.MAX_SAFE_INTEGER }],
    ['flag=true', { flag: true }],
    ['flag=false', { flag: false }],
    ['acks=0', { acks: 0 }],
    ['acks=1', { acks: 1 }],
    ['acks=all', { acks: 'all' }],
    ['text=', { text: '' }],
    ['text', { text: '' }],
    ['text=a+b%2Bc%20d', { text: 'a b+c d' }],
    ['text=a=b', { text: 'a=b' }],
    ['te%78t=1', { text: '1' }],
    ['many=1&many=2', { many: [1, 2] }],
  ])('%s', (query, expected) => {
    expect({ ...check.parse(query) }).toEqual(expected)
  })

  test.each([
    'count=',
    'count=1.0',
    'count=1e3',
    'count=+1',
    'count=%201',
    'count=01',
    'count=-0',
    'count=-6',
    'count=9007199254740992',
    'count=99999999999999999999',
    'count=NaN',
    'count=null',
    'count=0x1',
    'count=1&count=1',
    'flag=1',
    'flag=TRUE',
    'acks=2',
    'acks=-1',
    'acks=ALL',
    'many=x',
    'text=%',
    'text=%e4',
    'text=%C0%80',
    'text=aaaaaaaaaaaaaaaaaaaaa',
    'other=1',
    '__proto__=1',
    'constructor=1',
    'hasOwnProperty=1',
    '=1',
  ])('%s is refused', (query) => {
    expect(() => check.parse(query)).toThrow(SpoolError)
  })

  test('of any text is a value of the schema or an SpoolError', () => {
    fc.assert(
      fc.property(fc.string(), (query) => {
        try {
          new Check(QUERY, 'field').passes({ ...check.parse(query) })
        } catch (error) {
          expect(error).toBeInstanceOf(SpoolError)
        }
      }),
    )
  })
})

test('a path parameter is read as its schema says', () => {
  const check = new PathCheck(ROUTES.readRecord.params)
  expect(check.parse({ topic: 'a', partition: '3', offset: '0' })).toEqual({
    topic: 'a',
    partition: 3,
    offset: 0,
  })
  expect(() => check.parse({ topic: '..', partition: '3', offset: '0' })).toThrow(/topic/)
  expect(() => check.parse({ topic: 'a', partition: '-1', offset: '0' })).toThrow(/0 to 2147483647/)
  expect(() => check.parse({ topic: 'a', partition: '3', offset: '9007199254740992' })).toThrow(
    /offset/,
  )
})

describe('an error', () => {
  const schema = strictObject({
    list: Type.Array(strictObject({ size: Type.Integer({ minimum: 1, maximum: 9 }) })),
  })
  const detailOf = (value: unknown) => {
    try {
      new Check(schema, 'field').passes(value)
    } catch (error) {
      return (error as SpoolError).detail
    }
    return undefined
  }

  test('names field, value and bounds', () => {
    expect(detailOf({ list: [{ size: 1 }, { size: 10 }] })).toBe(
      'field list[1].size is 10, which is not an integer from 1 to 9',
    )
    expect(detailOf({ list: [{}] })).toBe('field list[0].size is required')
    expect(detailOf({ list: [{ size: 1, more: 2 }] })).toBe('field list[0].more is not known here')
    expect(detailOf({})).toBe('field list is required')
    expect(detailOf({ lists: [] })).toMatch(/required|not known here; known: list/)
    expect(detailOf([])).toBe('the body is [], which is not an object')
  })

  test('says what each kind of schema takes', () => {
    expect(allowed(Type.Integer({ minimum: 3 }))).toBe('an integer of at least 3')
    expect(allowed(Type.Integer({ maximum: 3 }))).toBe('an integer of at most 3')
    expect(allowed(Acks)).toBe('one of 0, 1, "all"')
    expect(allowed(Type.String({ minLength: 1, maxLength: 3 }))).toBe('a text of 1 to 3 characters')
    expect(allowed(Type.Union([Type.Boolean(), Type.Null()]))).toBe('true or false or null')
  })

  test('shows a value without what a terminal would act on, and cut', () => {
    expect(shown('\u001b[2J\u202e')).toBe('"\\u001b[2J?"')
    expect(shown('x'.repeat(1_000)).length).toBeLessThan(100)
    fc.assert(
      fc.property(fc.anything(), (value) => {
        let text = ''
        try {
          text = shown(value)
        } catch (error) {
          // JSON itself refuses cycles and nested bigints; neither comes out of a parser.
          expect(error).toBeInstanceOf(TypeError)
        }
        expect(text).not.toMatch(/\p{Cc}/u)
      }),
    )
  })
})
