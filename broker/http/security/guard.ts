/**
 * Who may ask at all: decided from the request's head, before a route or a body is looked at. In this
 * order: the Host (DNS rebinding), the Origin (other sites' pages), then the token. It owns the CORS
 * headers and answers preflights. What a client may do once it is in is not decided here.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { isLoopback } from '../../config.ts'
import { expectsUnknown } from '../limits/expect-continue.ts'
import { cleanText } from '../limits/rate-limited-log.ts'
import { hostNameOf, OriginPolicy } from './origin.ts'
import { TokenCheck } from './token.ts'

export interface GuardOptions {
  /** The address the broker listens on. */
  readonly host: string
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  /** Absent: everyone who reaches the port may ask. */
  readonly token: string | undefined
}

export class Guard {
  readonly #checksHost: boolean
  readonly #allowedHosts: ReadonlySet<string>
  readonly #origins: OriginPolicy
  readonly #token: TokenCheck | undefined

  constructor(options: GuardOptions) {
    this.#checksHost = isLoopback(options.host)
    this.#allowedHosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()))
    this.#origins = new OriginPolicy(options.allowedOrigins)
    this.#token = options.token === undefined ? undefined : new TokenCheck(options.token)
  }

  /**
   * Throws SpoolError 400, 401 or 403; returns true when it has answered itself (a CORS preflight).
   * `isOpen`: the route needs no token.
   */
  admit(request: FastifyRequest, reply: FastifyReply, isOpen: boolean): boolean {
    const message = request.raw
    const { host, origin, authorization } = message.headers
    checkTarget(message.method, message.url ?? '')
    if (expectsUnknown(message)) {
      throw new SpoolError('INVALID_REQUEST', 'of all expectations only 100-continue is known', {
        outcome: 'refused',
        headers: { connection: 'close' },
      })
    }
    // Node keeps the first of two Host headers; a proxy may have gone by the other.
    if (host !== undefined && countOf('host', message.rawHeaders) > 1) {
      throw new SpoolError('INVALID_REQUEST', 'the request has two Host headers')
    }
    this.#checkHost(host, message.httpVersion)
    if (origin !== undefined) {
      const isPreflight = this.#admitOrigin(origin, host, request, reply)
      if (isPreflight) return true
    }
    if (!isOpen) this.#token?.check(authorization)
    return false
  }

  #checkHost(host: string | undefined, httpVersion: string): void {
    if (host === undefined || host === '') {
      if (httpVersion === '1.0') return
      throw new SpoolError('INVALID_REQUEST', 'an HTTP/1.1 request needs a Host header')
    }
    const name = hostNameOf(host)
    if (name === undefined) throw new SpoolError('INVALID_REQUEST', 'the Host header is not a host')
    if (!this.#checksHost || isLoopback(name) || this.#allowedHosts.has(name)) return
    throw new SpoolError(
      'FORBIDDEN_HOST',
      `Host ${cleanText(name)} is neither a loopback name nor in allowed.hosts (--allowed-hosts)`,
    )
  }

  #admitOrigin(
    origin: string,
    host: string | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): boolean {
    const isOurs = this.#origins.isOwn(origin, host)
    if (!isOurs && !this.#origins.isAllowed(origin)) {
      throw new SpoolError(
        'FORBIDDEN_ORIGIN',
        `Origin ${cleanText(origin)} is neither this broker's own nor in cors.allowed.origins`,
      )
    }
    for (const [name, value] of this.#origins.headers(origin, isOurs)) reply.header(name, value)
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
    if (!isPreflight) return false
    for (const [name, value] of this.#origins.preflightHeaders()) reply.header(name, value)
    reply.code(204).send()
    return true
  }
}

/** A path, or `*` where a method may mean the whole server. A fragment is for the client alone (RFC 9112, 3.2). */
function checkTarget(method: string | undefined, target: string): void {
  const isTarget = target.startsWith('/') || (target === '*' && method === 'OPTIONS')
  if (isTarget && !target.includes('#')) return
  throw new SpoolError('INVALID_REQUEST', 'the request target must be a path, without a fragment')
}

/** How often a header stands in Node's flat list of names and values. */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length === name.length && rawHeaders[i]!.toLowerCase() === name) count++
  }
  return count
}
