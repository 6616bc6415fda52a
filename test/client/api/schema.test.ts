/** Our builders make what TypeBox's make, and its compiler takes them. */

import * as TypeBox from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { expect, test } from 'vitest'
import { Type } from '../../../client/api/schema.ts'

type Builders = typeof Type

const examples: Record<string, (type: Builders) => TypeBox.TSchema> = {
  any: (type) => type.Any({ description: 'anything' }),
  null: (type) => type.Null(),
  boolean: (type) => type.Boolean(),
  integer: (type) => type.Integer({ minimum: 1, maximum: 9 }),
  number: (type) => type.Number({ minimum: 0.5 }),
  string: (type) => type.String({ pattern: '^a+$', 'x-error': 'INVALID_CONFIG' }),
  literals: (type) => type.Union([type.Literal('a'), type.Literal(1), type.Literal(true)]),
  array: (type) => type.Array(type.Integer(), { maxItems: 3 }),
  tuple: (type) => type.Tuple([type.String(), type.Union([type.Integer(), type.Null()])]),
  record: (type) => type.Record(type.String(), type.Integer(), { maxProperties: 2 }),
  object: (type) =>
    type.Object(
      { needed: type.Integer(), optional: type.Optional(type.String()), any: type.Any() },
      { additionalProperties: false },
    ),
  'object without needs': (type) => type.Object({ optional: type.Optional(type.Null()) }),
  'empty object': (type) => type.Object({}),
}

const values: unknown[] = [
  ...[undefined, null, true, 0, 1, 9, 10, 1.5, 'a', 'b', '', [], {}],
  ...[[1, 2, 3, 4], ['x', null], ['x', 1], ['x'], { needed: 1, any: 0 }, { needed: 1 }],
  ...[{ needed: 1, any: 0, more: 1 }, { needed: 1, any: 0, optional: 'x' }, { a: 1 }, { a: 'x' }],
  ...[{ a: 1, b: 2, c: 3 }, { optional: null }, { optional: 1 }],
]

test.each(Object.entries(examples))('%s', (_name, build) => {
  const ours = build(Type)
  const theirs = build(TypeBox.Type)
  expect(ours).toEqual(theirs)
  expect(ours[TypeBox.Kind]).toBe(theirs[TypeBox.Kind])
  const check = { ours: TypeCompiler.Compile(ours), theirs: TypeCompiler.Compile(theirs) }
  expect(values.map((value) => check.ours.Check(value))).toEqual(
    values.map((value) => check.theirs.Check(value)),
  )
})
