/**
 * HTTP as bytes on a socket, for what no client library would send. It sends pieces, with pauses if
 * told, and gives back all that came until the other side closed or was silent.
 */

import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export interface RawReply {
  readonly text: string
  /** Of the last answer. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** True when the other side closed the connection. */
  readonly isClosed: boolean
}

export interface RawOptions {
  /** Pause before each further piece. */
  readonly pauseMs?: number
  /** Give up after so long without a byte. */
  readonly silenceMs?: number
}

/** Sends `pieces` and reads until the end or silence. */
export async function sendRaw(
  port: number,
  pieces: string | Buffer | readonly (string | Buffer)[],
  { pauseMs = 0, silenceMs = 1_500 }: RawOptions = {},
): Promise<RawReply> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  const reading = readAll(socket, silenceMs)
  for (const piece of Array.isArray(pieces) ? pieces : [pieces]) {
    if (pauseMs > 0) await delay(pauseMs)
    if (socket.destroyed) break
    socket.write(piece)
  }
  const { text, isClosed } = await reading
  socket.destroy()
  return { ...parseLast(text), text, isClosed }
}

function readAll(socket: Socket, silenceMs: number): Promise<{ text: string; isClosed: boolean }> {
  return new Promise((resolve) => {
    let text = ''
    let timer: NodeJS.Timeout | undefined
    const settle = (isClosed: boolean) => {
      clearTimeout(timer)
      resolve({ text, isClosed })
    }
    const wait = () => {
      clearTimeout(timer)
      timer = setTimeout(() => settle(false), silenceMs)
    }
    wait()
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      text += chunk
      wait()
    })
    socket.on('close', () => settle(true))
    socket.on('error', () => {})
  })
}

function parseLast(text: string): Pick<RawReply, 'status' | 'headers' | 'body'> {
  const at = [...text.matchAll(/(?<=^|\n)HTTP\/1\.1 \d{3} /g)].at(-1)?.index ?? 0
  const [head = '', ...rest] = text.slice(at).split('\r\n\r\n')
  const lines = head.split('\r\n').slice(1)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    ),
    body: rest.join('\r\n\r\n'),
  }
}
