/**
 * Reads a request body whole into one Buffer, within its limits: size (413), time (408), and the
 * broker's budget for such bytes (503). The length is checked before the client is told to go on
 * (`checkLength`), and again while bytes come, since a chunked body says no length.
 */

import type { IncomingMessage } from 'node:http'
import { SpoolError } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'
import { BodyDeadline, type DeadlineLimits } from './body-deadline.ts'
import type { HeldBytes } from './byte-budget.ts'
import type { LargeBuffers } from './large-buffers.ts'

export interface BodyLimits extends DeadlineLimits {
  readonly bytesMax: number
  /** The key of the setting behind `bytesMax`, for the error. */
  readonly setting: string
}

/** Content-Length, or `undefined` for a chunked body; 0 when there is no body. */
export function announcedLength(message: IncomingMessage): number | undefined {
  if (message.headers['transfer-encoding'] !== undefined) return undefined
  return Number(message.headers['content-length'] ?? 0)
}

/** Throws REQUEST_TOO_LARGE (413) when the announced length is over the limit. */
export function checkLength(message: IncomingMessage, limits: BodyLimits): void {
  const length = announcedLength(message)
  if (length !== undefined && length > limits.bytesMax) throw tooLarge(length, limits)
}

/**
 * Reads the body. `held` grows with what is kept and is the caller's to release once the bytes are no
 * longer needed; with `buffers` a large body is in memory that can be given back to them. Rejects with an SpoolError (413, 408, 503), or INVALID_REQUEST when the client went away.
 */
export function readBody(
  message: IncomingMessage,
  limits: BodyLimits,
  held: HeldBytes,
  clock: Clock,
  buffers?: LargeBuffers,
): Promise<Buffer> {
  const length = announcedLength(message)
  if (length === 0) return Promise.resolve(Buffer.alloc(0))
  return new Promise((resolve, reject) => {
    const pooled = buffers?.collector(length)
    const chunks: Buffer[] = []
    let size = 0
    let isSettled = false
    let deadline: BodyDeadline | undefined
    const settle = (error: unknown) => {
      if (isSettled) return
      isSettled = true
      deadline?.stop()
      if (error === undefined) {
        resolve(pooled?.whole() ?? (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
      } else {
        pooled?.drop()
        message.pause()
        reject(error)
      }
    }
    const onData = (chunk: Buffer) => {
      if (isSettled) return
      deadline?.touch()
      size += chunk.length
      try {
        if (size > limits.bytesMax) throw tooLarge(size, limits)
        held.growTo(size)
        if (pooled === undefined) chunks.push(chunk)
        else pooled.add(chunk)
      } catch (error) {
        settle(error)
      }
    }
    const onEnd = () => settle(undefined)
    // Node's error for a connection that broke is no failure of ours.
    const onClose = () => {
      if (isSettled) return
      settle(new SpoolError('INVALID_REQUEST', 'the connection ended before the body was complete'))
    }
    // The listeners stay, and find it settled: the message is garbage soon, and taking them off costs more.
    message.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
    // A small body came with its head: it is complete before the event loop turns, and needs no timer.
    setImmediate(() => {
      if (!isSettled) deadline = new BodyDeadline(clock, limits, settle)
    })
  })
}

function tooLarge(bytes: number, limits: BodyLimits): SpoolError {
  return new SpoolError(
    'REQUEST_TOO_LARGE',
    `the body has ${bytes} bytes or more; ${limits.setting} is ${limits.bytesMax}`,
    { outcome: 'refused', headers: { connection: 'close' } },
  )
}
