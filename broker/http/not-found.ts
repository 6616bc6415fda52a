/**
 * What to say where no route matched: 405 with `Allow` if the path has other methods, else 404. Knows
 * the paths from the table of routes; asked only when the router found nothing, so it may be slow.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Route } from '../../client/api/route.ts'

export class UnknownPaths {
  readonly #routes: readonly { readonly pattern: RegExp; readonly route: Route }[]

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ pattern: patternOf(route.path), route }))
  }

  /** The error for a request that matched no route. `url` is the request target as it came. */
  errorFor(method: string, url: string): SpoolError {
    const path = url.split('?', 1)[0] ?? ''
    const here = this.#routes.filter(({ pattern }) => pattern.test(path)).map((it) => it.route)
    if (here.length === 0) {
      return new SpoolError(
        'ROUTE_NOT_FOUND',
        'no route has this path; /openapi.json lists them all',
      )
    }
    const methods = new Set(here.flatMap((it) => (it.hasHead ? [it.method, 'HEAD'] : [it.method])))
    const allow = [...methods].join(', ')
    const hint = here.map((it) => it.otherMethods?.[method]).find((it) => it !== undefined)
    return new SpoolError('METHOD_NOT_ALLOWED', hint ?? `this path takes ${allow}`, {
      headers: { allow },
    })
  }
}

/** `/v1/topics/{topic}` as a pattern over undecoded paths. */
function patternOf(path: string): RegExp {
  const parts = path.split(/\{\w+\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^/]+')}$`)
}
