/**
 * A server of files that were never built: what any static server does, on a free port, so that a page has
 * an origin of its own.
 */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/** The text of the file at a path such as `/index.html`; `undefined`: 404. */
export type FileAt = (path: string) => string | undefined

export class StaticPages implements AsyncDisposable {
  readonly #server: Server
  /** Such as `http://127.0.0.1:41234`. */
  readonly origin: string

  private constructor(server: Server) {
    this.#server = server
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(fileAt: FileAt): Promise<StaticPages> {
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://static')
      const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname
      const text = fileAt(path)
      const type = TYPES[extname(path)] ?? 'application/octet-stream'
      if (text === undefined) response.writeHead(404).end()
      else response.writeHead(200, { 'content-type': type }).end(text)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new StaticPages(server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
