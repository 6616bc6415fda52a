/**
 * What one route of the HTTP interface is, as data. The table in `routes.ts` is made of these; the
 * server validates by them, the OpenAPI document is written from them, and the client calls by them.
 */

import type { Static, TObject, TProperties, TSchema } from '@sinclair/typebox'
import { Type } from './schema.ts'

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * What a body of one media type holds: a schema for a document, `bytes` for anything, `null` for
 * nothing known about it.
 */
export type Content = TSchema | 'bytes'

export interface RouteBody<Body extends TSchema = TSchema> {
  /**
   * `document`: the server reads it whole, as strict JSON, checked against `schema`.
   * `stream`: the route's own code takes the bytes as they come.
   */
  readonly kind: 'document' | 'stream'
  /** The document; for a stream what OpenAPI says of it is in `content`. */
  readonly schema: Body
  /** Media type → content. The type `*` + `/*` takes any. */
  readonly content: Readonly<Record<string, Content>>
  /** False: no body at all is fine too. */
  readonly isRequired: boolean
  readonly description?: string
}

export interface RouteResponse {
  readonly description: string
  /** Media type → content; the first one is sent to who does not care. Absent: no body. */
  readonly content?: Readonly<Record<string, Content>>
  readonly headers?: Readonly<Record<string, string>>
}

export interface Route<
  Params extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
> {
  readonly method: HttpMethod
  /** With `{name}` for parameters, as in OpenAPI. */
  readonly path: string
  readonly operationId: string
  readonly tag: 'Topics' | 'Produce' | 'Consume' | 'Groups' | 'Operations'
  /** A few words. */
  readonly summary: string
  readonly description?: string
  readonly params: Params
  readonly query: Query
  /** Request headers the route reads, by name, each with a sentence. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RouteBody<Body>
  /** By status; problems need not be listed. */
  readonly responses: Readonly<Record<number, RouteResponse>>
  /** True: also answers HEAD. */
  readonly hasHead?: boolean
  /** True: needs no token, and is answered before the broker is ready. */
  readonly isOpen?: boolean
  /** Method → what to say to who tries it here. */
  readonly otherMethods?: Readonly<Record<string, string>>
}

/** `pretty` is part of every route's query. */
const PRETTY = {
  pretty: Type.Optional(Type.Boolean({ description: 'Indent JSON for people.' })),
}

type Definition<Params extends TProperties, Query extends TProperties, Body extends TSchema> = Omit<
  Route<TObject<Params>, TObject<Query>, Body>,
  'params' | 'query'
> & { readonly params?: Params; readonly query?: Query }

/** Completes a route: strict objects for parameters and query, and `pretty`. */
export function defineRoute<
  Params extends TProperties = Record<never, never>,
  Query extends TProperties = Record<never, never>,
  Body extends TSchema = TSchema,
>(
  definition: Definition<Params, Query, Body>,
): Route<TObject<Params>, TObject<Query & typeof PRETTY>, Body> {
  const { params, query, ...rest } = definition
  return {
    ...rest,
    params: strictObject(params ?? ({} as Params)),
    query: strictObject({ ...(query ?? ({} as Query)), ...PRETTY }),
  }
}

/** An object that refuses what it does not know. */
export function strictObject<Properties extends TProperties>(
  properties: Properties,
  options: { readonly description?: string } = {},
): TObject<Properties> {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

export type ParamsOf<R extends Route> = Static<R['params']>
export type QueryOf<R extends Route> = Static<R['query']>
export type BodyOf<R extends Route> =
  R extends Route<TSchema, TSchema, infer Body> ? Static<Body> : never
