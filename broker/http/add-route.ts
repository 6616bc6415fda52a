/**
 * Puts one route of the table (`client/api/routes.ts`) on the server. It owns the order of things for
 * every route:
 *
 *   Accept → media type → path and query → length → the route's own `before`     (nothing read yet)
 *   → 100 Continue, if the client waits for it → the body → its schema → the route's `handle`
 *
 * so that whatever can be refused from a request's head is refused before its body is sent. How the
 * pieces check is in `validation.ts` and `limits/`; what a route does is in `routes/`.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type FailureOutcome, SpoolError, withOutcome } from '../../client/api/errors.ts'
import {
  acceptsExactly,
  FORM_TYPE,
  JSON_TYPE,
  mediaTypeOf,
  PROBLEM_TYPE,
  preferredMediaType,
} from '../../client/api/media-types.ts'
import type { BodyOf, ParamsOf, QueryOf, Route } from '../../client/api/route.ts'
import type { BrokerContext } from '../context.ts'
import { renderJson, wantsPretty } from './error-reply.ts'
import { parseStrictJson } from './json-body.ts'
import { announcedLength, type BodyLimits, checkLength, readBody } from './limits/body-reader.ts'
import { HeldBytes } from './limits/byte-budget.ts'
import { Check, PathCheck, QueryCheck } from './validation.ts'

/** The largest JSON document of an administrative route: far more than any topic's settings. */
export const DOCUMENT_BYTES_MAX = 1024 * 1024

/** One request on its way through a route. */
export interface Call<R extends Route> {
  readonly params: ParamsOf<R>
  readonly query: QueryOf<R>
  /** Checked against the route's schema; `undefined` before the body is read, and for streams. */
  readonly body: BodyOf<R>
  /** The request's media type in lower case, without parameters; `undefined` without Content-Type. */
  readonly mediaType: string | undefined
  /** Which of the route's media types to answer with. */
  readonly answerType: string
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** What a route answers. */
export interface Answer {
  /** 200 when absent. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly document?: unknown
  /** Sent as it is, under `contentType`. */
  readonly payload?: string | Buffer | NodeJS.ReadableStream
  readonly contentType?: string
}

export interface RouteHandlers<R extends Route> {
  /**
   * Checks that need nothing of the body, such as whether the topic exists. Throws to refuse. Runs
   * before `100 Continue`.
   */
  before?(call: Omit<Call<R>, 'body'>): void
  /** The answer, or `undefined` when it took `call.reply` into its own hands (`reply.hijack()`). */
  handle(call: Call<R>): Promise<Answer | undefined> | Answer | undefined
  /** Overrides the limits of a body that is a document. */
  readonly limits?: BodyLimits
  /** True: `Accept` is the route's own affair; `answerType` is then the first type it has. */
  readonly choosesType?: boolean
  /**
   * True: the route appends records, and each failure says its `outcome`: `refused` until the body is
   * checked. `handle` says it itself; what it leaves out is `unknown`.
   */
  readonly appends?: boolean
}

const CALL = Symbol('call')
type WithCall = FastifyRequest & { [CALL]?: Omit<Call<Route>, 'body'> }

export function addRoute<R extends Route>(
  app: FastifyInstance,
  context: BrokerContext,
  route: R,
  handlers: RouteHandlers<R>,
): void {
  const path = new PathCheck(route.params)
  const query = new QueryCheck(route.query)
  const body = route.body === undefined ? undefined : new Check(route.body.schema, 'field')
  const offers = answerTypes(route)
  const limits = handlers.limits ?? documentLimits(context)

  app.route({
    method: route.hasHead ? ['GET', 'HEAD'] : route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    config: {
      isOpen: route.isOpen === true,
      template: route.path,
      appends: handlers.appends === true,
    },
    onRequest: (request, reply, done) => {
      try {
        const answerType = handlers.choosesType
          ? offers[0]!
          : acceptedType(request.headers.accept, offers)
        const mediaType = checkMediaType(request, route)
        const call = {
          params: path.parse(request.params as Record<string, string>),
          query: query.parse(queryTextOf(request.raw.url ?? '')),
          mediaType,
          answerType,
          request,
          reply,
        }
        if (route.body?.kind === 'document') checkLength(request.raw, limits)
        handlers.before?.(call as Omit<Call<R>, 'body'>)
        ;(request as WithCall)[CALL] = call
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    handler: async (request, reply) => {
      const call = (request as WithCall)[CALL] as Call<R>
      const held = new HeldBytes(app.face.queuedBytes)
      // Before its body is read and checked, a route has done nothing.
      let outcome: FailureOutcome = 'refused'
      try {
        const document =
          route.body?.kind === 'document' && body !== undefined
            ? body.passes(await readDocument(request, limits, held, context))
            : undefined
        outcome = 'unknown'
        const answer = await handlers.handle({ ...call, body: document as BodyOf<R> })
        if (answer !== undefined) await sendAnswer(answer, request, reply)
      } catch (error) {
        throw handlers.appends === true ? withOutcome(error, outcome) : error
      } finally {
        held.release()
      }
      return reply
    },
  })
}

/** What holds for a document of a route that says nothing else. */
export function documentLimits(context: BrokerContext): BodyLimits {
  const { httpIdleMsMax, httpRequestMsMax } = context.settings
  return {
    bytesMax: DOCUMENT_BYTES_MAX,
    setting: 'the limit for such a document',
    idleMs: httpIdleMsMax,
    totalMs: httpRequestMsMax,
  }
}

/** The media types of the route's successes, the first one first. */
function answerTypes(route: Route): readonly string[] {
  const types = Object.values(route.responses).flatMap((each) => Object.keys(each.content ?? {}))
  return types.length === 0 ? [JSON_TYPE] : [...new Set(types)]
}

function acceptedType(accept: string | undefined, offers: readonly string[]): string {
  const type = preferredMediaType(accept, offers)
  if (type !== undefined) return type
  // Who accepts only problem documents gets those when there is a problem, else our only JSON.
  if (acceptsExactly(accept, PROBLEM_TYPE) && offers.includes(JSON_TYPE)) {
    return JSON_TYPE
  }
  throw new SpoolError('NOT_ACCEPTABLE', `this can be had as ${offers.join(', ')}`)
}

/** The part of a request target after the `?`. */
export function queryTextOf(url: string): string {
  const at = url.indexOf('?')
  return at < 0 ? '' : url.slice(at + 1)
}

/** Checks that the body is of a type the route takes, from the head alone. */
function checkMediaType(request: FastifyRequest, route: Route): string | undefined {
  const mediaType = mediaTypeOf(request.headers['content-type'])
  if (mediaType === null) {
    throw new SpoolError('UNSUPPORTED_MEDIA_TYPE', 'the Content-Type is not a media type')
  }
  const hasBody = announcedLength(request.raw) !== 0
  if (route.body === undefined) {
    if (hasBody) throw new SpoolError('INVALID_REQUEST', 'this route takes no body')
    return mediaType
  }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new SpoolError('UNSUPPORTED_MEDIA_TYPE', 'a body with Content-Encoding is not taken', {
      outcome: 'refused',
    })
  }
  if (!hasBody && route.body.isRequired && route.body.kind === 'document') {
    throw new SpoolError('INVALID_REQUEST', 'this route needs a JSON body')
  }
  if (hasBody && route.body.kind === 'document') checkDocumentType(mediaType, route)
  return mediaType
}

function checkDocumentType(mediaType: string | undefined, route: Route): void {
  const types = Object.keys(route.body?.content ?? {})
  if (mediaType !== undefined && types.includes(mediaType)) return
  const sent = mediaType === undefined ? 'no Content-Type' : mediaType
  const hint =
    mediaType === undefined || mediaType === FORM_TYPE
      ? `; with curl: -H 'content-type: ${types[0]}', or --json`
      : ''
  throw new SpoolError(
    'UNSUPPORTED_MEDIA_TYPE',
    `the body came with ${sent}; this route takes ${types.join(', ')}${hint}`,
  )
}

async function readDocument(
  request: FastifyRequest,
  limits: BodyLimits,
  held: HeldBytes,
  context: BrokerContext,
): Promise<unknown> {
  // Checked before: only where a body is not required can there be none, and all its members are optional.
  if (announcedLength(request.raw) === 0) return {}
  return parseStrictJson(await readBody(request.raw, limits, held, context.clock))
}

async function sendAnswer(
  answer: Answer,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  reply.code(answer.status ?? 200)
  for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value)
  if (answer.document !== undefined) {
    reply.header('content-type', JSON_TYPE)
    // As bytes: to a text Fastify would add a charset, which JSON types do not have.
    return reply.send(Buffer.from(renderJson(answer.document, wantsPretty(request.raw.url ?? ''))))
  }
  if (answer.contentType !== undefined) reply.header('content-type', answer.contentType)
  return answer.payload === undefined ? reply.send() : reply.send(answer.payload)
}
