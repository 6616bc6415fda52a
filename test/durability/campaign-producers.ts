/**
 * The producers of the campaign: the client's own, each used in another way a program would use it, and
 * each writing down what it was told.
 */

import {
  type Client,
  type Delivery,
  type Producer,
  type ProducerOptions,
  SpoolError,
} from '../../client/index.ts'
import type { SeededRandom } from '../rigs/random.ts'
import type { Promises, SendHistory, SentRecord } from './send-history.ts'

export interface Way extends Promises {
  readonly name: string
  readonly options: ProducerOptions
  readonly use: 'send' | 'sendMany' | 'enqueue'
  /** Of a value; 300 when absent. */
  readonly paddingMax?: number
}

const SMALL = { batchBytes: 1_500, retryBackoffMs: 5, retryBackoffMsMax: 100 }
/** How long a broker may be away before a patient producer gives up. */
const PATIENCE_MS = 120_000
const REQUEST_MS = 1_500
const PATIENT = { isPatient: true, isIdempotent: true }
const HASTY = { isPatient: false, isIdempotent: true }

/** Patient ones lose nothing; hasty ones give up while the broker is away, and must say what they know. */
export const WAYS: readonly Way[] = [
  { name: 'send', use: 'send', ...PATIENT, options: {} },
  { name: 'sendMany', use: 'sendMany', ...PATIENT, options: { lingerMs: 2 } },
  { name: 'enqueue', use: 'enqueue', ...PATIENT, options: {} },
  {
    name: 'enqueue, large batches',
    use: 'enqueue',
    ...PATIENT,
    options: { batchBytes: 256 * 1024 },
    paddingMax: 5_000,
  },
  { name: 'enqueue, acks 1', use: 'enqueue', ...PATIENT, options: { acks: 1 } },
  { name: 'send, hasty', use: 'send', ...HASTY, options: { deliveryTimeoutMs: 250 } },
  { name: 'enqueue, hasty', use: 'enqueue', ...HASTY, options: { deliveryTimeoutMs: 120 } },
  {
    name: 'send, not idempotent',
    use: 'send',
    isPatient: true,
    isIdempotent: false,
    options: { idempotent: false },
  },
]

export interface CampaignProducerOptions {
  readonly index: number
  readonly topic: string
  readonly partitions: number
  readonly history: SendHistory
  readonly random: SeededRandom
}

const BURST_MAX = 30
const PAUSE_MS_MAX = 15
const PADDING_MAX = 300
const BACKLOG_BYTES_MAX = 512 * 1024

export class CampaignProducer {
  readonly way: Way
  readonly #options: CampaignProducerOptions
  readonly #producer: Producer
  #ordinal = 0
  #isFinishing = false

  constructor(client: Client, options: CampaignProducerOptions) {
    this.#options = options
    this.way = WAYS[options.index % WAYS.length] as Way
    this.#producer = client.producer({
      topic: options.topic,
      deliveryTimeoutMs: PATIENCE_MS,
      requestTimeoutMs: REQUEST_MS,
      ...SMALL,
      ...this.way.options,
      onDelivery: (delivery) => this.#delivered(delivery),
    })
  }

  /** Writes until it is told to finish, and until the fate of everything is told. */
  async run(): Promise<void> {
    const { random } = this.#options
    const pending = new Set<Promise<void>>()
    while (!this.#isFinishing) {
      const burst = Array.from({ length: random.between(1, BURST_MAX) }, () => this.#next())
      const sending = this.#send(burst).finally(() => pending.delete(sending))
      pending.add(sending)
      await new Promise((resolve) => setTimeout(resolve, random.below(PAUSE_MS_MAX)))
      // Far more than is ever in flight, and little enough to end with soon.
      if (pending.size > 20) await Promise.race(pending)
      if (this.#producer.bufferedBytes > BACKLOG_BYTES_MAX) await this.#producer.flush()
    }
    await Promise.all(pending)
    await this.#producer.close()
  }

  finish(): void {
    this.#isFinishing = true
  }

  #next(): SentRecord {
    const { index, history, random } = this.#options
    const ordinal = this.#ordinal++
    const value = `p${index}:${ordinal}:${'x'.repeat(random.below(this.way.paddingMax ?? PADDING_MAX))}`
    return history.give(value, index, ordinal)
  }

  async #send(burst: readonly SentRecord[]): Promise<void> {
    if (this.way.use === 'send') {
      await Promise.all(burst.map((record) => this.#sendOne(record)))
    } else if (this.way.use === 'sendMany') {
      await this.#sendMany(burst)
    } else {
      for (const record of burst) {
        if (!this.#producer.enqueue(this.#recordOf(record), record)) await this.#producer.room()
      }
    }
  }

  async #sendOne(record: SentRecord): Promise<void> {
    try {
      const { partition, offset } = await this.#producer.send(this.#recordOf(record))
      this.#options.history.acknowledge(record, partition, offset)
    } catch (error) {
      failed(record, error)
    }
  }

  async #sendMany(burst: readonly SentRecord[]): Promise<void> {
    const sent = await this.#producer.sendMany(burst.map((record) => this.#recordOf(record)))
    for (const [at, record] of burst.entries()) {
      const { partition, offset } = sent.at(at)!
      this.#options.history.acknowledge(record, partition, offset)
    }
  }

  #delivered({ partition, baseOffset, error, tags }: Delivery): void {
    for (const [at, tag] of (tags ?? []).entries()) {
      const record = tag as SentRecord
      if (error === undefined) {
        this.#options.history.acknowledge(record, partition, baseOffset + at)
      } else {
        failed(record, error)
      }
    }
  }

  #recordOf({ value, ordinal }: SentRecord) {
    const { random, partitions } = this.#options
    // One third of each: any partition, one by key, one by number.
    if (ordinal % 3 === 0) return { value }
    if (ordinal % 3 === 1) return { value, key: `k${random.below(20)}` }
    return { value, partition: random.below(partitions) }
  }
}

function failed(record: SentRecord, error: unknown): void {
  if (!(error instanceof SpoolError)) throw error
  if (record.told !== 'untold') throw new Error(`${record.value} was told twice`)
  // Whoever says nothing must be believed the least.
  record.told = error.outcome === 'refused' ? 'refused' : 'unknown'
}
