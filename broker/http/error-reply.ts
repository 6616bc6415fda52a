/**
 * How an error becomes an answer: a problem document (RFC 9457) on every way out — thrown by a route,
 * refused by Fastify or by the HTTP parser before there was a request. Codes and statuses come from
 * `client/api`. Details of our own failures go to the log, never to the client.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  ERRORS,
  SpoolError,
  spoolErrorFrom,
  toProblem,
  withOutcome,
} from '../../client/api/errors.ts'
import { PROBLEM_TYPE } from '../../client/api/media-types.ts'
import type { BrokerContext } from '../context.ts'
import { announcedLength } from './limits/body-reader.ts'
import { awaitsContinue } from './limits/expect-continue.ts'
import { LINGER_MS_MAX, lingerAfterReply } from './limits/lingering-close.ts'
import { cleanText } from './limits/rate-limited-log.ts'

/** True when the client asked for indented JSON; also where the query was never checked. */
export function wantsPretty(url: string): boolean {
  return url.includes('pretty=true') && /[?&]pretty=true(?:&|$)/.test(url)
}

/** A document as the text that is sent. JSON ends with a newline. */
export function renderJson(document: unknown, isPretty: boolean): string {
  return `${isPretty ? JSON.stringify(document, null, 2) : JSON.stringify(document)}\n`
}

/** Sends any thrown value as a problem. Once headers are out nothing can be said: the connection ends. */
export function sendError(
  context: BrokerContext,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const error = outcomeSaid(asApiError(thrown), request)
  logError(context, thrown, error, request)
  if (reply.raw.headersSent) {
    reply.raw.destroy()
    return
  }
  const body = Buffer.from(renderJson(toProblem(error), wantsPretty(request.raw.url ?? '')))
  for (const [name, value] of Object.entries(error.headers)) reply.header(name, value)
  if (error.retryAfterS !== undefined) reply.header('retry-after', String(error.retryAfterS))
  if (isMuchToCome(request.raw, error.headers.connection === 'close')) {
    // The rest of a body nobody will read must not be taken for the next request.
    reply.header('connection', 'close')
    lingerAfterReply(request.raw, reply.raw)
  }
  reply.header('x-content-type-options', 'nosniff')
  reply.code(ERRORS[error.code].httpStatus).header('content-type', PROBLEM_TYPE).send(body)
}

/**
 * Who appends is told the outcome whatever went wrong. An error that does not say it comes from the checks
 * of the head, before anything was appended: those of the route itself do (`add-route.ts`).
 */
function outcomeSaid(error: SpoolError, request: FastifyRequest): SpoolError {
  return configOf(request).appends === true ? withOutcome(error, 'refused') : error
}

/** Up to so much of a refused body is read and dropped, so that the connection can go on. */
const DROPPED_BYTES_MAX = 64 * 1024

/**
 * True when more of the body may come than is worth waiting for, or when nobody knows whether it comes:
 * a client that waits for `100 Continue` may send it or not.
 */
function isMuchToCome(message: IncomingMessage, closesAnyway: boolean): boolean {
  if (message.complete) return false
  const length = announcedLength(message)
  if (length === 0) return false
  if (length === undefined || length > DROPPED_BYTES_MAX) return true
  return closesAnyway || awaitsContinue(message)
}

/** A 500 is a defect or a disk: always logged, with its cause. The client's own mistakes: sparsely. */
function logError(
  context: BrokerContext,
  thrown: unknown,
  error: SpoolError,
  request: FastifyRequest,
): void {
  if (error.code === 'UNKNOWN_SERVER_ERROR') {
    context.logger.error({ error: thrown, route: routeName(request) }, 'a request failed')
    return
  }
  if (error.httpStatus < 500 && error.httpStatus !== 401 && error.httpStatus !== 403) return
  request.server.face.warnings.warn(
    { code: error.code, route: routeName(request), detail: cleanText(error.detail) },
    'a request was refused',
  )
}

/** What every route's Fastify configuration holds (`add-route.ts`). */
export interface RouteConfig {
  readonly isOpen?: boolean
  /** The path as the table has it. */
  readonly template?: string
  /** It appends records: its failures say their outcome. */
  readonly appends?: boolean
}

export function configOf(request: FastifyRequest): RouteConfig {
  return request.routeOptions.config as RouteConfig
}

/** The route's template, never the client's path. */
export function routeName(request: FastifyRequest): string {
  return configOf(request).template ?? '(none)'
}

/** Fastify's own refusals by its codes; everything else by `spoolErrorFrom`. */
function asApiError(thrown: unknown): SpoolError {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new SpoolError('UNSUPPORTED_MEDIA_TYPE', 'the Content-Type is not a media type')
    case 'FST_ERR_BAD_URL':
      return new SpoolError('INVALID_REQUEST', 'the path is not percent-encoded UTF-8')
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new SpoolError('URI_TOO_LONG', 'a part of the path is longer than any name')
    default:
      return spoolErrorFrom(thrown)
  }
}

/** What the HTTP parser says, by Node's code, as an error of ours. */
function parserError(code: string | undefined): SpoolError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new SpoolError('HEADERS_TOO_LARGE', 'the request line and headers exceed 16384 bytes')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new SpoolError('REQUEST_TOO_LARGE', 'the chunk extensions are too large')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new SpoolError('REQUEST_BODY_TIMEOUT', 'the request headers did not arrive in time')
    default:
      return new SpoolError('INVALID_REQUEST', 'this is not an HTTP/1.1 request')
  }
}

/** Connections that got their last answer and are only kept until the client has read it. */
const refused = new WeakSet<Socket>()

/**
 * Answers, on the bare socket, what never became a request, and closes it. Our side ends at once; the
 * socket goes when the client closes its side, or soon anyway: destroying it with bytes unread would
 * send a reset that overtakes the answer.
 */
export function refuseConnection(error: SpoolError, socket: Socket): void {
  if (refused.has(socket)) return
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  refused.add(socket)
  socket.end(rawReply(error))
  socket.once('end', () => socket.destroy())
  setTimeout(() => socket.destroy(), LINGER_MS_MAX).unref()
}

/** What Node keeps on a socket: the answer that is next on it. */
type AnsweringSocket = Socket & { _httpMessage?: ServerResponse | null }

/**
 * For the server's `clientError`: bytes that are not HTTP, or came too slowly. Requests before them that
 * were whole are answered first: what was done for them must not look refused.
 */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  const answer = (socket as AnsweringSocket)._httpMessage
  if (error.code !== 'ECONNRESET' && answer?.req.complete && !answer.destroyed) {
    answer.once('close', () => refuseMalformed(error, socket))
    return
  }
  // After an answer that said `Connection: close`, Node is about to end the socket itself.
  if (socket.writableEnded) return
  // A socket with an answer under way has sent its head: a second one would be garbage in its body.
  if (error.code === 'ECONNRESET' || answer?.headersSent) {
    socket.destroy()
    return
  }
  refuseConnection(parserError(error.code), socket)
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
}

function rawReply(error: SpoolError): string {
  const body = renderJson(toProblem(error), false)
  const status = ERRORS[error.code].httpStatus
  return [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'X-Content-Type-Options: nosniff',
    ...(error.retryAfterS === undefined ? [] : [`Retry-After: ${error.retryAfterS}`]),
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
