/** The table of routes is consistent in itself. */

import { KindGuard, type TSchema } from '@sinclair/typebox'
import { describe, expect, test } from 'vitest'
import type { Route } from '../../../client/api/route.ts'
import { ROUTES } from '../../../client/api/routes.ts'

const routes: readonly Route[] = Object.values(ROUTES)

test('no two routes share a method and a path, or a name', () => {
  const places = routes.map((route) => `${route.method} ${route.path}`)
  expect(new Set(places).size).toBe(places.length)
  const names = routes.map((route) => route.operationId)
  expect(new Set(names).size).toBe(names.length)
})

describe.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_name, route) => {
    test('declares exactly the parameters of its path', () => {
      const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map((found) => found[1])
      expect(Object.keys((route.params as TSchema).properties).sort()).toEqual(inPath.sort())
    })

    test('refuses what it does not know, in path and query', () => {
      expect((route.params as TSchema).additionalProperties).toBe(false)
      expect((route.query as TSchema).additionalProperties).toBe(false)
    })

    test('says what it answers', () => {
      const statuses = Object.keys(route.responses).map(Number)
      expect(statuses.length).toBeGreaterThan(0)
      expect(statuses.every((status) => status >= 200 && status < 400)).toBe(true)
      expect(route.summary.length).toBeGreaterThan(5)
    })

    test('takes a body only where the method has one', () => {
      if (route.body === undefined) return
      expect(['POST', 'PUT', 'PATCH']).toContain(route.method)
      expect(KindGuard.IsSchema(route.body.schema)).toBe(true)
    })
  },
)
