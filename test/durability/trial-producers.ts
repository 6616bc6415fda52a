/** The producers of the kill trial: what they send, what they were promised, and what they never send again. */

import type { SeededRandom } from '../rigs/random.ts'
import type { Address } from './kill-trial.ts'

const BATCH_RECORDS_MAX = 5
const PADDING_MAX = 1_500
const REQUEST_MS_MAX = 15_000
/** A request that is not acknowledged for this long, over however many tries, is a failure of the trial. */
const RETRIED_MS_MAX = 60_000

export interface ProducerOptions {
  readonly index: number
  readonly topic: string
  readonly partition: number
  readonly address: Address
  /** What its acknowledgements must say at least: a repeat finds its original `flushed` by now. */
  readonly durability: 'flushed' | 'written'
  readonly random: SeededRandom
}

interface Acknowledgement {
  readonly durability: string
  readonly offsets: readonly { readonly partition: number; readonly offset: number }[]
}

/** A producer that writes one request after another until it is told to finish. */
export abstract class TrialProducer {
  readonly index: number
  readonly partition: number
  /** Value → offset, as promised. */
  readonly acknowledged = new Map<string, number>()
  /** Everything it ever put into a request. */
  readonly sent = new Set<string>()
  protected readonly options: ProducerOptions
  #isFinishing = false
  #sequence = 0

  constructor(options: ProducerOptions) {
    this.options = options
    this.index = options.index
    this.partition = options.partition
  }

  abstract readonly isIdempotent: boolean

  /** Sends these values; resolves when their fate is known or they are given up. */
  protected abstract send(values: readonly string[]): Promise<void>

  async run(): Promise<void> {
    while (!this.#isFinishing) await this.send(this.#nextValues())
  }

  /** After the request under way there is none. */
  finish(): void {
    this.#isFinishing = true
  }

  #nextValues(): string[] {
    const { random } = this.options
    return Array.from({ length: random.between(1, BATCH_RECORDS_MAX) }, () => {
      const value = `p${this.index}:${this.#sequence++}:${'x'.repeat(random.below(PADDING_MAX))}`
      this.sent.add(value)
      return value
    })
  }

  /** One request. Rejects when no answer came or the answer was no acknowledgement. */
  protected async post(
    url: string,
    values: readonly string[],
    headers: Record<string, string>,
  ): Promise<void> {
    const { topic, partition, durability } = this.options
    const response = await fetch(`${url}/v1/topics/${topic}/records?partition=${partition}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ records: values.map((value) => ({ value })) }),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    })
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
    const reply = (await response.json()) as Acknowledgement
    const isEnough = reply.durability === durability || reply.durability === 'flushed'
    if (!isEnough) throw new Error(`400: acknowledged as ${reply.durability}, not ${durability}`)
    for (const [at, value] of values.entries()) {
      this.acknowledged.set(value, reply.offsets[at]?.offset ?? -1)
    }
  }
}

export class PlainProducer extends TrialProducer {
  readonly isIdempotent = false

  protected async send(values: readonly string[]): Promise<void> {
    const url = await this.options.address.current()
    try {
      await this.post(url, values, {})
    } catch {
      await pause(this.options.random)
    }
  }
}

export class IdempotentProducer extends TrialProducer {
  readonly isIdempotent = true
  #identity: { producerId: number; producerEpoch: number } | undefined
  #nextSequence = 0

  protected async send(values: readonly string[]): Promise<void> {
    const givesUpAt = performance.now() + RETRIED_MS_MAX
    while (true) {
      const url = await this.options.address.current()
      try {
        this.#identity ??= await this.#register(url)
        await this.post(url, values, {
          'spool-producer-id': String(this.#identity.producerId),
          'spool-producer-epoch': String(this.#identity.producerEpoch),
          'spool-sequence': String(this.#nextSequence),
        })
        this.#nextSequence += values.length
        return
      } catch (error) {
        const isRefused = /^4\d\d/.test((error as Error).message)
        if (isRefused || performance.now() > givesUpAt) throw error
        await pause(this.options.random)
      }
    }
  }

  async #register(url: string): Promise<{ producerId: number; producerEpoch: number }> {
    const response = await fetch(`${url}/v1/producers`, {
      method: 'POST',
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    })
    if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`)
    return (await response.json()) as { producerId: number; producerEpoch: number }
  }
}

function pause(random: SeededRandom): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5 + random.below(30)))
}
