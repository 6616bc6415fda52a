/**
 * The builders of our schemas: the same plain objects, and the same static types, as TypeBox's `Type`
 * makes (a test compares them one by one), without loading TypeBox. Its 260 modules cost a broker about
 * 40 ms and 8 MB at start, and until something must be checked they would do nothing but build the
 * objects that these few lines build. Checking is TypeBox's own compiler (`broker/http/validation.ts`).
 *
 * A builder that is missing here is added when a schema needs it.
 */

import type { Type as TypeBox } from '@sinclair/typebox'

/** How TypeBox tells its schemas' kinds; registered symbols, so that its compiler finds them. */
const KIND = Symbol.for('TypeBox.Kind')
const OPTIONAL = Symbol.for('TypeBox.Optional')

/** TypeBox's pattern for the names of a record: any. */
const ANY_NAME = '^(.*)$'

type Options = Record<string, unknown>
type Schema = Record<PropertyKey, unknown>

function schema(kind: string, members: Schema, options: Options = {}): Schema {
  return { [KIND]: kind, ...members, ...options }
}

const builders = {
  Any: (options?: Options) => schema('Any', {}, options),
  Null: (options?: Options) => schema('Null', { type: 'null' }, options),
  Boolean: (options?: Options) => schema('Boolean', { type: 'boolean' }, options),
  Integer: (options?: Options) => schema('Integer', { type: 'integer' }, options),
  Number: (options?: Options) => schema('Number', { type: 'number' }, options),
  String: (options?: Options) => schema('String', { type: 'string' }, options),
  Literal: (value: string | number | boolean, options?: Options) =>
    schema('Literal', { const: value, type: typeof value }, options),
  Array: (items: Schema, options?: Options) => schema('Array', { type: 'array', items }, options),
  Tuple: (items: readonly Schema[], options?: Options) =>
    schema(
      'Tuple',
      {
        type: 'array',
        items,
        additionalItems: false,
        minItems: items.length,
        maxItems: items.length,
      },
      options,
    ),
  Union: (members: readonly Schema[], options?: Options) =>
    schema('Union', { anyOf: members }, options),
  /** Names are not checked, whatever the schema given for them says: as in TypeBox. */
  Record: (_name: Schema, value: Schema, options?: Options) =>
    schema('Record', { type: 'object', patternProperties: { [ANY_NAME]: value } }, options),
  Object: (properties: Readonly<Record<string, Schema>>, options?: Options) => {
    const required = Object.keys(properties).filter((name) => !(OPTIONAL in properties[name]!))
    const members = required.length > 0 ? { type: 'object', required } : { type: 'object' }
    return schema('Object', { ...members, properties }, options)
  },
  Optional: (inner: Schema) => ({ ...inner, [OPTIONAL]: 'Optional' }),
}

/** TypeBox's builders by their own types. */
export const Type = builders as unknown as Pick<typeof TypeBox, keyof typeof builders>
