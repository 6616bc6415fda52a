/**
 * The records of a stream campaign, and what they must look like to a reader: producers that append
 * steadily, and the checksums of everything they had acknowledged. And a prober: another client with
 * another topic, whose requests must not suffer.
 */

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { crc32c } from '../../storage/record/crc32c.ts'
import type { SeededRandom } from '../rigs/random.ts'

const JSON_HEADERS = { 'content-type': 'application/json' }
/** Hex of a hash: text that no compression makes much smaller. */
const PAD_CHARACTERS = 64

export interface LoadOptions {
  readonly url: string
  readonly topic: string
  readonly partitions: number
  readonly random: SeededRandom
  readonly valueBytes: number
}

export class StreamLoad {
  readonly #options: LoadOptions
  readonly #pool: Pool
  /** What each record must look like, by partition and offset. */
  readonly #lines: string[][]
  #serial = 0
  /** Batches appended: one for each partition of each request. */
  batches = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#pool = new Pool(options.url, { connections: 8 })
    this.#lines = Array.from({ length: options.partitions }, () => [])
  }

  /** The next offset of each partition. */
  get ends(): number[] {
    return this.#lines.map((lines) => lines.length)
  }

  get count(): number {
    return this.#lines.reduce((sum, lines) => sum + lines.length, 0)
  }

  /** Appends `count` records to a partition in one request. */
  async append(count: number, valueBytes = this.#options.valueBytes): Promise<void> {
    const { topic, partitions, random } = this.#options
    const partition = random.next32() % partitions
    const records = Array.from({ length: count }, () => this.#record(partition, valueBytes))
    const { statusCode, body } = await this.#pool.request({
      path: `/v1/topics/${topic}/records`,
      method: 'POST',
      headers: JSON_HEADERS,
      body: JSON.stringify({ records }),
    })
    const reply = (await body.json()) as { offsets: { offset: number }[] }
    if (statusCode !== 200) throw new Error(`produce was answered ${JSON.stringify(reply)}`)
    for (const [index, { offset }] of reply.offsets.entries()) {
      const { timestamp, key, value } = records[index]!
      this.#lines[partition]![offset] = JSON.stringify({
        partition,
        offset,
        timestamp,
        key,
        value,
        headers: [],
      })
    }
    this.batches++
  }

  #record(partition: number, valueBytes: number) {
    const n = this.#serial++
    const salt = this.#options.random.next32()
    let pad = ''
    for (let at = 0; at < valueBytes; at += PAD_CHARACTERS) {
      pad += createHash('sha256').update(`${salt}.${at}`).digest('hex')
    }
    return { partition, key: `k${n % 100}`, value: { n, pad }, timestamp: Date.now() }
  }

  /** Producers that together append so many records a second, until `signal`. Rejects if one is refused. */
  async run(options: {
    readonly recordsPerSecond: number
    readonly recordsPerRequest: number
    readonly signal: AbortSignal
  }): Promise<void> {
    const { recordsPerSecond, recordsPerRequest, signal } = options
    const startedAt = performance.now()
    for (let sent = 0; !signal.aborted; sent += recordsPerRequest) {
      const dueMs = startedAt + (sent / recordsPerSecond) * 1_000 - performance.now()
      if (dueMs > 0) await delay(dueMs)
      await this.append(recordsPerRequest)
    }
  }

  /** For each partition the CRC32C of the texts of its records, from an offset on. */
  checksums(from: readonly number[]): number[] {
    return this.#lines.map((lines, partition) => {
      let checksum = 0
      for (let offset = from[partition]!; offset < lines.length; offset++) {
        const line = lines[offset]
        if (line === undefined) throw new Error(`nobody was told of ${partition}/${offset}`)
        checksum = crc32c(Buffer.from(line), checksum)
      }
      return checksum
    })
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }
}

/** Milliseconds, of one append and one page each. */
export interface Latencies {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Another client: appends a record to a topic of its own and reads it back, again and again. */
export class Prober {
  readonly #pool: Pool
  readonly #path: string
  #times: number[] = []
  failures: string[] = []

  constructor(url: string, topic: string) {
    this.#pool = new Pool(url, { connections: 1 })
    this.#path = `/v1/topics/${topic}/records`
  }

  async run(everyMs: number, signal: AbortSignal): Promise<void> {
    for (let n = 0; !signal.aborted; n++) {
      const startedAt = performance.now()
      try {
        await this.#probe(n)
      } catch (error) {
        this.failures.push((error as Error).message)
      }
      this.#times.push(performance.now() - startedAt)
      await delay(everyMs)
    }
  }

  async #probe(n: number): Promise<void> {
    await this.#request('POST', this.#path, JSON.stringify({ value: { n } }))
    const page = await this.#request('GET', `${this.#path}?from=-1`)
    const found = (page as { records: { value: { n: number } }[] }).records[0]?.value.n
    if (found !== n) throw new Error(`the prober appended ${n} and read ${found}`)
  }

  async #request(method: 'GET' | 'POST', path: string, body?: string): Promise<unknown> {
    const headers = body === undefined ? {} : JSON_HEADERS
    const sent = body === undefined ? {} : { body }
    const answer = await this.#pool.request({ method, path, headers, ...sent })
    const document = await answer.body.json()
    if (answer.statusCode !== 200)
      throw new Error(`the prober was told ${JSON.stringify(document)}`)
    return document
  }

  /** Of the probes since the last call. */
  latencies(): Latencies {
    const sorted = this.#times.sort((a, b) => a - b)
    this.#times = []
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }
}
