/**
 * A client of one stream, as the tests of streams use it: it keeps what came, so that a test can wait until
 * enough did, and knows whether the answer ended cleanly or was cut.
 */

import { type IncomingMessage, request } from 'node:http'
import { expect } from 'vitest'
import type { TestBroker } from '../../../../broker/testing.ts'

export const NDJSON = 'application/x-ndjson'
export const EVENTS = 'text/event-stream'

export interface ShownRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: unknown
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into values of many shapes
  readonly value: any
  readonly headers: readonly unknown[]
}

export interface StreamEnd {
  readonly cursor: string
  readonly reason: string
}

/** A block of an event stream: all its fields, also those of one without data. */
export interface Block {
  readonly event?: string
  readonly id?: string
  readonly data?: string
  readonly retry?: string
}

/** Generous: the machine may be busy. */
export const WAIT_MS_MAX = 30_000

export interface OpenOptions {
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
}

export class OpenStream {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly records: ShownRecord[] = []
  readonly checkpoints: string[] = []
  /** Every `id:` of an event stream. */
  readonly ids: string[] = []
  readonly blocks: Block[] = []
  // biome-ignore lint/suspicious/noExplicitAny: a problem document
  readonly problems: any[] = []
  readonly ends: StreamEnd[] = []
  /** `clean`, or `cut` where the answer is not whole. */
  readonly ended: Promise<'clean' | 'cut'>
  text = ''
  isEnded = false
  readonly #response: IncomingMessage
  #rest = ''

  private constructor(response: IncomingMessage) {
    this.#response = response
    this.status = response.statusCode!
    this.headers = response.headers
    const isEvents = String(this.headers['content-type']).startsWith(EVENTS)
    const mark = isEvents ? '\n\n' : '\n'
    response.setEncoding('utf8')
    response.on('data', (text: string) => {
      this.text += text
      const pieces = (this.#rest + text).split(mark)
      this.#rest = pieces.pop()!
      if (this.status !== 200) return
      for (const piece of pieces) (isEvents ? this.#block : this.#line).call(this, piece)
    })
    this.ended = new Promise((resolve) => {
      response.on('error', () => {})
      response.on('close', () => {
        this.isEnded = true
        resolve(response.complete ? 'clean' : 'cut')
      })
    })
  }

  static open(
    broker: TestBroker,
    path: string,
    { accept = NDJSON, headers = {} }: OpenOptions = {},
  ): Promise<OpenStream> {
    return new Promise((resolve, reject) => {
      const sent = request(`${broker.url}${path}`, {
        agent: false,
        headers: { accept, ...headers },
      })
      sent.on('response', (response) => resolve(new OpenStream(response)))
      sent.on('error', reject)
      sent.end()
    })
  }

  /** Opens a stream, reads it to its end, and gives it back. */
  static async whole(
    broker: TestBroker,
    path: string,
    options?: OpenOptions,
  ): Promise<OpenStream & { readonly how: 'clean' | 'cut' }> {
    const stream = await OpenStream.open(broker, path, options)
    return Object.assign(stream, { how: await stream.ended })
  }

  /** Such as `0/7`, in the order they came. */
  get places(): string[] {
    return this.records.map(({ partition, offset }) => `${partition}/${offset}`)
  }

  get offsets(): number[] {
    return this.records.map(({ offset }) => offset)
  }

  // biome-ignore lint/suspicious/noExplicitAny: a problem document
  get document(): any {
    return JSON.parse(this.text)
  }

  /** Waits until it is so. */
  async until(what: (stream: this) => boolean): Promise<void> {
    await expect.poll(() => what(this), { timeout: WAIT_MS_MAX, interval: 10 }).toBe(true)
  }

  has(count: number): Promise<void> {
    return this.until(({ records }) => records.length >= count)
  }

  pause(): void {
    this.#response.pause()
  }

  resume(): void {
    this.#response.resume()
  }

  close(): void {
    this.#response.destroy()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #line(line: string): void {
    const document = JSON.parse(line)
    if ('offset' in document) this.records.push(document)
    else if ('checkpoint' in document) this.checkpoints.push(document.checkpoint)
    else if ('problem' in document) this.problems.push(document.problem)
    else if ('end' in document) this.ends.push(document.end)
    else throw new Error(`an unknown line: ${line}`)
  }

  #block(text: string): void {
    const block: Block = Object.fromEntries(
      text.split('\n').map((line) => {
        const found = /^(event|id|data|retry): (.*)$/s.exec(line)
        if (found === null) throw new Error(`no field of an event: ${JSON.stringify(line)}`)
        return [found[1]!, found[2]!]
      }),
    )
    this.blocks.push(block)
    if (block.id !== undefined) this.ids.push(block.id)
    if (block.data === undefined) return
    const data = JSON.parse(block.data)
    if (block.event === undefined) this.records.push(data)
    else if (block.event === 'checkpoint') this.checkpoints.push(data)
    else if (block.event === 'problem') this.problems.push(data)
    else if (block.event === 'end') this.ends.push(data)
    else throw new Error(`an unknown event: ${block.event}`)
  }
}
