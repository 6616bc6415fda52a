/**
 * A worker in one request, read at little cost: a thousand of them fit into one process beside a broker. Knows
 * what it has and how old each record was when it came; of tokens it takes some now and then, to commit them.
 * Or it reads no more: a stalled one.
 */

import { createConnection, type Socket } from 'node:net'
import { EventStreamParser } from '../../test/rigs/event-stream.ts'
import { sharedNow } from './group-readers-task.ts'

const SENT_AT = Buffer.from('"at":')
const TOKEN = Buffer.from('"token":"')
const PARTITION = Buffer.from('"partition":')
const QUOTE = 0x22
const COMMA = 0x2c

export interface GroupReaderOptions {
  readonly port: number
  readonly group: string
  readonly topics: string
  /** A record came, so many milliseconds after it was sent; its text begins at `start`. */
  onRecord(ageMs: number, bytes: Buffer, start: number): void
  /** It has other partitions than before. */
  onChange(reader: GroupReader): void
}

interface PlaceDocument {
  readonly topic: string
  readonly partition: number
}

export class GroupReader {
  readonly group: string
  /** `topic/partition` of what it has. */
  readonly held = new Set<string>()
  isStalled = false
  readonly #options: GroupReaderOptions
  readonly #socket: Socket
  /** The last token of each partition, while some are wanted. */
  readonly #tokens = new Map<number, string>()
  #wantsTokens = false

  constructor(options: GroupReaderOptions) {
    this.#options = options
    this.group = options.group
    const parser = new EventStreamParser({
      onHead: (status) => {
        if (status !== 200) throw new Error(`a reader of ${this.group} was answered ${status}`)
      },
      onRecord: (bytes, start, end) => this.#record(bytes, start, end),
      onEvent: (name, data) => this.#told(name, data),
    })
    this.#socket = createConnection({ port: options.port, host: '127.0.0.1' })
    const path = `/v1/groups/${options.group}/records?topics=${options.topics}`
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`,
    )
    this.#socket.on('data', (bytes) => parser.push(bytes))
    this.#socket.on('error', (error) => {
      if (!this.isStalled) throw error
    })
    this.#socket.on('close', () => {
      if (!this.isStalled) throw new Error(`the stream of a reader of ${this.group} ended`)
    })
  }

  stall(): void {
    this.isStalled = true
    this.#socket.pause()
  }

  leave(): void {
    this.isStalled = true
    this.#socket.destroy()
  }

  /** From now on it notes the tokens of what comes. */
  wantTokens(): void {
    this.#wantsTokens = true
  }

  /** What it noted since. */
  takeTokens(): string[] {
    const tokens = [...this.#tokens.values()]
    this.#tokens.clear()
    this.#wantsTokens = false
    return tokens
  }

  #record(bytes: Buffer, start: number, end: number): void {
    const at = bytes.indexOf(SENT_AT, start)
    // What fills a stalled reader does not say when it was sent.
    if (at >= 0 && at < end) {
      const from = at + SENT_AT.length
      const sentAt = Number(bytes.toString('latin1', from, bytes.indexOf(COMMA, from)))
      this.#options.onRecord(sharedNow() - sentAt, bytes, start)
    }
    if (!this.#wantsTokens) return
    const token = bytes.indexOf(TOKEN, start) + TOKEN.length
    const tokenEnd = bytes.indexOf(QUOTE, token)
    this.#tokens.set(partitionOf(bytes, start), bytes.toString('latin1', token, tokenEnd))
  }

  #told(name: string, data: string): void {
    if (name === 'checkpoint') return
    const document = JSON.parse(data)
    if (name === 'assigned') {
      for (const place of document.partitions) this.held.add(keyOf(place))
    } else if (name === 'revoked') {
      for (const place of document) this.held.delete(keyOf(place))
    } else throw new Error(`a reader of ${this.group} was told ${name}: ${data}`)
    this.#options.onChange(this)
  }
}

export function partitionOf(bytes: Buffer, start: number): number {
  const from = bytes.indexOf(PARTITION, start) + PARTITION.length
  return Number(bytes.toString('latin1', from, bytes.indexOf(COMMA, from)))
}

function keyOf({ topic, partition }: PlaceDocument): string {
  return `${topic}/${partition}`
}
