/**
 * Reads an endless body line by line into batches, in constant memory: NDJSON records, or plain lines.
 * It owns the body's stream: when to pause it (too many bytes not acknowledged), how long it may be idle,
 * and how it ends: properly, cut off by the client, by a malformed line (`onError=stop`), by a failed
 * append, or because the broker stops. What is said about it to the client is `upload-reply.ts`.
 */

import type { IncomingMessage } from 'node:http'
import { SpoolError, spoolErrorFrom } from '../../../client/api/errors.ts'
import type { Timer } from '../../../storage/clock.ts'
import type { BrokerSettings } from '../../config.ts'
import type { BrokerContext } from '../../context.ts'
import { BodyDeadline } from '../limits/body-deadline.ts'
import type { ByteBudget } from '../limits/byte-budget.ts'
import { JsonRecords } from './json-record.ts'
import { LineRecords } from './line-record.ts'
import { LineSplitter } from './line-splitter.ts'
import { type LineRefusal, lineTooLong, readJsonLine, refusalOf } from './ndjson-line.ts'
import type { ProducePlan } from './produce-plan.ts'
import { type ProducedRecord, REFUSALS_LISTED_MAX, RecordRefusal } from './produced-record.ts'
import { RecordRules } from './record-rules.ts'
import { type PartitionTotals, UploadBatches } from './upload-batches.ts'

/** Reading pauses while so many bytes of one upload are not acknowledged. */
const HELD_BYTES_MAX = 8 * 1024 * 1024
/** How soon to look again whether the broker has room for more bytes of uploads. */
const RETRY_MS = 20

export interface UploadRefusal extends LineRefusal {
  readonly line: number
}

/** How an upload stands. */
export interface UploadState {
  readonly lines: number
  readonly appended: number
  readonly refused: number
  /** Everything before this line has its fate. */
  readonly resumeAtLine: number
  readonly durability: UploadBatches['durability']
  readonly partitions: PartitionTotals[]
  /** The first ones. */
  readonly errors: readonly UploadRefusal[]
}

/** `ended`: the whole body was read. `stopped`: at a malformed line. `failed`: `error` says why. */
export type UploadEnd =
  | { readonly kind: 'ended' | 'stopped' }
  | { readonly kind: 'failed'; readonly error: SpoolError }

export class Upload {
  readonly #plan: ProducePlan
  readonly #message: IncomingMessage
  readonly #settings: BrokerSettings
  readonly #clock: BrokerContext['clock']
  readonly #budget: ByteBudget
  readonly #rules: RecordRules
  readonly #batches: UploadBatches
  readonly #splitter: LineSplitter
  readonly #records: JsonRecords | LineRecords
  readonly #deadline: BodyDeadline
  readonly #errors: UploadRefusal[] = []
  #lines = 0
  #refused = 0
  #budgetedBytes = 0
  #isPaused = false
  #retry: Timer | undefined
  #end: UploadEnd | undefined
  #onEnd: (() => void) | undefined

  constructor(
    plan: ProducePlan,
    message: IncomingMessage,
    context: BrokerContext,
    budget: ByteBudget,
  ) {
    const { settings, clock, random, replicas } = context
    this.#plan = plan
    this.#message = message
    this.#settings = settings
    this.#clock = clock
    this.#budget = budget
    this.#rules = new RecordRules(plan.topic)
    this.#splitter = new LineSplitter(this.#rules.batchBytesMax)
    this.#records = plan.kind === 'lines' ? new LineRecords(plan) : new JsonRecords(plan.as)
    this.#batches = new UploadBatches({
      topic: plan.topic,
      rules: this.#rules,
      replicas,
      clock,
      random,
      acks: plan.acks,
      lingerMs: settings.lingerMs,
      onProgress: () => this.#onProgress(),
      onFailed: (error) => this.#finish({ kind: 'failed', error }),
    })
    this.#deadline = new BodyDeadline(clock, { idleMs: settings.httpIdleMsMax }, (error) =>
      this.#finish({ kind: 'failed', error }),
    )
  }

  state(): UploadState {
    return {
      lines: this.#lines,
      appended: this.#batches.appended,
      refused: this.#refused,
      resumeAtLine: Math.min(this.#batches.firstOpenLine, this.#nextLine),
      durability: this.#batches.durability,
      partitions: this.#batches.totals(),
      errors: this.#errors,
    }
  }

  /** The line to go on with when all before it have their fate: after a stop, the one that is to be mended. */
  get #nextLine(): number {
    return this.#end?.kind === 'stopped' ? this.#lines : this.#lines + 1
  }

  /** Reads the body to its end. Never rejects; the state is final then. */
  async run(closing: AbortSignal): Promise<UploadEnd> {
    const message = this.#message
    const onData = (chunk: Buffer) => this.#onData(chunk)
    const onBodyEnd = () => this.#onBodyEnd()
    const onClose = () => this.#finish({ kind: 'failed', error: cutOff() })
    const onClosing = () => this.#finish({ kind: 'failed', error: stopping() })
    const ended = new Promise<void>((resolve) => {
      this.#onEnd = resolve
    })
    message.on('data', onData).on('end', onBodyEnd).on('close', onClose).on('error', onClose)
    closing.addEventListener('abort', onClosing)
    if (closing.aborted) onClosing()
    await ended
    message.off('data', onData).off('end', onBodyEnd).off('close', onClose)
    closing.removeEventListener('abort', onClosing)
    if (!message.complete) message.pause()
    this.#deadline.stop()
    await this.#settle()
    this.#budget.give(this.#budgetedBytes)
    this.#budgetedBytes = 0
    return this.#end!
  }

  #onData(chunk: Buffer): void {
    if (this.#end !== undefined) return
    this.#deadline.touch()
    const now = this.#clock.now()
    this.#splitter.push(chunk)
    while (this.#end === undefined && this.#splitter.next()) this.#takeLine(now)
    if (this.#end !== undefined) return
    if (this.#settings.lingerMs === 0) this.#batches.flush()
    if (!this.#hasRoom()) this.#pause()
  }

  #onBodyEnd(): void {
    if (this.#end === undefined && this.#splitter.finish()) this.#takeLine(this.#clock.now())
    this.#finish({ kind: 'ended' })
  }

  #takeLine(now: number): void {
    const line = ++this.#lines
    const { bytes, start, end, isTooLong } = this.#splitter
    try {
      if (isTooLong) throw lineTooLong(this.#rules.batchBytesMax)
      const record = this.#readLine(bytes, start, end)
      if (record === undefined) return
      const key = this.#plan.key ?? record.key
      this.#rules.checkKey(key)
      const partition = this.#rules.partition(record.partition, this.#plan.partition, key)
      const timestamp = this.#rules.timestamp(record.timestamp, now)
      const size = this.#rules.checkedSize(key, record.value, record.headers)
      this.#batches.add(line, partition, size, timestamp, key, record.value, record.headers)
    } catch (error) {
      this.#refuse(line, error)
    }
  }

  /** The record in a line; `undefined` for a blank line between NDJSON records. */
  #readLine(bytes: Buffer, start: number, end: number): ProducedRecord | undefined {
    const records = this.#records
    if (records instanceof LineRecords) return records.read(bytes, start, end)
    const record = readJsonLine(records, bytes, start, end)
    const { key } = this.#plan
    if (key !== null && record?.key?.equals(key) === false) {
      throw new RecordRefusal(
        'INVALID_RECORD',
        'the record has another key than the request (key=)',
      )
    }
    return record
  }

  #refuse(line: number, error: unknown): void {
    const refusal = refusalOf(error)
    if (refusal === undefined) {
      // A defect of ours: it ends this upload, not the process that an event's handler would take down.
      this.#finish({ kind: 'failed', error: spoolErrorFrom(error) })
      return
    }
    this.#addRefusal({ line, ...refusal })
    if (!this.#plan.skipsErrors) this.#finish({ kind: 'stopped' })
  }

  #addRefusal(refusal: UploadRefusal): void {
    this.#refused++
    if (this.#errors.length < REFUSALS_LISTED_MAX) this.#errors.push(refusal)
  }

  /** Accounts for the bytes held; false when there is no room for more. */
  #hasRoom(): boolean {
    const held = this.#batches.heldBytes + this.#splitter.heldBytes
    const more = held - this.#budgetedBytes
    if (more <= 0) this.#budget.give(-more)
    else {
      try {
        this.#budget.take(more)
      } catch {
        this.#retry ??= this.#clock.after(RETRY_MS, () => {
          this.#retry = undefined
          this.#onProgress()
        })
        return false
      }
    }
    this.#budgetedBytes = held
    return held <= HELD_BYTES_MAX
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#message.pause()
    this.#deadline.pause()
    // What waits to be appended must not wait for bytes that we do not read.
    this.#batches.flush()
  }

  #onProgress(): void {
    if (this.#end !== undefined || !this.#hasRoom() || !this.#isPaused) return
    this.#isPaused = false
    this.#deadline.resume()
    this.#message.resume()
  }

  #finish(end: UploadEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    // Whole lines that came before the end are records like others; after a failed append none follow.
    this.#batches.flush()
    this.#onEnd?.()
  }

  /** Waits for the fates of what was appended, unless nobody asked or it takes too long. */
  async #settle(): Promise<void> {
    if (this.#plan.acks === 0) return
    let timer: { cancel(): void } | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = this.#clock.after(this.#plan.timeoutMs, () => resolve('late'))
    })
    const first = await Promise.race([this.#batches.settled(), late])
    timer?.cancel()
    if (first === 'late' && this.#end?.kind !== 'failed') {
      this.#end = { kind: 'failed', error: timedOut(this.#plan.timeoutMs) }
    }
  }
}

function cutOff(): SpoolError {
  return new SpoolError('INVALID_REQUEST', 'the connection ended before the body was complete')
}

function stopping(): SpoolError {
  return new SpoolError('BROKER_STOPPING', 'the broker is stopping; go on from resumeAtLine', {
    retryAfterS: 1,
  })
}

function timedOut(timeoutMs: number): SpoolError {
  return new SpoolError(
    'REQUEST_TIMED_OUT',
    `not all lines were acknowledged within ${timeoutMs} ms`,
  )
}
