/**
 * HTTP/1.1 over one kept-alive socket with as little work as possible: prebuilt request bytes go out,
 * one reused buffer takes what comes in, and of a reply only status and length are read. A measuring
 * client shares the processors with the broker, so what it costs is what the broker lacks.
 *
 * One request at a time; replies must have a Content-Length. Not a client for anything else.
 */

import { connect, type Socket } from 'node:net'

const HEADER_BYTES_MAX = 16 * 1024
const HEADERS_END = Buffer.from('\r\n\r\n')
const STATUS_AT = 'HTTP/1.1 '.length

/** Takes a piece of a reply's body: a view that is valid until it returns. */
export type BodyListener = (piece: Buffer) => void

export class RawConnection {
  readonly #socket: Socket
  readonly #header = Buffer.allocUnsafe(HEADER_BYTES_MAX)
  #headerSize = 0
  #bodyLeft = 0
  #status = 0
  #isInBody = false
  #onBody: BodyListener = () => {}
  #resolve: (status: number) => void = () => {}
  #reject: (error: Error) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static connect(port: number, receiveBytes = 64 * 1024): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      let connection: RawConnection
      const socket = connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafeSlow(receiveBytes),
          callback: (size, buffer) => {
            connection.#received(buffer.subarray(0, size) as Buffer)
            return true
          },
        },
      })
      connection = new RawConnection(socket)
      socket.once('connect', () => resolve(connection))
      socket.on('error', (error) => {
        reject(error)
        connection.#reject(error)
      })
      socket.on('close', () => connection.#reject(new Error('the connection was closed')))
    })
  }

  /** True once the server ended it, as it does where nothing was asked for a while. */
  get isClosed(): boolean {
    return this.#socket.destroyed || !this.#socket.writable
  }

  /** Sends one request; resolves to the status once the whole reply is there. */
  request(parts: readonly Buffer[], onBody: BodyListener = () => {}): Promise<number> {
    this.#onBody = onBody
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#socket.cork()
      for (const part of parts) this.#socket.write(part)
      this.#socket.uncork()
    })
  }

  close(): void {
    this.#reject = () => {}
    this.#socket.destroy()
  }

  #received(piece: Buffer): void {
    const body = this.#isInBody ? piece : this.#takeHeader(piece)
    if (!this.#isInBody) return
    if (body.length > 0) this.#onBody(body)
    this.#bodyLeft -= body.length
    if (this.#bodyLeft > 0) return
    this.#isInBody = false
    this.#headerSize = 0
    this.#resolve(this.#status)
  }

  /** What of `piece` belongs to the body; empty while the header is not complete. */
  #takeHeader(piece: Buffer): Buffer {
    const before = this.#headerSize
    const taken = piece.copy(this.#header, before, 0, HEADER_BYTES_MAX - before)
    this.#headerSize += taken
    const header = this.#header.subarray(0, this.#headerSize)
    const end = header.indexOf(HEADERS_END, Math.max(0, before - HEADERS_END.length))
    if (end < 0) return piece.subarray(piece.length)
    const text = header.toString('latin1', 0, end)
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
    if (length === undefined) {
      this.#reject(new Error(`a reply without Content-Length: ${text}`))
      return piece.subarray(piece.length)
    }
    this.#status = Number(text.slice(STATUS_AT, STATUS_AT + 3))
    this.#bodyLeft = Number(length)
    this.#isInBody = true
    return piece.subarray(end + HEADERS_END.length - before)
  }
}

/** The head of a request with a body of `bodyBytes`. */
export function requestHead(
  method: string,
  path: string,
  contentType: string,
  bodyBytes: number,
): Buffer {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Content-Type: ${contentType}`,
    `Content-Length: ${bodyBytes}`,
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
