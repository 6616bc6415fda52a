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
  /** A client that takes no byte of its answer for so long is cut. */
  readonly stalledMsMax: number
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
  cutStalled(server, options.stalledMsMax)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') options.onMalformed()
    refuseMalformed(error, socket as Socket)
  })
  return server
}

/**
 * Cuts who does not read: what waits for them is memory. Who waits for us (a long poll) has nothing to
 * read and stays. Node asks the same listener about connections kept for a next request; those that had
 * no answer yet have `headersMsMax`.
 */
function cutStalled(server: Server, stalledMsMax: number): void {
  server.setTimeout(stalledMsMax, (socket: Socket & { _httpMessage?: unknown }) => {
    const isKept = !socket._httpMessage && socket.bytesWritten > 0
    if (isKept || socket.writableLength > 0) socket.destroy()
  })
}
