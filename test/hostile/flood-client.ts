/**
 * Many connections at once that send bytes and count what they are answered, without keeping it. Readers
 * that do not read are connections that are paused.
 */

import { createConnection, type Socket } from 'node:net'

export interface FloodConnection {
  readonly socket: Socket
  /** Answers by status, as far as they were read. */
  readonly statuses: Map<number, number>
  readonly closed: Promise<void>
  bytesRead: number
}

const STATUS_LINE = /HTTP\/1\.1 (\d{3}) /g
/** A status line may be cut in two by a chunk's end. */
const OVERLAP = 'HTTP/1.1 200 '.length - 1

export interface FloodOptions {
  /** Nothing is read until `socket.resume()`. */
  readonly isDeaf?: boolean
}

/** Connects and sends; resolves when connected, or refused. */
export function flood(
  port: number,
  bytes: string | Buffer,
  { isDeaf = false }: FloodOptions = {},
): Promise<FloodConnection> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  const statuses = new Map<number, number>()
  let tail = ''
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  const connection: FloodConnection = { socket, statuses, closed, bytesRead: 0 }
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    connection.bytesRead += chunk.length
    const text = tail + chunk.toString('latin1')
    let end = 0
    for (const found of text.matchAll(STATUS_LINE)) {
      const status = Number(found[1])
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      end = found.index + found[0].length
    }
    tail = text.slice(Math.max(end, text.length - OVERLAP))
  })
  if (isDeaf) socket.pause()
  return new Promise((resolve) => {
    socket.once('connect', () => {
      if (bytes.length > 0) socket.write(bytes)
      resolve(connection)
    })
    socket.once('close', () => resolve(connection))
  })
}

export function floodMany(
  count: number,
  port: number,
  bytes: (index: number) => string | Buffer,
  options: FloodOptions = {},
): Promise<FloodConnection[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => flood(port, bytes(i), options)))
}

/** Answers of all connections together, by status. */
export function answersOf(connections: readonly FloodConnection[]): Map<number, number> {
  const all = new Map<number, number>()
  for (const { statuses } of connections) {
    for (const [status, count] of statuses) all.set(status, (all.get(status) ?? 0) + count)
  }
  return all
}

export function countOf(answers: ReadonlyMap<number, number>): number {
  return [...answers.values()].reduce((sum, count) => sum + count, 0)
}

/** Such as `200 × 3, 429 × 2,000`. */
export function answersInWords(answers: ReadonlyMap<number, number>): string {
  const words = [...answers]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status} × ${count}`)
  return words.length === 0 ? 'no answer' : words.join(', ')
}

export function hangUp(connections: readonly FloodConnection[]): void {
  for (const { socket } of connections) socket.destroy()
}
