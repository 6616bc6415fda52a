/**
 * A producer of one log as a client library would be: up to five batches in flight, retries in order
 * with the same sequence after a restart, a value for every record that names it. Writes down in the
 * history what was sent and answered; judges only what an answer itself gets wrong.
 */

import { StorageError } from '../../../storage/errors.ts'
import type { Log } from '../../../storage/log/log.ts'
import type { LogAppend } from '../../../storage/log/log-append.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import type { SeededRandom } from '../../rigs/random.ts'
import type { Attempt, LogHistory } from './history.ts'

export const MAX_DECOMPRESSED_BYTES = 1024 * 1024
/** As many as the log remembers of a producer (KIP-98). */
const IN_FLIGHT_MAX = 5
const BATCH_OVERHEAD_BYTES = 100
const RECORD_OVERHEAD_BYTES = 40
/** Of a compacted log. */
const KEYS = 15
/** Where a record of a compacted log has its value: a tombstone has no other place. */
const VALUE_HEADER = Buffer.from('value')

export class Producer {
  readonly #history: LogHistory
  readonly #random: SeededRandom
  /** -1: not idempotent. */
  #producerId: number
  #nextSequence = 0
  /** Sent and not answered with success, oldest first. */
  #unanswered: Attempt[] = []
  /** Answered; for retries of what is already there. */
  #lastAcknowledged: Attempt | undefined
  /** A batch must fit a segment. */
  readonly #batchBytesMax: number
  readonly problems: string[] = []

  constructor(
    history: LogHistory,
    random: SeededRandom,
    producerId: number,
    batchBytesMax: number,
  ) {
    this.#batchBytesMax = batchBytesMax
    this.#history = history
    this.#random = random
    this.#producerId = producerId
  }

  get canSend(): boolean {
    return this.#unanswered.length < IN_FLIGHT_MAX
  }

  /** Everything sent was acknowledged. */
  get isSettled(): boolean {
    return this.#unanswered.length === 0
  }

  get isIdempotent(): boolean {
    return this.#producerId >= 0
  }

  /** Sends one new batch. Returns when the log answered, or at once when it refused. */
  async send(log: Log, nowMs: number, isListening: () => boolean): Promise<void> {
    const count = this.#random.chance(0.6) ? 1 : this.#random.between(2, 6)
    const id = this.#history.attempts.length
    const values = Array.from({ length: count }, (_, at) => `${this.#history.name}/${id}.${at}`)
    const producer = this.isIdempotent
      ? { id: this.#producerId, sequence: this.#nextSequence }
      : undefined
    this.#nextSequence += count
    const attempt = this.#history.send(values, producer, this.#keysFor(values))
    this.#unanswered.push(attempt)
    await this.#try(log, attempt, nowMs, isListening)
  }

  /**
   * After a restart, what was not answered is sent again, in order; an idempotent producer also repeats
   * its last acknowledged batch now and then. Others can not know whether theirs arrived and let it be.
   */
  async retryAll(log: Log, nowMs: number, isListening: () => boolean): Promise<void> {
    if (!this.isIdempotent) {
      this.#unanswered = []
      return
    }
    const again = [...this.#unanswered]
    const last = this.#lastAcknowledged
    const isRemembered = last !== undefined && again.length < IN_FLIGHT_MAX
    if (isRemembered && last.baseOffset >= log.logStartOffset && this.#random.chance(0.5)) {
      again.unshift(last)
    }
    for (const attempt of again) await this.#try(log, attempt, nowMs, isListening)
  }

  /** After acknowledged records were lost, as they may be, a client begins anew. */
  beginAnew(producerId: number): void {
    if (this.isIdempotent) this.#producerId = producerId
    this.#nextSequence = 0
    this.#unanswered = []
    this.#lastAcknowledged = undefined
  }

  async #try(log: Log, attempt: Attempt, nowMs: number, isListening: () => boolean): Promise<void> {
    const known = attempt.state === 'acknowledged' ? attempt.baseOffset : undefined
    let append: LogAppend
    try {
      append = log.append(this.#encode(attempt, nowMs), {
        maxDecompressedBytes: MAX_DECOMPRESSED_BYTES,
      })
    } catch (error) {
      if (isListening()) this.#refused(attempt, error)
      return
    }
    if (known !== undefined) {
      this.#checkRepeat(attempt, append, known)
    } else {
      this.#history.place(attempt, append.baseOffset, log.leaderEpoch, nowMs)
    }
    try {
      await append.acknowledged
    } catch (error) {
      if (isListening()) this.#failed(attempt, error)
      return
    }
    if (!isListening()) return
    this.#history.acknowledge(attempt, append.durability === 'flushed')
    this.#lastAcknowledged = attempt
    this.#unanswered = this.#unanswered.filter((waiting) => waiting !== attempt)
  }

  #checkRepeat(attempt: Attempt, append: LogAppend, known: number): void {
    if (append.duplicate && append.baseOffset === known) return
    this.problems.push(
      `${this.#history.name}: duplicate: batch at ${known} of ${JSON.stringify(attempt.producer)} was taken again at ${append.baseOffset}`,
    )
  }

  #refused(attempt: Attempt, error: unknown): void {
    if (!(error instanceof StorageError) || error.outcome !== 'refused') {
      this.problems.push(`${this.#history.name}: append threw ${String(error)}`)
    }
    if (attempt.state === 'open') attempt.state = 'refused'
    this.#history.noteError(error)
  }

  #failed(attempt: Attempt, error: unknown): void {
    const outcome = error instanceof StorageError ? error.outcome : undefined
    if (outcome === undefined) {
      this.problems.push(
        `${this.#history.name}: an append failed without outcome: ${String(error)}`,
      )
    }
    if (attempt.state === 'open') attempt.state = outcome === 'refused' ? 'refused' : 'unknown'
    this.#history.noteError(error)
  }

  #encode(attempt: Attempt, nowMs: number): Buffer {
    const { producer } = attempt
    const builder = new BatchBuilder({
      compression: 'none',
      ...(producer === undefined
        ? {}
        : { producerId: producer.id, producerEpoch: 0, baseSequence: producer.sequence }),
    })
    let bytesLeft = this.#batchBytesMax - BATCH_OVERHEAD_BYTES
    for (const [at, value] of attempt.values.entries()) {
      bytesLeft -= value.length + RECORD_OVERHEAD_BYTES
      const padding = this.#padding(bytesLeft / attempt.values.length)
      bytesLeft -= padding.length
      const key = attempt.keys[at]
      if (key === undefined) builder.append(nowMs, Buffer.from(value), padding)
      else {
        const stored = attempt.tombstones[at] === true ? null : padding
        builder.append(nowMs, Buffer.from(key), stored, [
          { name: VALUE_HEADER, value: Buffer.from(value) },
        ])
      }
    }
    return builder.build()
  }

  /** In a compacted log values come back to a few keys, and delete them now and then. */
  #keysFor(values: readonly string[]): Pick<Attempt, 'keys' | 'tombstones'> {
    if (this.#history.compaction === undefined) return { keys: [], tombstones: [] }
    return {
      keys: values.map(() => `k${this.#random.below(KEYS)}`),
      tombstones: values.map(() => this.#random.chance(0.25)),
    }
  }

  /** Mostly small; sometimes several sectors, rarely many. */
  #padding(bytesMax: number): Buffer {
    const kind = this.#random.next()
    const longest = kind < 0.7 ? 150 : kind < 0.95 ? 1_200 : 6_000
    return this.#random.bytes(this.#random.below(Math.min(longest, Math.max(1, bytesMax))))
  }
}
