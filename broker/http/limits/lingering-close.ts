/**
 * Closing a connection whose request body is still arriving. Closing at once makes the kernel send a
 * reset for the unread bytes, and the reset can overtake the answer: the client would see a broken
 * connection in place of "413, because…". So the answer is sent, our side ends, and for a short while
 * what still comes is read and thrown away.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'

/** Long enough for a client to read the answer and stop; short enough to be no way to hold sockets. */
export const LINGER_MS_MAX = 1_000
/** A client that ignores the answer is cut after so many bytes. */
const LINGER_BYTES_MAX = 16 * 1024 * 1024

/** To be called before a reply with `Connection: close` is sent to a request that is not complete. */
export function lingerAfterReply(message: IncomingMessage, response: ServerResponse): void {
  const socket = message.socket
  // Node closes the socket after such a reply through this call: we put the waiting in between.
  socket.destroySoon = () => {
    const readUpTo = socket.bytesRead + LINGER_BYTES_MAX
    const timer = setTimeout(() => socket.destroy(), LINGER_MS_MAX)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
    message.on('data', () => {
      if (socket.bytesRead > readUpTo) socket.destroy()
    })
    message.once('end', () => socket.destroy())
    message.resume()
    socket.end()
  }
  response.shouldKeepAlive = false
}
