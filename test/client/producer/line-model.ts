/**
 * The world around a `PartitionLine`: connections, and a broker with one partition whose memory of
 * producers is the real one. A connection that breaks keeps the requests in it: each may still arrive at
 * any later time, or never. Everything that happens is in the actions and the seed.
 */

import fc from 'fast-check'
import { SpoolError } from '../../../client/api/errors.ts'
import type { LineBatch } from '../../../client/producer/line-batch.ts'
import {
  type LineAnswer,
  PartitionLine,
  type Settled,
} from '../../../client/producer/partition-line.ts'
import { ProducerState } from '../../../storage/log/producer-state.ts'
import { type Offset, toOffset } from '../../../storage/record/offsets.ts'
import { SeededRandom } from '../../rigs/random.ts'

export type Action =
  | { readonly do: 'push'; readonly records: number; readonly isPoisoned: boolean }
  | { readonly do: 'send' | 'reply' | 'cut' | 'restart' | 'powerCut' }
  | { readonly do: 'handle'; readonly connection: number; readonly mood: Mood }
  | { readonly do: 'wait'; readonly ms: number }

/** What the broker makes of a request; `overtaken` lets the next one be appended before it. */
type Mood = 'fine' | 'busy' | 'lateAck' | 'overtaken'

const TIMEOUT_MS = 300

const handle = fc.record({
  do: fc.constant('handle' as const),
  // Mostly the newest; the others are closed and only still have requests in them.
  connection: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: 3 })),
  mood: fc.oneof(
    { weight: 6, arbitrary: fc.constant('fine' as const) },
    fc.constantFrom('busy' as const, 'lateAck' as const, 'overtaken' as const),
  ),
})
const plain = (name: 'send' | 'reply' | 'cut' | 'restart' | 'powerCut') => fc.constant({ do: name })

export const ACTIONS: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      records: fc.integer({ min: 1, max: 3 }),
      isPoisoned: fc.oneof({ weight: 15, arbitrary: fc.constant(false) }, fc.constant(true)),
    }),
  },
  { weight: 8, arbitrary: plain('send') },
  { weight: 8, arbitrary: handle },
  { weight: 8, arbitrary: plain('reply') },
  { weight: 2, arbitrary: plain('cut') },
  { weight: 1, arbitrary: plain('restart') },
  { weight: 1, arbitrary: plain('powerCut') },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 200 })),
    }),
  },
)

interface Copy {
  readonly batch: LineBatch<Item>
  readonly numbers: NonNullable<LineBatch<Item>['numbers']>
}

interface Item {
  readonly id: number
  readonly records: number
  readonly isPoisoned: boolean
}

interface Connection {
  readonly requests: Copy[]
  readonly replies: { readonly copy: Copy; readonly answer: LineAnswer }[]
}

interface Logged {
  readonly id: number
  readonly isAcknowledged: boolean
}

export class LineModel {
  readonly #random: SeededRandom
  readonly #isForgetful: boolean
  readonly #line = new PartitionLine<Item>({
    place: 'orders-0',
    isIdempotent: true,
    inFlightMax: 5,
    deliveryTimeoutMs: TIMEOUT_MS,
    backoff: { retryBackoffMs: 4, retryBackoffMsMax: 32 },
  })
  #memory = new ProducerState({ producersMax: 10, expirationMs: 1e12 })
  readonly #log: Logged[] = []
  /** Each record takes one offset; this is the offset after each logged batch. */
  readonly #ends: number[] = []
  /** The newest is the one in use. */
  #connections: Connection[] = [{ requests: [], replies: [] }]
  #inFlight = new Set<LineBatch<Item>>()
  readonly #told = new Map<number, string>()
  readonly #toldTwice: number[] = []
  #pushed = 0
  #nowMs = 0
  #nextProducerId = 1
  readonly seen = { appended: 0, refused: 0, unknown: 0, epochs: 0, repeats: 0, stale: 0 }

  constructor({ seed, isForgetful }: { seed: number; isForgetful: boolean }) {
    this.#random = new SeededRandom(seed)
    this.#isForgetful = isForgetful
  }

  do(action: Action): void {
    switch (action.do) {
      case 'push': {
        const item = { id: this.#pushed++, records: action.records, isPoisoned: action.isPoisoned }
        this.#line.push(item, action.records, this.#nowMs + TIMEOUT_MS)
        break
      }
      case 'send':
        this.#send()
        break
      case 'handle':
        this.#handle(this.#connections.at(-1 - action.connection), action.mood)
        break
      case 'reply':
        this.#reply()
        break
      case 'cut':
        this.#cut()
        break
      case 'restart':
        this.#cut()
        for (const { requests } of this.#connections) requests.length = 0
        if (this.#isForgetful) this.#memory.clear()
        break
      case 'powerCut':
        this.#cut()
        for (const { requests } of this.#connections) requests.length = 0
        this.#loseUnacknowledgedTail()
        break
      case 'wait':
        this.#nowMs += action.ms
        this.#tell(this.#line.expire(this.#nowMs))
    }
  }

  /** Faults end; all that is still under way comes to its end, stray requests in any order. */
  finish(): void {
    for (let round = 0; this.#line.length > 0; round++) {
      if (round > 2_000) throw new Error('the line never ends')
      this.#nowMs += 3
      this.#tell(this.#line.expire(this.#nowMs))
      this.#send()
      this.#handle(this.#random.pick(this.#connections), 'fine')
      this.#handle(this.#connections.at(-1), 'fine')
      this.#reply()
    }
    for (const connection of this.#random.shuffled(this.#connections)) {
      while (connection.requests.length > 0) this.#handle(connection, 'fine')
    }
  }

  /** Every promise that was broken. */
  problems(): string[] {
    const problems = this.lossProblems()
    const ids = this.#log.map(({ id }) => id)
    for (const [at, id] of ids.entries()) {
      if (at > 0 && id <= ids[at - 1]!) problems.push(`${id} stands after ${ids[at - 1]}`)
      if (this.#told.get(id) === 'refused') problems.push(`${id} was refused, and is there`)
    }
    return problems
  }

  /** Only those that do not lean on what the broker remembers of a producer. */
  lossProblems(): string[] {
    const ids = new Set(this.#log.map(({ id }) => id))
    const problems = this.#toldTwice.map((id) => `${id} was told twice`)
    for (let id = 0; id < this.#pushed; id++) {
      const fate = this.#told.get(id)
      if (fate === undefined) problems.push(`${id} was never told`)
      if (fate === 'appended' && !ids.has(id)) problems.push(`${id} is lost`)
    }
    return problems
  }

  #send(): void {
    if (this.#line.needsProducer) {
      this.#line.useProducer({ producerId: this.#nextProducerId++, producerEpoch: 0 })
    }
    const batch = this.#line.next(this.#nowMs)
    if (batch === undefined) return
    if (batch.numbers === undefined) throw new Error('a batch without numbers')
    if (batch.numbers.producerEpoch > 0 && batch.numbers.baseSequence === 0) this.seen.epochs += 1
    this.#inFlight.add(batch)
    this.#connections.at(-1)!.requests.push({ batch, numbers: batch.numbers })
  }

  #handle(connection: Connection | undefined, mood: Mood): void {
    const copy = connection?.requests.shift()
    if (connection === undefined || copy === undefined) return
    if (connection !== this.#connections.at(-1)) this.seen.stale += 1
    const next = mood === 'overtaken' ? connection.requests.shift() : undefined
    const early = next === undefined ? [] : [{ copy: next, answer: this.#append(next, 'fine') }]
    // The answers come in the order of the requests all the same.
    connection.replies.push({ copy, answer: this.#append(copy, mood) }, ...early)
  }

  /** As the log does it: checked, appended, remembered. */
  #append({ batch, numbers }: Copy, mood: Mood): LineAnswer {
    const { item } = batch
    if (mood === 'busy') return failed('retriable', 'BROKER_BUSY', 'refused')
    if (item.isPoisoned) return failed('failed', 'INVALID_RECORD', 'refused')
    const header = { ...numbers, lastOffsetDelta: item.records - 1 }
    try {
      if (this.#memory.check(header) === undefined) {
        const end = (this.#ends.at(-1) ?? 0) + item.records
        this.#memory.update(header, toOffset(end - 1), this.#nowMs, this.#flushedOffset())
        this.#log.push({ id: item.id, isAcknowledged: false })
        this.#ends.push(end)
      } else {
        this.seen.repeats += 1
      }
    } catch (error) {
      const { code, message } = error as Error & { code: string }
      const kind = code === 'INVALID_PRODUCER_EPOCH' ? 'fenced' : 'gap'
      const name = kind === 'gap' ? 'OUT_OF_ORDER_SEQUENCE_NUMBER' : 'INVALID_PRODUCER_EPOCH'
      return { kind, error: new SpoolError(name, message, { outcome: 'refused' }) }
    }
    if (mood === 'lateAck') return failed('retriable', 'REQUEST_TIMED_OUT', 'unknown')
    // The log is durable up to here: nothing before an acknowledged batch is ever lost.
    for (const [at, logged] of this.#log.entries()) {
      this.#log[at] = { ...logged, isAcknowledged: true }
      if (logged.id === item.id) break
    }
    return { kind: 'appended' }
  }

  #flushedOffset(): Offset {
    const flushed = this.#log.filter(({ isAcknowledged }) => isAcknowledged).length
    return toOffset(this.#ends[flushed - 1] ?? 0)
  }

  #reply(): void {
    const reply = this.#connections.at(-1)!.replies.shift()
    if (reply === undefined) return
    this.#answer(reply.copy.batch, reply.answer)
  }

  #cut(): void {
    for (const batch of [...this.#inFlight].sort((a, b) => a.ordinal - b.ordinal)) {
      this.#answer(batch, failed('retriable', 'NETWORK_EXCEPTION', 'unknown', true))
    }
    this.#connections.push({ requests: [], replies: [] })
  }

  #answer(batch: LineBatch<Item>, answer: LineAnswer): void {
    this.#inFlight.delete(batch)
    this.#tell(this.#line.answered(batch, answer, this.#nowMs, this.#random.next()))
  }

  #tell(settled: readonly Settled<Item>[]): void {
    for (const { item, error } of settled) {
      const fate = error === undefined ? 'appended' : String(error.outcome)
      if (this.#told.has(item.id)) this.#toldTwice.push(item.id)
      this.#told.set(item.id, fate)
      if (fate === 'appended' || fate === 'refused' || fate === 'unknown') this.seen[fate] += 1
    }
  }

  #loseUnacknowledgedTail(): void {
    let kept = this.#log.length
    while (kept > 0 && this.#log[kept - 1]?.isAcknowledged === false) kept -= 1
    this.#log.length = kept
    this.#ends.length = kept
    this.#memory.truncate(toOffset(this.#ends.at(-1) ?? 0))
  }
}

function failed(
  kind: 'retriable' | 'failed',
  code: 'BROKER_BUSY' | 'INVALID_RECORD' | 'REQUEST_TIMED_OUT' | 'NETWORK_EXCEPTION',
  outcome: 'refused' | 'unknown',
  isLost = false,
): LineAnswer {
  return { kind, error: new SpoolError(code, 'the model says so', { outcome }), isLost }
}
