/**
 * An upload that is killed over and over and goes on each time, as a model: records numbered by their
 * place, a line that keeps to the numbers it was given, a broker with the real memory of producers, and
 * connections that break with requests in them which arrive later all the same, also long after the one
 * who sent them is gone. Whoever goes on looks at what readers can see of the log, and cuts its batches
 * as chance has it.
 */

import fc from 'fast-check'
import { SpoolError } from '../../../client/api/errors.ts'
import type { LineBatch } from '../../../client/producer/line-batch.ts'
import {
  type LineAnswer,
  PartitionLine,
  type Settled,
} from '../../../client/producer/partition-line.ts'
import type { ProducerNumbers } from '../../../client/transport.ts'
import { ProducerState } from '../../../storage/log/producer-state.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { SeededRandom } from '../../rigs/random.ts'

const TIMEOUT_MS = 300
const BATCH_RECORDS_MAX = 6

export const EVENTS = [
  'give',
  'send',
  'handle',
  'handleStray',
  'lateAck',
  'busy',
  'reply',
  'flush',
  'cut',
  'kill',
  'brokerKill',
  'wait',
] as const
export type Event = (typeof EVENTS)[number]

const WEIGHTS: Readonly<Record<Event, number>> = {
  give: 12,
  send: 16,
  handle: 12,
  handleStray: 4,
  lateAck: 1,
  busy: 1,
  reply: 12,
  flush: 6,
  cut: 2,
  kill: 2,
  brokerKill: 1,
  wait: 4,
}

export const EVENT: fc.Arbitrary<Event> = fc.oneof(
  ...EVENTS.map((event) => ({ weight: WEIGHTS[event], arbitrary: fc.constant(event) })),
)

/** Records `from` to before `to` of the upload. */
interface Range {
  readonly from: number
  readonly to: number
}

interface Copy {
  readonly batch: LineBatch<Range>
  readonly numbers: ProducerNumbers
  readonly range: Range
  /** Of the upload that sent it; a copy of an earlier one is answered to nobody. */
  readonly life: number
}

interface Connection {
  readonly requests: Copy[]
  readonly replies: { readonly copy: Copy; readonly answer: LineAnswer }[]
}

export class ContinuedModel {
  readonly #random: SeededRandom
  readonly #recordCount: number
  readonly #memory = new ProducerState({ producersMax: 10, expirationMs: 1e12 })
  /** The records in the log, by their numbers in the upload. */
  readonly log: number[] = []
  /** Readers see the log up to here, and nothing before it is ever lost. */
  #flushed = 0
  #connections: Connection[] = [{ requests: [], replies: [] }]
  #line!: PartitionLine<Range>
  #given = 0
  #life = 0
  #inFlight = new Set<LineBatch<Range>>()
  #nowMs = 0
  readonly #acknowledged: Range[] = []
  readonly seen = { lives: 0, repeats: 0, gaps: 0, strays: 0 }

  constructor(random: SeededRandom, recordCount: number) {
    this.#random = random
    this.#recordCount = recordCount
    this.#begin()
  }

  do(event: Event): void {
    const newest = this.#connections.at(-1)
    const happen: Record<Event, () => void> = {
      give: () => this.#give(),
      send: () => this.#send(),
      handle: () => this.#handle(newest, 'fine'),
      handleStray: () => this.#handle(this.#random.pick(this.#connections), 'fine'),
      lateAck: () => this.#handle(newest, 'lateAck'),
      busy: () => this.#handle(newest, 'busy'),
      reply: () => this.#reply(),
      flush: () => {
        this.#flushed = this.log.length
      },
      cut: () => this.#cut(),
      kill: () => {
        this.#connections.push({ requests: [], replies: [] })
        this.#begin()
      },
      brokerKill: () => this.#killBroker(),
      wait: () => {
        this.#nowMs += this.#random.below(200)
        this.#tell(this.#line.expire(this.#nowMs))
      },
    }
    happen[event]()
  }

  /** Faults end, and the upload comes to its end; then every stray request arrives, in any order. */
  finish(): void {
    for (let round = 0; ; round++) {
      if (round > 20_000) throw new Error('the upload never ends')
      this.#nowMs += 2
      this.#give()
      this.#tell(this.#line.expire(this.#nowMs))
      this.#send()
      this.#handle(this.#random.pick(this.#connections), 'fine')
      this.#handle(this.#connections.at(-1), 'fine')
      this.#flushed = this.log.length
      this.#reply()
      if (this.#given === this.#recordCount && this.#line.length === 0) break
    }
    for (const connection of this.#random.shuffled(this.#connections)) {
      while (connection.requests.length > 0) this.#handle(connection, 'fine')
    }
  }

  /** Every promise that was broken. */
  problems(): string[] {
    const problems: string[] = []
    if (this.log.length !== this.#recordCount) problems.push(`${this.log.length} records are there`)
    const wrong = this.log.findIndex((record, at) => record !== at)
    if (wrong >= 0) problems.push(`at ${wrong} stands record ${this.log[wrong]}`)
    for (const { from, to } of this.#acknowledged) {
      if (to > this.log.length) problems.push(`${from} to ${to} were acknowledged, and are gone`)
    }
    return problems
  }

  /** A process begins: it looks how many records there are, and goes on with the next. */
  #begin(): void {
    this.seen.lives += 1
    this.#life += 1
    this.#inFlight = new Set()
    const found = this.log.slice(0, this.#flushed)
    this.#given = found.length === 0 ? 0 : Math.max(...found) + 1
    this.#line = new PartitionLine<Range>({
      place: 'orders-0',
      isIdempotent: true,
      inFlightMax: 5,
      deliveryTimeoutMs: TIMEOUT_MS,
      backoff: { retryBackoffMs: 4, retryBackoffMsMax: 32 },
      continues: { producerId: 7, producerEpoch: 0, baseSequence: this.#given },
    })
  }

  #give(): void {
    const from = this.#given
    const to = Math.min(this.#recordCount, from + 1 + this.#random.below(BATCH_RECORDS_MAX))
    if (to === from) return
    this.#given = to
    this.#line.push({ from, to }, to - from, this.#nowMs + TIMEOUT_MS)
  }

  #send(): void {
    const batch = this.#line.next(this.#nowMs)
    if (batch === undefined) return
    if (batch.numbers?.baseSequence !== batch.item.from || batch.numbers.producerEpoch !== 0) {
      throw new Error(`record ${batch.item.from} has the number ${batch.numbers?.baseSequence}`)
    }
    this.#inFlight.add(batch)
    const copy = { batch, numbers: batch.numbers, range: batch.item, life: this.#life }
    this.#connections.at(-1)!.requests.push(copy)
  }

  #handle(connection: Connection | undefined, mood: 'fine' | 'busy' | 'lateAck'): void {
    const copy = connection?.requests.shift()
    if (connection === undefined || copy === undefined) return
    if (copy.life !== this.#life) this.seen.strays += 1
    connection.replies.push({ copy, answer: this.#append(copy, mood) })
  }

  /** As the log does it: checked, appended, remembered. */
  #append({ numbers, range: { from, to } }: Copy, mood: 'fine' | 'busy' | 'lateAck'): LineAnswer {
    if (mood === 'busy') return failed('BROKER_BUSY', 'refused', false)
    const header = { ...numbers, lastOffsetDelta: to - from - 1 }
    try {
      const isNew = this.#memory.check(header) === undefined
      if (isNew) {
        for (let record = from; record < to; record++) this.log.push(record)
        const last = toOffset(this.log.length - 1)
        this.#memory.update(header, last, this.#nowMs, toOffset(this.#flushed))
      } else this.seen.repeats += 1
    } catch (error) {
      this.seen.gaps += 1
      const { message } = error as Error
      const gap = new SpoolError('OUT_OF_ORDER_SEQUENCE_NUMBER', message, { outcome: 'refused' })
      return { kind: 'gap', error: gap }
    }
    if (mood === 'lateAck') return failed('REQUEST_TIMED_OUT', 'unknown', false)
    this.#flushed = this.log.length
    return { kind: 'appended' }
  }

  #reply(): void {
    const reply = this.#connections.at(-1)!.replies.shift()
    if (reply === undefined || reply.copy.life !== this.#life) return
    this.#answer(reply.copy.batch, reply.answer)
  }

  #cut(): void {
    const lost = [...this.#inFlight].sort((a, b) => a.ordinal - b.ordinal)
    this.#connections.push({ requests: [], replies: [] })
    const life = this.#life
    for (const batch of lost) {
      // The first may end this upload, and the others with it.
      if (this.#life === life) this.#answer(batch, failed('NETWORK_EXCEPTION', 'unknown', true))
    }
  }

  /** What was not flushed is gone, requests on their way to it too. */
  #killBroker(): void {
    for (const { requests } of this.#connections) requests.length = 0
    this.log.length = this.#flushed
    this.#memory.truncate(toOffset(this.#flushed))
    this.#cut()
  }

  #answer(batch: LineBatch<Range>, answer: LineAnswer): void {
    this.#inFlight.delete(batch)
    this.#tell(this.#line.answered(batch, answer, this.#nowMs, this.#random.next()))
  }

  /** At the first failure the upload ends, and begins again. */
  #tell(settled: readonly Settled<Range>[]): void {
    for (const { item, error } of settled) if (error === undefined) this.#acknowledged.push(item)
    if (settled.some(({ error }) => error !== undefined)) this.#begin()
  }
}

function failed(
  code: 'BROKER_BUSY' | 'REQUEST_TIMED_OUT' | 'NETWORK_EXCEPTION',
  outcome: 'refused' | 'unknown',
  isLost: boolean,
): LineAnswer {
  const error = new SpoolError(code, 'the model says so', { outcome })
  return { kind: 'retriable', error, isLost }
}
