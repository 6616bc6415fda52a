/**
 * The HTTP face of a broker: builds the Fastify application from the list of routes and listens. It
 * owns the order of the checks every request goes through before its route (`security/guard.ts`, then
 * readiness), the limits of connections, counting, and closing. Routes are in `routes/`, each put here
 * by one function of `route-list.ts`; how errors look is `error-reply.ts`.
 *
 * Fastify validates and serializes nothing here (`add-route.ts` does), so it compiles nothing at start.
 */

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { SpoolError } from '../../client/api/errors.ts'
import { ROUTES } from '../../client/api/routes.ts'
import { readAuthToken } from '../config.ts'
import type { BrokerContext, Listener } from '../context.ts'
import { groupFigures } from '../groups/group-figures.ts'
import { BrokerMetrics } from '../metrics.ts'
import { configOf, routeName, sendError } from './error-reply.ts'
import type { HttpFace } from './face.ts'
import { ByteBudget } from './limits/byte-budget.ts'
import { ConnectionLimit } from './limits/connection-limit.ts'
import { continueIfAwaited } from './limits/expect-continue.ts'
import { RateLimitedLog } from './limits/rate-limited-log.ts'
import { Slots } from './limits/slots.ts'
import { createNodeServer } from './node-server.ts'
import { UnknownPaths } from './not-found.ts'
import { registerRoutes } from './route-list.ts'
import { Guard } from './security/guard.ts'
import { Streams } from './streams/streams.ts'

/** Topic names of 249 characters, each percent-encoded. */
const PATH_PARAMETER_CHARACTERS_MAX = 249 * 3
/** How often, while closing, connections that became idle are closed. */
const CLOSING_SWEEP_MS = 50
const RETRY_AFTER_S = 1

/** The HTTP face of `context`; nothing listens before `listen`. */
export function createHttpServer(context: BrokerContext): Listener {
  return new HttpServer(context)
}

class HttpServer implements Listener {
  readonly #context: BrokerContext
  readonly #closing = new AbortController()
  readonly #face: HttpFace
  #connections: ConnectionLimit | undefined
  #app: FastifyInstance | undefined
  #server: Server | undefined

  constructor(context: BrokerContext) {
    this.#context = context
    const { settings } = context
    const queuedBytes = new ByteBudget(settings.queuedBytesMax, 'queued.max.bytes')
    const waiting = new Slots(settings.waitingRequestsMax, 'waiting.requests.max')
    const warnings = new RateLimitedLog(context.logger, context.clock)
    const closing = this.#closing.signal
    const streams = createStreams(context, { slots: waiting, warnings, closing })
    this.#face = {
      queuedBytes,
      waiting,
      streams,
      closing,
      warnings,
      metrics: new BrokerMetrics({
        partitions: () => (context.isReady() ? context.replicas.partitions() : []),
        compaction: () => context.compactionTotals(),
        appended: () => (context.isReady() ? context.replicas.appended : NOTHING_APPENDED),
        connections: () => this.#connections?.count ?? 0,
        queuedBytes: () => queuedBytes.heldBytes,
        waitingRequests: () =>
          waiting.used + (context.isReady() ? context.replicas.purgatory.waiting : 0),
        streams: () => streams,
        groups: groupFigures(context),
        isReady: () => context.isReady(),
      }),
    }
    context.onFlush((seconds) => this.#face.metrics.flushed(seconds))
  }

  async listen(): Promise<{ url: string; port: number }> {
    const { settings } = this.#context
    const token = await this.#readToken()
    const guard = new Guard({
      host: settings.host,
      allowedHosts: settings.allowedHosts,
      allowedOrigins: settings.corsAllowedOrigins,
      token,
    })
    const app = this.#createApp(guard)
    this.#app = app
    await app.ready()
    const { port } = await listenOn(app.server, settings.host, settings.port)
    const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
    return { url: `http://${host}:${port}`, port }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const server = this.#server
    if (server?.listening) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const closeIdle = () => {
        server.closeIdleConnections()
        this.#connections?.destroySilent()
      }
      const sweep = setInterval(closeIdle, CLOSING_SWEEP_MS)
      const cut = this.#context.clock.after(this.#context.settings.shutdownTimeoutMs, () =>
        this.#connections?.destroyAll(),
      )
      closeIdle()
      await closed
      clearInterval(sweep)
      cut.cancel()
    }
    await this.#app?.close()
  }

  async #readToken(): Promise<string | undefined> {
    const { authTokenFile } = this.#context.settings
    if (authTokenFile === undefined) return undefined
    const { token, warnings } = await readAuthToken(authTokenFile)
    for (const warning of warnings) this.#context.logger.warn({}, warning)
    return token
  }

  #createApp(guard: Guard): FastifyInstance {
    const context = this.#context
    const app = Fastify({
      logger: false,
      exposeHeadRoutes: false,
      return503OnClosing: false,
      schemaController: { compilersFactory: NO_COMPILERS },
      routerOptions: {
        maxParamLength: PATH_PARAMETER_CHARACTERS_MAX,
        querystringParser: () => NO_QUERY,
      },
      // The server below answers what is no HTTP; Fastify's own words would come after ours, or too early.
      clientErrorHandler: () => {},
      frameworkErrors: (error, request, reply) =>
        sendError(context, error, request, reply as FastifyReply),
      serverFactory: (listener) => this.#createServer(listener),
    })
    app.decorate('face', this.#face)
    app.setErrorHandler((error, request, reply) => sendError(context, error, request, reply))
    // Bodies are left in the socket: each route reads its own, within its own limits.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    this.#addHooks(app, guard)
    this.#addNotFound(app)
    registerRoutes(app, context)
    return app
  }

  #createServer(listener: (...args: never[]) => void): Server {
    const { settings } = this.#context
    const handle = listener as unknown as import('node:http').RequestListener
    const server = createNodeServer(
      (message, response) => {
        if (!this.#connections?.isRefused(message.socket)) handle(message, response)
      },
      {
        headersMsMax: settings.httpHeadersMsMax,
        keepAliveMsMax: settings.httpKeepAliveMsMax,
        stalledMsMax: settings.streamStalledMsMax,
        onMalformed: () => {
          this.#face.metrics.connectionMalformed()
          this.#face.warnings.warn({}, 'a connection did not speak HTTP')
        },
      },
    )
    this.#connections = new ConnectionLimit(server, settings.connectionsMax, () => {
      this.#face.metrics.connectionRefused()
      this.#face.warnings.warn({ connectionsMax: settings.connectionsMax }, 'too many connections')
    })
    this.#server = server
    return server
  }

  #addHooks(app: FastifyInstance, guard: Guard): void {
    const { isReady } = this.#context
    app.addHook('onRequest', (request, reply, done) => {
      try {
        reply.header('x-content-type-options', 'nosniff')
        const isOpen = configOf(request).isOpen === true
        if (guard.admit(request, reply, isOpen)) return
        if (!isOpen) this.#checkServing(isReady.call(this.#context))
        done()
      } catch (error) {
        done(error as Error)
      }
    })
    app.addHook('preParsing', (request, reply, _payload, done) => {
      if (!request.is404) continueIfAwaited(request.raw, reply.raw)
      done(null, undefined)
    })
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (this.#closing.signal.aborted) reply.header('connection', 'close')
      done(null, payload)
    })
    app.addHook('onResponse', (request, reply, done) => {
      this.#count(request, reply)
      done()
    })
  }

  /** Throws while the broker has nothing to serve from, or is on its way out. */
  #checkServing(isReady: boolean): void {
    if (this.#closing.signal.aborted) {
      throw new SpoolError('BROKER_STOPPING', 'the broker is stopping', {
        outcome: 'refused',
        retryAfterS: RETRY_AFTER_S,
      })
    }
    if (!isReady) {
      throw new SpoolError(
        'BROKER_NOT_READY',
        'the broker is recovering its logs; try again soon',
        {
          outcome: 'refused',
          retryAfterS: RETRY_AFTER_S,
        },
      )
    }
  }

  #count(request: FastifyRequest, reply: FastifyReply): void {
    const { socket } = request.raw
    const before = countedBytes.get(socket) ?? { in: 0, out: 0 }
    const now = { in: socket.bytesRead, out: socket.bytesWritten }
    countedBytes.set(socket, now)
    this.#face.metrics.requestFinished({
      method: configOf(request).template === undefined ? 'OTHER' : request.method,
      route: routeName(request),
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1_000,
      bytesIn: now.in - before.in,
      bytesOut: now.out - before.out,
    })
  }

  #addNotFound(app: FastifyInstance): void {
    const paths = new UnknownPaths(Object.values(ROUTES))
    app.setNotFoundHandler((request, reply) =>
      sendError(
        this.#context,
        paths.errorFor(request.method, request.raw.url ?? ''),
        request,
        reply,
      ),
    )
  }
}

function createStreams(
  { settings, clock, logger }: BrokerContext,
  { slots, warnings, closing }: { slots: Slots; warnings: RateLimitedLog; closing: AbortSignal },
): Streams {
  const stalledMsMax = settings.streamStalledMsMax
  return new Streams({
    clock,
    slots,
    closing,
    stalledMsMax,
    bytesMax: settings.streamBytesMax,
    maxDecompressedBytes: settings.decompressedBytesMax,
    onStalled: () =>
      warnings.warn({ stalledMsMax }, 'a stream was cut: its reader took no byte for so long'),
    onDefect: (error) => logger.error({ error }, 'a stream failed'),
  })
}

const NO_QUERY = Object.freeze({})
const NOTHING_APPENDED = { records: 0, batches: 0, bytes: 0 }

/** Without these Fastify loads Ajv and a serializer compiler as it starts, and we use neither. */
const NO_COMPILERS = { buildValidator: unused, buildSerializer: unused }

function unused(): never {
  throw new Error('routes have no Fastify schemas: see add-route.ts')
}

/** How much of a connection's bytes was counted with the requests so far. */
const countedBytes = new WeakMap<object, { readonly in: number; readonly out: number }>()

function listenOn(server: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}
