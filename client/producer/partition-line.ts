/**
 * The batches of one partition on their way to the broker: in which order they go, how many at once, under
 * which numbers, and what each answer means for the rest. A pure state machine: time and chance come as
 * arguments, batches are only carried, whoever calls it sends and tells.
 *
 *     push ─► [waiting …] ─next─► [in flight, at most five] ─answered─► settled, or waiting again
 *
 * What it promises of an idempotent producer: a batch is in the log at most once, batches stand there in
 * the order of their push, what it settles as refused is not there and never will be. It stands on what
 * the broker remembers of a producer (KIP-98): its epoch and its last five batches.
 *
 *  - The first of an epoch goes alone, and so does the first after a lost answer: a broker that has no
 *    memory of us takes any first sequence, and might take a later batch before an earlier one.
 *  - Unresolved and resolved batches together span at most five, so that a repeat is always recognised.
 *  - A batch given up leaves a hole in the sequences. Those behind it that were never sent begin a new
 *    epoch: the broker then refuses whatever still wanders about under the old one (a fence, as in
 *    KIP-360). Those that were sent are asked for again under their old numbers first: they may be there.
 *  - A copy whose answer was lost may still arrive, from a connection that is long closed. Where it could
 *    be let in behind a batch that was given up (a ghost), the batch is given up as well, as unknown,
 *    rather than sent under new numbers: that could write it twice.
 *
 * Where the program gave the numbers (`continues`), none is ever changed: they mean the same records to
 * whoever had them before and to whoever will. A batch that can not go under its numbers is given up, and
 * with it everything behind it, for good.
 */

import { SpoolError } from '../api/errors.ts'
import { type Backoff, retryDelayMs } from '../retry.ts'
import type { ProducerNumbers } from '../transport.ts'
import { LineBatch } from './line-batch.ts'

const SEQUENCE_COUNT = 2 ** 31
export const EPOCH_MAX = 0x7fff
/**
 * A broker forgets a producer that has not appended for `producer.id.expiration.ms`, a day by default.
 * After an hour it is asked with one batch alone whether it still knows us.
 */
const PROVEN_MS_MAX = 3_600_000
const NO_HOLE = -1

export interface LineRules {
  /** For errors: `orders-3`. */
  readonly place: string
  readonly isIdempotent: boolean
  /** At most five: the broker recognises no repeat that is older. */
  readonly inFlightMax: number
  readonly deliveryTimeoutMs: number
  readonly backoff: Backoff
  /** The numbers it begins with and keeps to. Idempotent. */
  readonly continues?: ProducerNumbers | undefined
}

export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

/** What came back for one batch. */
export type LineAnswer = { readonly kind: 'appended' } | FailedAnswer | MisnumberedAnswer

export interface FailedAnswer {
  /** Worth another try, or for good. */
  readonly kind: 'retriable' | 'failed'
  readonly error: SpoolError
  /** Nobody answered, and the batch may still arrive. Otherwise the error's outcome counts. */
  readonly isLost: boolean
}

/** The broker expects another sequence (a gap), or a newer epoch of the producer (fenced). */
export interface MisnumberedAnswer {
  readonly kind: 'gap' | 'fenced'
  readonly error: SpoolError
}

/** A batch whose fate is told, once: appended where there is no error. */
export interface Settled<T> {
  readonly item: T
  /** Says `refused` or `unknown`. */
  readonly error: SpoolError | undefined
}

export class PartitionLine<T> {
  readonly #rules: LineRules
  /** In the order of their push. Invariant: the ones in flight are among the first `inFlightMax`. */
  readonly #batches: LineBatch<T>[] = []
  #inFlight = 0
  #nextOrdinal = 0
  #producer: ProducerIdentity | undefined
  #nextSequence = 0
  #isProven = false
  #provenAtMs = 0
  /** The last batch given up after it got numbers of this epoch. */
  #holeAt = NO_HOLE
  /** Of a batch given up in this epoch, a copy may still arrive. */
  #hasGhost = false
  #failures = 0
  #retryAtMs = 0
  /** Where numbers may not be changed: why nothing goes any more. */
  #broken: SpoolError | undefined

  constructor(rules: LineRules) {
    this.#rules = rules
    const { continues } = rules
    if (continues === undefined) return
    this.useProducer(continues)
    this.#nextSequence = continues.baseSequence
  }

  /** Batches whose fate is not told yet, and those told that are still in flight. */
  get length(): number {
    return this.#batches.length
  }

  get hasWaiting(): boolean {
    return this.#batches.length > this.#inFlight
  }

  /** True when it needs `useProducer` before its next batch can go. */
  get needsProducer(): boolean {
    const isNeeded = this.#rules.isIdempotent && this.#producer === undefined
    return isNeeded && this.#inFlight === 0 && this.hasWaiting
  }

  /** When a waiting batch may go again after a failure. */
  get retryAtMs(): number {
    return this.#retryAtMs
  }

  /** When the next batch runs out of time; `Infinity` when none can. */
  get deadlineMs(): number {
    if (this.#broken !== undefined && this.#batches.length > 0) return 0
    for (const batch of this.#batches) if (!batch.isTold) return batch.deadlineMs
    return Number.POSITIVE_INFINITY
  }

  /** A producer id nobody used in this partition, with the epoch to begin with. */
  useProducer(identity: ProducerIdentity): void {
    this.#producer = identity
    this.#beginEpoch()
  }

  /** True when a batch pushed now could go at once. */
  isOpen(nowMs: number): boolean {
    const { length } = this.#batches
    return length === this.#inFlight && this.#hasSlot(length, this.#nextOrdinal, nowMs)
  }

  push(item: T, recordCount: number, deadlineMs: number): void {
    this.#batches.push(new LineBatch(item, recordCount, deadlineMs, this.#nextOrdinal++))
  }

  /** The batch to send now, with its numbers; from here on it is in flight until `answered`. */
  next(nowMs: number): LineBatch<T> | undefined {
    if (this.#broken !== undefined) return undefined
    // Everything before `at` is in flight; anything in flight behind it must come back first.
    const at = this.#batches.findIndex((batch) => !batch.isInFlight)
    const batch = this.#batches[at]
    if (batch === undefined || at !== this.#inFlight) return undefined
    if (!this.#hasSlot(at, batch.ordinal, nowMs)) return undefined
    if (this.#rules.isIdempotent && batch.numbers === undefined) {
      if (this.#holeAt !== NO_HOLE) this.#bumpEpoch()
      if (this.#producer === undefined) return undefined
      batch.numbers = this.#takeNumbers(this.#producer, batch.recordCount)
    }
    batch.isInFlight = true
    batch.wentFirst = at === 0
    this.#inFlight += 1
    return batch
  }

  /** Notes what came back for a batch of `next`. `random` is in [0, 1). */
  answered(
    batch: LineBatch<T>,
    answer: LineAnswer,
    nowMs: number,
    random: number,
  ): readonly Settled<T>[] {
    batch.isInFlight = false
    this.#inFlight -= 1
    if (answer.kind === 'appended') return this.#appended(batch, nowMs)
    const { error } = answer
    batch.lastError = error
    if (!('isLost' in answer)) return this.#misnumbered(batch, answer, nowMs, random)
    if (answer.isLost) {
      batch.mayArrive = true
      this.#isProven = false
    } else if (error.outcome !== 'refused') {
      batch.mayBeThere = true
    }
    if (answer.kind === 'failed' || batch.isTold) return this.#giveUp(batch, error)
    this.#holdBack(nowMs, random, error)
    return []
  }

  /**
   * Gives up what has run out of time. What is in flight stays until its answer, which may still say
   * that it is there: its neighbours want to know.
   */
  expire(nowMs: number): readonly Settled<T>[] {
    if (this.#broken !== undefined) return this.abandon(this.#broken)
    const settled: Settled<T>[] = []
    for (let at = 0; at < this.#batches.length; ) {
      const batch = this.#batches[at] as LineBatch<T>
      if (batch.deadlineMs > nowMs) break
      if (batch.isTold) at += 1
      else if (batch.isInFlight) {
        batch.isTold = true
        settled.push({ item: batch.item, error: this.#timedOut(batch, 'unknown') })
        at += 1
      } else {
        settled.push(...this.#giveUp(batch, this.#timedOut(batch, batch.outcome)))
      }
    }
    return settled
  }

  /** Gives up everything, at once. Only where nothing was in flight the line is of use afterwards. */
  abandon(reason: SpoolError): readonly Settled<T>[] {
    const settled: Settled<T>[] = []
    for (const batch of this.#batches) {
      if (batch.isTold) continue
      batch.isTold = true // its answer may still come
      const outcome = batch.isInFlight ? 'unknown' : batch.outcome
      settled.push({ item: batch.item, error: asOutcome(reason, outcome, batch.lastError) })
    }
    this.#batches.length = 0
    return settled
  }

  /** A batch that was to come next never will; without `continues` that changes nothing. */
  skipped(reason: SpoolError): readonly Settled<T>[] {
    if (this.#rules.continues === undefined) return []
    this.#broken ??= reason
    return this.abandon(this.#broken)
  }

  /** Whether the batch at `at`, with everything before it in flight, may join them. */
  #hasSlot(at: number, ordinal: number, nowMs: number): boolean {
    const { inFlightMax } = this.#rules
    if (nowMs < this.#retryAtMs) return false
    if (at === 0) return true
    const first = this.#batches[0] as LineBatch<T>
    const isProven = this.#isProven && nowMs - this.#provenAtMs < PROVEN_MS_MAX
    const mayFollow = !this.#rules.isIdempotent || (isProven && this.#holeAt === NO_HOLE)
    return mayFollow && at < inFlightMax && ordinal - first.ordinal < inFlightMax
  }

  #takeNumbers(producer: ProducerIdentity, recordCount: number): ProducerNumbers {
    const baseSequence = this.#nextSequence
    this.#nextSequence = (baseSequence + recordCount) % SEQUENCE_COUNT
    return { ...producer, baseSequence }
  }

  #appended(batch: LineBatch<T>, nowMs: number): readonly Settled<T>[] {
    this.#remove(batch)
    this.#isProven = true
    this.#provenAtMs = nowMs
    this.#failures = 0
    this.#retryAtMs = 0
    if (batch.ordinal > this.#holeAt) {
      // It followed what was given up, so that was there all the time.
      this.#holeAt = NO_HOLE
      this.#hasGhost = false
    }
    return batch.isTold ? [] : [{ item: batch.item, error: undefined }]
  }

  /** Its numbers do not follow what the broker has. */
  #misnumbered(
    batch: LineBatch<T>,
    { kind, error }: MisnumberedAnswer,
    nowMs: number,
    random: number,
  ): readonly Settled<T>[] {
    if (batch.isTold) return this.#giveUp(batch, error)
    // An earlier one is still on its way: first that one, then this one again.
    if (!batch.wentFirst || this.#batches[0] !== batch) return []
    if (this.#rules.continues !== undefined) {
      batch.mayBeThere = true // of those who had these numbers before
      return this.#giveUp(batch, error)
    }
    batch.mayBeThere = false // the broker would have known it
    if (batch.mayArrive && this.#hasGhost) return this.#giveUp(batch, afterGhost(error))
    batch.numbers = undefined
    batch.mayArrive = false // what would have to come before it never will
    this.#holeAt = Math.max(this.#holeAt, batch.ordinal)
    if (kind === 'fenced') this.#producer = undefined
    this.#holdBack(nowMs, random, error)
    return []
  }

  #giveUp(batch: LineBatch<T>, reason: SpoolError): readonly Settled<T>[] {
    this.#remove(batch)
    if (batch.numbers !== undefined) this.#holeAt = Math.max(this.#holeAt, batch.ordinal)
    if (batch.mayArrive) this.#hasGhost = true
    const behind = this.skipped(reason)
    if (batch.isTold) return behind
    const error = asOutcome(reason, batch.outcome, batch.lastError)
    return [{ item: batch.item, error }, ...behind]
  }

  #remove(batch: LineBatch<T>): void {
    const at = this.#batches.indexOf(batch)
    if (at >= 0) this.#batches.splice(at, 1)
  }

  /** Nothing is in flight. Whatever had numbers is not in the log and can not get there under them. */
  #bumpEpoch(): void {
    const producer = this.#producer
    if (producer === undefined || producer.producerEpoch >= EPOCH_MAX) this.#producer = undefined
    else this.useProducer({ ...producer, producerEpoch: producer.producerEpoch + 1 })
  }

  #beginEpoch(): void {
    this.#nextSequence = 0
    this.#holeAt = NO_HOLE
    this.#hasGhost = false
    this.#isProven = false
    for (const batch of this.#batches) batch.numbers = undefined
  }

  /** One wait for all that fail together. */
  #holdBack(nowMs: number, random: number, error: SpoolError): void {
    if (nowMs < this.#retryAtMs) return
    this.#failures += 1
    this.#retryAtMs = nowMs + retryDelayMs(this.#failures, this.#rules.backoff, random, error)
  }

  #timedOut(batch: LineBatch<T>, outcome: 'refused' | 'unknown'): SpoolError {
    const { place, deliveryTimeoutMs } = this.#rules
    const last = batch.lastError === undefined ? '' : `; the last error: ${batch.lastError.detail}`
    const word = outcome === 'refused' ? 'is not in the log' : 'may or may not be in the log'
    return new SpoolError(
      'REQUEST_TIMED_OUT',
      `a batch for ${place} was not acknowledged within ${deliveryTimeoutMs} ms and ${word}${last}`,
      { outcome, cause: batch.lastError },
    )
  }
}

function asOutcome(
  { code, detail, extensions, cause }: SpoolError,
  outcome: 'refused' | 'unknown',
  lastError: SpoolError | undefined,
): SpoolError {
  return new SpoolError(code, detail, { outcome, extensions, cause: cause ?? lastError })
}

function afterGhost({ detail }: SpoolError): SpoolError {
  return new SpoolError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `a batch before this one was given up without knowing its fate, and sending this one under new numbers could write it twice (${detail})`,
  )
}
