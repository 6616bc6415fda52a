/**
 * Checks what a client sent against a TypeBox schema, as sent: nothing is coerced, dropped or filled
 * in. Paths and queries arrive as text, so there a value is first read strictly as what its schema
 * says. Checks are compiled when first used, so that a broker's start does not pay for them.
 *
 * Every error names the field, the value and what is allowed.
 */

import { createRequire } from 'node:module'
import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type * as Compiler from '@sinclair/typebox/compiler'
import { isErrorCode, SpoolError } from '../../client/api/errors.ts'

/** What a value was part of, for the error. */
export type Place = 'path parameter' | 'query parameter' | 'field'

const SHOWN_CHARACTERS_MAX = 80

/** Loaded when the first value is checked: a broker that starts has none yet. */
let compiler: typeof Compiler | undefined
const require = createRequire(import.meta.url)

function compile<Schema extends TSchema>(schema: Schema): Compiler.TypeCheck<Schema> {
  compiler ??= require('@sinclair/typebox/compiler') as typeof Compiler
  return compiler.TypeCompiler.Compile(schema)
}

/** A schema's check, compiled on first use. */
export class Check<Schema extends TSchema> {
  readonly schema: Schema
  readonly #place: Place
  #compiled: Compiler.TypeCheck<Schema> | undefined

  constructor(schema: Schema, place: Place) {
    this.schema = schema
    this.#place = place
  }

  /** Passes a value that fits; throws SpoolError with the first thing that does not. */
  passes(value: unknown): Static<Schema> {
    this.#compiled ??= compile(this.schema)
    if (this.#compiled.Check(value)) return value as Static<Schema>
    const error = this.#compiled.Errors(value).First()
    throw error === undefined
      ? new SpoolError('INVALID_REQUEST', 'the request does not fit its schema')
      : this.#describe(error)
  }

  #describe(outer: Compiler.ValueError): SpoolError {
    const error = withinVariant(outer)
    const field = fieldName(error.path)
    const name = field === '' ? 'the body' : `${this.#place} ${field}`
    const options = field === '' ? {} : { extensions: { field } }
    if (error.type === compiler?.ValueErrorType.ObjectAdditionalProperties) {
      const known = knownNames(this.schema, error.path)
      return new SpoolError('INVALID_REQUEST', `${name} is not known here${known}`, options)
    }
    if (
      error.type === compiler?.ValueErrorType.ObjectRequiredProperty ||
      error.value === undefined
    ) {
      return new SpoolError('INVALID_REQUEST', `${name} is required`, options)
    }
    const code = error.schema['x-error']
    return new SpoolError(
      isErrorCode(code) ? code : 'INVALID_REQUEST',
      `${name} is ${shown(error.value)}, which is not ${allowed(error.schema)}`,
      options,
    )
  }
}

/**
 * What is wrong inside the one object of a union that a value is meant as, by the names it has; the error itself
 * where that is none, or several.
 */
function withinVariant(error: Compiler.ValueError): Compiler.ValueError {
  const { schema, value, errors } = error
  if (!Array.isArray(schema.anyOf) || typeof value !== 'object' || value === null) return error
  const meant = (schema.anyOf as TSchema[]).flatMap((variant, index) =>
    Object.keys(propertiesOf(variant)).some((name) => Object.hasOwn(value, name)) ? [index] : [],
  )
  const inner = meant.length === 1 ? errors[meant[0]!]?.First() : undefined
  return inner === undefined ? error : withinVariant(inner)
}

/** `/records/0/key` as `records[0].key`. */
function fieldName(path: string): string {
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${visible(part)}`))
    .join('')
    .replace(/^\./, '')
}

/** The names that would have been fine beside an unknown one, when they are few enough to list. */
function knownNames(schema: TSchema, path: string): string {
  if (path.split('/').length !== 2 || schema.type !== 'object') return ''
  const names = Object.keys(propertiesOf(schema))
  return names.length === 0 ? '; there are none' : `; known: ${names.join(', ')}`
}

/** The members of an object's schema; every path and query is an object. */
function propertiesOf(schema: TSchema): Readonly<Record<string, TSchema | undefined>> {
  return (schema as Partial<TObject>).properties ?? {}
}

/** A client's value, as JSON, cut, without anything a terminal would act on. */
export function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? typeof value)
  return visible(text)
}

function visible(text: string): string {
  const cut = text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}

/** What a schema takes, in words: "an integer from 1 to 1000", "one of 0, 1, "all"". */
export function allowed(schema: TSchema): string {
  if (Array.isArray(schema.anyOf)) return allowedByUnion(schema.anyOf as TSchema[])
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  switch (schema.type) {
    case 'integer':
    case 'number':
      return `${schema.type === 'integer' ? 'an integer' : 'a number'}${range(schema.minimum, schema.maximum)}`
    case 'string':
      return allowedText(schema)
    case 'boolean':
      return 'true or false'
    case 'null':
      return 'null'
    case 'array':
      return `an array${range(schema.minItems, schema.maxItems, ' items')}`
    case 'object':
      return `an object${range(schema.minProperties, schema.maxProperties, ' members')}`
    default:
      return 'a value it takes'
  }
}

function allowedByUnion(members: readonly TSchema[]): string {
  if (members.every((member) => member.const !== undefined)) {
    return `one of ${members.map((member) => JSON.stringify(member.const)).join(', ')}`
  }
  return members.map(allowedInUnion).join(' or ')
}

/** Objects are told apart by their names. */
function allowedInUnion(schema: TSchema): string {
  const names = Object.keys(propertiesOf(schema))
  return names.length === 0 ? allowed(schema) : `an object with ${names.join(', ')}`
}

function allowedText(schema: TSchema): string {
  if (schema.pattern !== undefined && typeof schema.description === 'string') {
    return `a text that fits: ${schema.description}`
  }
  return `a text${range(schema.minLength, schema.maxLength, ' characters')}`
}

function range(minimum: unknown, maximum: unknown, unit = ''): string {
  if (minimum !== undefined && maximum !== undefined) {
    return `${unit === '' ? ' from' : ' of'} ${minimum} to ${maximum}${unit}`
  }
  if (minimum !== undefined) return ` of at least ${minimum}${unit}`
  return maximum === undefined ? '' : ` of at most ${maximum}${unit}`
}

/**
 * Reads a query string by its schema: an unknown name, a repeated single value, a broken escape, or a
 * text that is not what the schema says is INVALID_REQUEST.
 */
export class QueryCheck<Schema extends TSchema> {
  readonly #check: Check<Schema>

  constructor(schema: Schema) {
    this.#check = new Check(schema, 'query parameter')
  }

  /** `text` is what follows the `?`, undecoded. */
  parse(text: string): Static<Schema> {
    const properties = propertiesOf(this.#check.schema)
    const values: Record<string, unknown> = Object.create(null)
    for (const pair of text === '' ? [] : text.split('&')) {
      if (pair === '') continue
      const at = pair.indexOf('=')
      const name = decoded(at < 0 ? pair : pair.slice(0, at))
      const value = decoded(at < 0 ? '' : pair.slice(at + 1))
      const schema = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (schema?.type === 'array') {
        const before = (values[name] ?? []) as unknown[]
        values[name] = [...before, readText(schema.items as TSchema, value)]
      } else if (name in values) {
        throw new SpoolError('INVALID_REQUEST', `query parameter ${visible(name)} is given twice`, {
          extensions: { field: name },
        })
      } else values[name] = schema === undefined ? value : readText(schema, value)
    }
    return this.#check.passes(values)
  }
}

/** The parameters in the path, already decoded by the router. */
export class PathCheck<Schema extends TSchema> {
  readonly #check: Check<Schema>

  constructor(schema: Schema) {
    this.#check = new Check(schema, 'path parameter')
  }

  parse(texts: Readonly<Record<string, string>>): Static<Schema> {
    const properties = propertiesOf(this.#check.schema)
    const values: Record<string, unknown> = {}
    for (const [name, text] of Object.entries(texts)) {
      const schema = properties[name]
      values[name] = schema === undefined ? text : readText(schema, text)
    }
    return this.#check.passes(values)
  }
}

function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new SpoolError(
      'INVALID_REQUEST',
      `the query has ${shown(text)}, which is not percent-encoded UTF-8`,
    )
  }
}

/** Reads a text as what the schema says; a text that can not be read stays a text and fails the check. */
function readText(schema: TSchema, text: string): unknown {
  if (Array.isArray(schema.anyOf)) return readUnion(schema.anyOf as TSchema[], text)
  if (schema.const !== undefined) return String(schema.const) === text ? schema.const : text
  switch (schema.type) {
    case 'integer':
      return readInteger(text)
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text
    default:
      return text
  }
}

function readInteger(text: string): number | string {
  if (!/^-?(?:0|[1-9]\d{0,15})$/.test(text)) return text
  const value = Number(text)
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : text
}

function readUnion(members: readonly TSchema[], text: string): unknown {
  for (const member of members) {
    const value = readText(member, text)
    if (member.const !== undefined ? value === member.const : value !== text) return value
  }
  return text
}
