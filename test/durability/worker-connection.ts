/** The connections of one worker, which die with it: requests as a program without our client makes them. */

import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'

export interface Answer {
  readonly status: number
  /** Empty where there is no body. */
  readonly document: Record<string, unknown>
}

/** The connection failed before the answer was there: what was asked for may have happened. */
export class NoAnswer extends Error {}

export class WorkerConnection {
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true })
  readonly #requests = new Set<ClientRequest>()
  #isDead = false

  constructor(port: number) {
    this.#port = port
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** As kill -9 does it: whatever is under way is cut off, and nothing more is said. */
  kill(): void {
    this.#isDead = true
    for (const each of this.#requests) each.destroy()
    this.#agent.destroy()
  }

  /** @throws NoAnswer */
  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const message = await this.open(method, path, body)
    const pieces: Buffer[] = []
    try {
      for await (const piece of message) pieces.push(piece as Buffer)
    } catch (error) {
      throw new NoAnswer(String(error))
    }
    const text = Buffer.concat(pieces).toString()
    return { status: message.statusCode ?? 0, document: text === '' ? {} : JSON.parse(text) }
  }

  /** The answer's head has come; its body is the caller's. @throws NoAnswer */
  open(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    if (this.#isDead) return Promise.reject(new NoAnswer('dead'))
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      accept: path.includes('/records?topics=') ? 'application/x-ndjson' : 'application/json',
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    }
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#port, method, path, headers }
      const sent = request({ ...options, agent: this.#agent }, resolve)
      this.#requests.add(sent)
      sent.on('error', (error) => reject(new NoAnswer(String(error))))
      sent.on('close', () => this.#requests.delete(sent))
      sent.end(payload)
    })
  }
}

/** The broker said no. */
export class Refused extends Error {
  readonly code: unknown

  constructor({ status, document }: Answer) {
    super(`${status} ${JSON.stringify(document)}`)
    this.code = document.code
  }
}

export function now(): number {
  return performance.now()
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
