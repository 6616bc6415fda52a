/**
 * A handler and what happens when it throws: another attempt after a while, and another, then the dead
 * letters, or the end of everything. One piece at a time; whose turn it is, is for `runner.ts`.
 *
 *     batch 10…19, its handler throws RecordFailure(13)   10…12 done · 13…19 attempted again, or
 *                                                         13 among the dead letters and 14…19 given anew
 */

import { ReadBatch } from '../reader/read-batch.ts'
import type { ReadRecord } from '../reader/read-record.ts'
import { retryDelayMs } from '../retry.ts'
import type { DeadLetterOffice } from './dead-letters.ts'
import type { Lane, Piece } from './lane.ts'
import type { Patience } from './patience.ts'
import { RecordFailure } from './record-failure.ts'
import type { Handler, RetrySettings } from './run-options.ts'

export interface AttemptOptions<T> {
  readonly handler: Handler<T>
  readonly retry: RetrySettings
  readonly office: DeadLetterOffice | undefined
  readonly patience: Patience
}

/** Others have its turn meanwhile. Rejects when another attempt would be in vain. */
type Rest<K, V> = (lane: Lane<K, V>, ms: number) => Promise<void>

interface Call<K, V> {
  /** A record, or a batch without those of its records that are done. */
  readonly given: ReadRecord<K, V> | ReadBatch<K, V>
  readonly attempt: number
  /** The record of a batch that failed before. */
  readonly failedAt?: number | undefined
}

interface Failure<K, V> extends Call<K, V> {
  readonly thrown: unknown
  /** Without the frame that says which record it was. */
  readonly error: unknown
  /** Of a batch: the one that failed. Those before it are done. */
  readonly named: ReadRecord<K, V> | undefined
}

/** Not done, and nobody's fault: its partition is to go, and who has it next begins with it. */
const GIVEN_UP = Symbol('given up')

export class Attempts<K, V, T> {
  readonly #options: AttemptOptions<T>

  constructor(options: AttemptOptions<T>) {
    this.#options = options
  }

  /**
   * True once the piece is done: handled, or among the dead letters. False: it was given up, because its
   * partition is wanted elsewhere. `rest` waits before another attempt.
   *
   * @throws what the handler threw last, where there is no office; what the office throws.
   */
  async work(piece: Piece<K, V>, lane: Lane<K, V>, rest: Rest<K, V>): Promise<boolean> {
    try {
      await this.#tryAll(piece, lane, rest)
      return true
    } catch (error) {
      // Whatever else it was: nobody wants to know any more.
      if (error === GIVEN_UP || lane.gone.signal.aborted) return false
      throw error
    }
  }

  async #tryAll(piece: Piece<K, V>, lane: Lane<K, V>, rest: Rest<K, V>): Promise<void> {
    const { handler, patience } = this.#options
    const { signal } = lane.gone
    if (piece.unreadable !== undefined) return this.#passOver(piece, signal)
    let call: Call<K, V> | undefined = { given: piece.record ?? piece.batch!, attempt: 1 }
    while (call !== undefined) {
      const { given, attempt }: Call<K, V> = call
      try {
        lane.calledAt = patience.tick
        await handler(given as T, { signal, attempt })
        return
      } catch (thrown) {
        lane.calledAt = undefined
        if (signal.aborted) throw GIVEN_UP
        call = await this.#after(failureOf(call, thrown), piece, lane, rest)
      }
    }
  }

  /** Waits until it may be attempted again, or puts it among the dead letters; what is to be done then. */
  async #after(
    failure: Failure<K, V>,
    piece: Piece<K, V>,
    lane: Lane<K, V>,
    rest: Rest<K, V>,
  ): Promise<Call<K, V> | undefined> {
    const { retry, office } = this.#options
    const { thrown, error, named, attempt } = failure
    const from = named?.offset
    if (from !== undefined) piece.tracker.moveTo(piece.nextOffset, from)
    const given = from === undefined ? failure.given : piece.batch!.startingAt(from)!
    if (attempt < retry.attempts && retry.isWorthIt(error)) {
      await this.#restAfter(attempt, lane, rest)
      return { given, attempt: attempt + 1, failedAt: from }
    }
    if (office === undefined) throw thrown
    await this.#bury(named ?? failure.given, { error, attempts: attempt }, office, lane.gone.signal)
    if (from === undefined) return undefined
    piece.tracker.moveTo(piece.nextOffset, from + 1)
    const remainder = piece.batch!.startingAt(from + 1)
    // Who has the partition next begins with it.
    if (remainder !== undefined && lane.leaving.signal.aborted) throw GIVEN_UP
    return remainder && { given: remainder, attempt: 1 }
  }

  async #restAfter(attempt: number, lane: Lane<K, V>, rest: Rest<K, V>): Promise<void> {
    const { backoffMs, backoffMsMax } = this.#options.retry
    const backoff = { retryBackoffMs: backoffMs, retryBackoffMsMax: backoffMsMax }
    try {
      await rest(lane, retryDelayMs(attempt, backoff, Math.random()))
    } catch {
      throw GIVEN_UP
    }
  }

  /** No handler can be called for it. */
  async #passOver({ batch, unreadable }: Piece<K, V>, signal: AbortSignal): Promise<void> {
    const { office } = this.#options
    const { error, from } = unreadable!
    if (office === undefined) throw error
    await office.sendUnreadable({ batch: batch!, from, error }, signal)
  }

  async #bury(
    given: ReadRecord<K, V> | ReadBatch<K, V>,
    failure: { readonly error: unknown; readonly attempts: number },
    office: DeadLetterOffice,
    signal: AbortSignal,
  ): Promise<void> {
    if (!(given instanceof ReadBatch)) return office.send({ record: given, ...failure }, signal)
    let broken: { readonly from: number; readonly error: unknown } | undefined
    const readable = readableOf(given, (from, error) => {
      broken = { from, error }
    })
    for (const record of readable) await office.send({ record, ...failure }, signal)
    if (broken !== undefined) await office.sendUnreadable({ batch: given, ...broken }, signal)
  }
}

function failureOf<K, V>(call: Call<K, V>, thrown: unknown): Failure<K, V> {
  if (!(thrown instanceof RecordFailure))
    return { ...call, thrown, error: thrown, named: undefined }
  const named = recordIn(call.given, thrown)
  // One that had not failed before was called for the first time.
  const isOther = named !== undefined && named.offset !== call.failedAt
  const attempt = isOther ? 1 : call.attempt
  return { ...call, attempt, thrown, error: thrown.cause, named }
}

/** The record that a handler of batches says has failed, where it was given that one. */
function recordIn<K, V>(
  given: ReadRecord<K, V> | ReadBatch<K, V>,
  { record }: RecordFailure,
): ReadRecord<K, V> | undefined {
  if (!(given instanceof ReadBatch) || record.lease !== given.lease) return undefined
  const isWithin = record.offset >= given.fromOffset && record.offset < given.nextOffset
  return isWithin ? (record as ReadRecord<K, V>) : undefined
}

/** What can be read of a batch; then, where that is not all, what is wrong with it and from where on. */
function* readableOf<K, V>(
  batch: ReadBatch<K, V>,
  tell: (from: number, error: unknown) => void,
): Generator<ReadRecord<K, V>, void, void> {
  let from = batch.fromOffset
  try {
    for (const record of batch) {
      from = record.offset + 1
      yield record
    }
  } catch (error) {
    tell(from, error)
  }
}
