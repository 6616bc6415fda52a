/**
 * `Expect: 100-continue`: which requests' clients hold their body back until they are told to go on, so
 * that one refused from its head is never sent. Node announces such requests apart.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'

const waiting = new WeakSet<IncomingMessage>()
const unknown = new WeakSet<IncomingMessage>()

/** From now on clients of `server` are told to go on by `continueIfAwaited` only. */
export function holdContinue(server: Server): void {
  server.on('checkContinue', (message, response) => {
    waiting.add(message)
    server.emit('request', message, response)
  })
  // Without a listener Node answers 417 by itself, without a word.
  server.on('checkExpectation', (message, response) => {
    unknown.add(message)
    server.emit('request', message, response)
  })
}

/** True when the client expects something else, which nobody here can do. */
export function expectsUnknown(message: IncomingMessage): boolean {
  return unknown.has(message)
}

export function awaitsContinue(message: IncomingMessage): boolean {
  return waiting.has(message)
}

/** Tells the client to send its body, if it waits for that; to be called once the head is accepted. */
export function continueIfAwaited(message: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(message)) response.writeContinue()
}
