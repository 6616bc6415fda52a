/**
 * The `node:http` server under Fastify, with the limits that hold before there is a request: time for
 * headers, size of headers, bytes that are not HTTP. It owns no route.
 */

import type { RequestListener, Server } from 'node:http'
import type { Socket } from 'node:net'
import { refuseMalformed } from './error-reply.ts'
import { holdContinue } from './limits/expect-continue.ts'

// Not imported: a module namespace of `node:http` evaluates its getter for WebSocket, which loads the
// whole HTTP client that comes with Node, 30 ms and 3 MB that a server has no use for.
const { createServer } = process.getBuiltinModule('node:http')

/** Request line and headers together. */
const HEADER_BYTES_MAX = 16 * 1024
/** How often Node looks for connections whose headers are overdue. */
const CHECK_INTERVAL_MS = 1_000

export interface NodeServerOptions {
  readonly headersMsMax: number
  readonly keepAliveMsMax: number
  readonly onMalformed: () => void
}

export function createNodeServer(listener: RequestListener, options: NodeServerOptions): Server {
  const server = createServer(
    {
      // A missing Host is refused by our guard, with a problem document.
      requireHostHeader: false,
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: options.headersMsMax,
      // It is for the whole server and would cut an upload that still flows: routes have their own.
      requestTimeout: 0,
      keepAliveTimeout: options.keepAliveMsMax,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, options.headersMsMax),
      noDelay: true,
    },
    listener,
  )
  holdContinue(server)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') options.onMalformed()
    refuseMalformed(error, socket as Socket)
  })
  return server
}
