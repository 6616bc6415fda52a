/** Paths and queries of the routes, encoded, from the route table. Pure. */

import { SpoolError } from './api/errors.ts'
import type { ParamsOf, Route } from './api/route.ts'

/**
 * The path of a route with its parameters filled in.
 *
 * @throws SpoolError INVALID_TOPIC_EXCEPTION or INVALID_GROUP_ID for a name that would not stay in its
 * place in a path.
 */
export function pathOf<R extends Route>(route: R, params: ParamsOf<R>): string {
  const values = params as Readonly<Record<string, string | number>>
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const text = String(values[name])
    // "." and ".." are steps in a path however they are encoded.
    if (text === '' || text === '.' || text === '..') throw noName(name, text)
    return encodeURIComponent(text.toWellFormed())
  })
}

function noName(parameter: string, text: string): SpoolError {
  const isTopic = parameter === 'topic'
  const characters = isTopic ? 'of a-z, A-Z, 0-9, ".", "_" and "-"' : 'without control characters'
  return new SpoolError(
    isTopic ? 'INVALID_TOPIC_EXCEPTION' : 'INVALID_GROUP_ID',
    `${JSON.stringify(text)} is no name: 1 to 249 ${characters}, and neither "." nor ".."`,
    { outcome: 'refused' },
  )
}

/** `path` with its query; members that are `undefined` are left out. */
export function withQuery(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>> | undefined,
): string {
  if (query === undefined) return path
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) given.append(name, String(value))
  }
  return given.size === 0 ? path : `${path}?${given}`
}
