/**
 * Stands between a client and its broker, and answers some requests itself, or never: what a test cannot make
 * a real broker do at the moment it wants. Everything else passes as it is.
 */

import { createServer, type IncomingMessage, request, type Server } from 'node:http'

export interface MadeUpAnswer {
  readonly status: number
  /** A text is a page; anything else, a problem document. */
  readonly document: unknown
}

/** `undefined`: passes. `'hangs'`: is never answered. */
export type Meddle = (
  asked: { readonly method: string; readonly path: string },
  body: () => unknown,
) => Meddling | Promise<Meddling>

type Meddling = MadeUpAnswer | 'hangs' | undefined

export class MeddlingProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #target: string
  meddle: Meddle = () => undefined

  private constructor(target: string) {
    this.#target = target
    this.#server = createServer((asked, answer) => {
      void bodyOf(asked).then(async (body) => {
        const { method = '', url = '', headers } = asked
        const made = await this.meddle({ method, path: url }, () => JSON.parse(body.toString()))
        if (made === 'hangs') return
        if (made !== undefined) {
          const { status, document } = made
          const isPage = typeof document === 'string'
          const type = isPage ? 'text/html' : 'application/problem+json'
          answer.writeHead(status, { 'content-type': type })
          answer.end(isPage ? document : JSON.stringify(document))
          return
        }
        const passed = request(new URL(url, this.#target), { method, headers }, (reply) => {
          answer.writeHead(reply.statusCode!, reply.headers)
          reply.pipe(answer)
        })
        passed.on('error', () => answer.destroy())
        answer.on('close', () => passed.destroy())
        passed.end(body)
      })
    })
  }

  static async start(target: string): Promise<MeddlingProxy> {
    const proxy = new MeddlingProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** What an answer with this status says, where the broker made it. */
export function problem(status: number, code: string, extensions: object = {}): MadeUpAnswer {
  const detail = 'made up by a test'
  return { status, document: { title: detail, status, code, detail, ...extensions } }
}

async function bodyOf(asked: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of asked) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
