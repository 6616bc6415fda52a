/**
 * A writer of the compaction trial: overwrites and deletes keys of its own in one partition, request after
 * request, as an idempotent producer that repeats a request, across the death of the broker, until it is
 * acknowledged. So it knows of each of its keys what is the last value, and where it is.
 */

import { SeededRandom } from '../rigs/random.ts'
import type { KeyedModel } from './keyed-model.ts'
import type { Address } from './kill-trial.ts'

const REQUEST_RECORDS = 500
const PADDING_MAX = 120
const DELETED = 0.1
const REQUEST_MS_MAX = 30_000
/** A request that is not acknowledged for this long, over however many tries, is a failure of the trial. */
const RETRIED_MS_MAX = 120_000

export interface KeyedWriterOptions {
  readonly topic: string
  readonly partition: number
  /** Its keys: from `firstKey` to before `endKey`. */
  readonly firstKey: number
  readonly endKey: number
  readonly model: KeyedModel
  readonly address: Address
  readonly random: SeededRandom
}

const POOL = new SeededRandom(1).bytes(1024 * 1024).toString('base64')

interface Sent {
  readonly key: number
  readonly version: number
  readonly isDeleted: boolean
}

export class KeyedWriter {
  readonly #options: KeyedWriterOptions
  readonly #versions = new Map<number, number>()
  #identity: { producerId: number; producerEpoch: number } | undefined
  #sequence = 0

  constructor(options: KeyedWriterOptions) {
    this.#options = options
  }

  /** Every key once. */
  async fill(): Promise<void> {
    const { firstKey, endKey } = this.#options
    for (let from = firstKey; from < endKey; from += REQUEST_RECORDS) {
      const count = Math.min(REQUEST_RECORDS, endKey - from)
      await this.#send(Array.from({ length: count }, (_, at) => this.#next(from + at, false)))
    }
  }

  /** Keys at random, until it is told to pause; the request under way is acknowledged first. */
  async overwriteUntil(isPaused: () => boolean): Promise<void> {
    const { firstKey, endKey, random } = this.#options
    while (!isPaused()) {
      const keys = new Set<number>()
      const count = Math.min(REQUEST_RECORDS, endKey - firstKey)
      while (keys.size < count) keys.add(random.between(firstKey, endKey - 1))
      await this.#send([...keys].map((key) => this.#next(key, random.chance(DELETED))))
    }
  }

  /** Text that does not compress to nothing: segments fill, and compaction has something to do. */
  #padding(): string {
    const { random } = this.#options
    const from = random.below(POOL.length - PADDING_MAX)
    return POOL.slice(from, from + random.below(PADDING_MAX))
  }

  #next(key: number, isDeleted: boolean): Sent {
    const version = (this.#versions.get(key) ?? 0) + 1
    this.#versions.set(key, version)
    return { key, version, isDeleted }
  }

  async #send(records: readonly Sent[]): Promise<void> {
    const { address, random, model } = this.#options
    const body = JSON.stringify({
      records: records.map(({ key, version, isDeleted }) => ({
        key: `key-${key}`,
        value: isDeleted ? null : `${version}:${this.#padding()}`,
        headers: { version: String(version) },
      })),
    })
    const givesUpAt = performance.now() + RETRIED_MS_MAX
    for (;;) {
      const url = await address.current()
      try {
        this.#identity ??= await register(url)
        const baseOffset = await this.#post(url, body, records.length)
        this.#sequence += records.length
        for (const [at, { key, version, isDeleted }] of records.entries()) {
          model.acknowledge(key, version, baseOffset + at, isDeleted)
        }
        return
      } catch (error) {
        const isRefused = /^4\d\d/.test((error as Error).message)
        if (isRefused || performance.now() > givesUpAt) throw error
        await new Promise((resolve) => setTimeout(resolve, 5 + random.below(30)))
      }
    }
  }

  /** The offset of the first record. */
  async #post(url: string, body: string, count: number): Promise<number> {
    const { topic, partition } = this.#options
    const response = await fetch(`${url}/v1/topics/${topic}/records?partition=${partition}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'spool-producer-id': String(this.#identity!.producerId),
        'spool-producer-epoch': String(this.#identity!.producerEpoch),
        'spool-sequence': String(this.#sequence),
      },
      body,
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    })
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
    const { offsets } = (await response.json()) as { offsets: { offset: number }[] }
    if (offsets.length !== count) throw new Error(`400: ${offsets.length} offsets for ${count}`)
    return offsets[0]!.offset
  }
}

async function register(url: string): Promise<{ producerId: number; producerEpoch: number }> {
  const response = await fetch(`${url}/v1/producers`, {
    method: 'POST',
    signal: AbortSignal.timeout(REQUEST_MS_MAX),
  })
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as { producerId: number; producerEpoch: number }
}
