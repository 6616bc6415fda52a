/**
 * Writes the OpenAPI 3.1 document of a table of routes. TypeBox schemas are JSON Schema 2020-12, which
 * is what OpenAPI 3.1 speaks, so bodies go in as they are. Loaded when somebody first asks for it.
 */

import type { TObject, TSchema } from '@sinclair/typebox'
import { PROBLEM_TYPE } from '../../client/api/media-types.ts'
import type { Content, Route, RouteResponse } from '../../client/api/route.ts'
import { Problem } from '../../client/api/schemas/problem.ts'

/** The version of the interface, not of the broker: it changes when `/v1` does. */
const INTERFACE_VERSION = '1.0.0'

type Json = Record<string, unknown>

/** The document for these routes. */
export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    paths[route.path] ??= {}
    const operations = paths[route.path]!
    operations[route.method.toLowerCase()] = operationOf(route, route.operationId)
    if (route.hasHead)
      operations.head = operationOf(withoutBodies(route), `${route.operationId}Head`)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Spool',
      version: INTERFACE_VERSION,
      description:
        'A disk-backed, partitioned message broker over plain HTTP. Every error is a problem document (RFC 9457).',
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: plain(Problem) },
      responses: {
        Problem: {
          description: 'What went wrong, by name, and what to do.',
          content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function operationOf(route: Route, operationId: string): Json {
  return {
    operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    // An empty requirement: a broker without a token asks for none.
    security: route.isOpen ? [] : [{}, { token: [] }],
    parameters: [
      ...parametersOf(route.params, 'path'),
      ...parametersOf(route.query, 'query'),
      ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
        name,
        in: 'header',
        required: false,
        description,
        schema: { type: 'string' },
      })),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.body.isRequired,
            ...(route.body.description === undefined
              ? {}
              : { description: route.body.description }),
            content: contentOf(route.body.content),
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.responses).map(([status, response]) => [status, responseOf(response)]),
      ),
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

/** HEAD answers like GET, without bodies. */
function withoutBodies(route: Route): Route {
  const responses = Object.entries(route.responses).map(([status, response]) => {
    const { content: _, ...rest } = response
    return [status, rest]
  })
  return { ...route, responses: Object.fromEntries(responses) as Route['responses'] }
}

function parametersOf(schema: TSchema, place: 'path' | 'query'): Json[] {
  const { properties, required = [] } = schema as TObject
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = plain(property)
    return {
      name,
      in: place,
      required: required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

function responseOf(response: RouteResponse): Json {
  return {
    description: response.description,
    ...(response.content === undefined ? {} : { content: contentOf(response.content) }),
    ...(response.headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(response.headers).map(([name, description]) => [
              name,
              { description, schema: { type: 'string' } },
            ]),
          ),
        }),
  }
}

function contentOf(content: Readonly<Record<string, Content>>): Json {
  return Object.fromEntries(
    Object.entries(content).map(([type, schema]) => [
      type,
      // Binary bodies have no schema in OpenAPI 3.1.
      schema === 'bytes' ? {} : { schema: plain(schema) },
    ]),
  )
}

/**
 * A schema as JSON Schema 2020-12 has it: without TypeBox's symbols and our `x-error`, and with tuples
 * in `prefixItems`, which TypeBox writes in the older way.
 */
function plain(schema: TSchema): Json {
  return JSON.parse(
    JSON.stringify(schema, (name, value) => {
      if (name === 'x-error' || name === 'additionalItems') return undefined
      if (!Array.isArray(value?.items)) return value
      const { items, ...rest } = value
      return { ...rest, prefixItems: items }
    }),
  ) as Json
}
