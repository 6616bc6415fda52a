/**
 * Browsers: which origins' pages may use the broker, and the CORS headers for those that may. Pure.
 * Off by default; never with credentials, so a page can use nothing its user is logged in with.
 */

/** How long a browser may remember a preflight's answer. */
const PREFLIGHT_AGE_S = 600

/**
 * What a page may read of an answer: everything, record headers (`spool-header-<name>`) included. The
 * names are for browsers that do not know `*` here.
 */
const EXPOSED_HEADERS =
  '*, ETag, Link, Location, Retry-After, Spool-Key, Spool-Offset, Spool-Partition, Spool-Timestamp, Spool-Headers-Omitted'

/**
 * What a page may send: anything, a record's own headers included. `*` does not cover Authorization (Fetch
 * standard, "CORS non-wildcard request-header name"); the other names are for browsers that do not know
 * `*` here.
 */
const ALLOWED_HEADERS =
  '*, Authorization, Content-Type, Last-Event-ID, Spool-Key, Spool-Partition, Spool-Producer-Epoch, Spool-Producer-Id, Spool-Sequence, Spool-Timestamp, Spool-Tombstone'

export class OriginPolicy {
  readonly #allowed: ReadonlySet<string>

  /** Origins as browsers write them (`https://example.org`), or `*` for any. */
  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
  }

  /** True for a page that came from this broker itself: the origin is the very host it asks. */
  isOwn(origin: string, host: string | undefined): boolean {
    if (host === undefined) return false
    const own = host.toLowerCase()
    return origin.toLowerCase() === `http://${own}` || origin.toLowerCase() === `https://${own}`
  }

  isAllowed(origin: string): boolean {
    return this.#allowed.has('*') || this.#allowed.has(origin.toLowerCase())
  }

  /** The headers that let the page read the answer. A page of ours needs none. */
  headers(origin: string, isOwn: boolean): [string, string][] {
    if (isOwn && !this.isAllowed(origin)) return []
    return [
      ['access-control-allow-origin', this.#allowed.has('*') ? '*' : origin],
      ['access-control-expose-headers', EXPOSED_HEADERS],
      ['vary', 'Origin'],
    ]
  }

  preflightHeaders(): [string, string][] {
    return [
      ['access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE'],
      ['access-control-allow-headers', ALLOWED_HEADERS],
      ['access-control-max-age', String(PREFLIGHT_AGE_S)],
    ]
  }
}

/**
 * The name in a Host header, in lower case, without port, brackets or a final dot; `undefined` when
 * the header is no host.
 */
export function hostNameOf(host: string): string | undefined {
  const found = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host)
  return (found?.[1] ?? found?.[2])?.toLowerCase().replace(/\.$/, '')
}
