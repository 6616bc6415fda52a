/**
 * One reader of a stream campaign, on a socket of its own. It checks as it reads that each partition's
 * records come one after the other, none left out and none twice, and keeps a chained checksum of their
 * text, to be held against that of what was appended. Or it reads the head and then nothing: a stalled one.
 */

import { createConnection, type Socket } from 'node:net'
import { crc32c } from '../../storage/record/crc32c.ts'
import { EventStreamParser } from '../rigs/event-stream.ts'

const PARTITION = Buffer.from('{"partition":')
const OFFSET = Buffer.from(',"offset":')
const COMMA = 0x2c

export interface ReaderOptions {
  readonly port: number
  /** Path and query. */
  readonly path: string
  /** Where it begins, by partition. */
  readonly from: readonly number[]
  readonly isStalled: boolean
}

export class StreamReader {
  readonly socket: Socket
  /** By partition. */
  readonly nextOffsets: number[]
  /** By partition: the CRC32C of all records' texts, one after the other. */
  readonly checksums: number[]
  /** What went wrong first. */
  problem: string | undefined
  /** The last `problem` or `end` that the broker sent. */
  lastWord = ''
  hasHead = false
  isClosed = false
  recordCount = 0
  readonly #options: ReaderOptions
  readonly #parser: EventStreamParser

  constructor(options: ReaderOptions) {
    this.#options = options
    this.nextOffsets = [...options.from]
    this.checksums = options.from.map(() => 0)
    this.#parser = new EventStreamParser({
      onHead: (status) => {
        this.hasHead = true
        if (status !== 200) this.#fail(`answered ${status}`)
        if (options.isStalled) this.socket.pause()
      },
      onRecord: (bytes, start, end) => this.#record(bytes, start, end),
      onEvent: (name, data) => {
        if (name !== 'checkpoint') this.lastWord = `${name} ${data}`
      },
    })
    this.socket = createConnection({ port: options.port, host: '127.0.0.1' })
    this.socket.write(
      `GET ${options.path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
    )
    this.socket.on('data', (bytes) => this.#take(bytes))
    this.socket.on('error', (error) => this.#ended(error.message))
    this.socket.on('close', () => this.#ended('closed'))
  }

  /** Leaves: what comes now is no problem. */
  leave(): void {
    this.isClosed = true
    this.socket.destroy()
  }

  /** A stalled one reads again what is left for it, so that how it was cut is seen. */
  resume(): void {
    this.socket.resume()
  }

  #take(bytes: Buffer): void {
    try {
      this.#parser.push(bytes)
    } catch (error) {
      this.#fail((error as Error).message)
      this.socket.destroy()
    }
  }

  #record(bytes: Buffer, start: number, end: number): void {
    const partitionAt = start + PARTITION.length
    const partitionEnd = bytes.indexOf(COMMA, partitionAt)
    const offsetAt = partitionEnd + OFFSET.length
    const partition = digits(bytes, partitionAt, partitionEnd)
    const offset = digits(bytes, offsetAt, bytes.indexOf(COMMA, offsetAt))
    this.recordCount++
    const expected = this.nextOffsets[partition]
    if (offset !== expected) {
      this.#fail(`${partition}/${offset} came where ${partition}/${expected} should follow`)
    }
    this.nextOffsets[partition] = offset + 1
    this.checksums[partition] = crc32c(bytes.subarray(start, end), this.checksums[partition])
  }

  #ended(how: string): void {
    if (this.isClosed) return
    this.isClosed = true
    if (!this.#options.isStalled)
      this.#fail(`${how} after ${this.recordCount} records; ${this.lastWord}`)
  }

  #fail(problem: string): void {
    this.problem ??= problem
  }
}

function digits(bytes: Buffer, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at]! - 0x30)
  return value
}
