/** Who waits for records: one promise for one record, or one for many. */

import { SpoolError } from '../api/errors.ts'
import type { BatchFate } from '../transport.ts'
import type { Sent } from './delivery.ts'
import type { ProducerBatch, RecordOwner } from './producer-batch.ts'
import { SentRecords } from './sent-records.ts'

/** The caller of `send`. */
export class OneSent implements RecordOwner {
  readonly promise: Promise<Sent>
  #resolve!: (sent: Sent) => void
  #reject!: (reason: unknown) => void
  #index = 0
  #timestampMs = 0

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  placed(batch: ProducerBatch, index: number, timestampMs: number): void {
    this.#index = index
    this.#timestampMs = timestampMs
    batch.addOwner(this)
  }

  told({ place: { topic, partition } }: ProducerBatch, fate: BatchFate): void {
    if (fate.error !== undefined) {
      this.failed(fate.error)
      return
    }
    const offset = fate.baseOffset < 0 ? -1 : fate.baseOffset + this.#index
    const timestamp = fate.timestamp < 0 ? this.#timestampMs : fate.timestamp
    this.#resolve({ topic, partition, offset, timestamp })
  }

  failed(error: unknown): void {
    this.#reject(error)
  }
}

/** The caller of `sendMany`. */
export class ManySent implements RecordOwner {
  readonly sent = new SentRecords()
  /** The first that went wrong: nothing more is to be sent. */
  error: SpoolError | undefined
  /** Batches of ours whose fate is not told, with their numbers. */
  readonly #untold = new Map<ProducerBatch, number>()
  #last: ProducerBatch | undefined
  #lastNumber = 0
  #appended = 0
  #unknown = 0
  readonly #counts: number[] = []
  #whenTold: (() => void) | undefined

  placed(batch: ProducerBatch, index: number, timestampMs: number): void {
    if (batch !== this.#last) this.#enter(batch)
    const number = this.#lastNumber
    this.sent.add(number, index, timestampMs)
    this.#counts[number]! += 1
  }

  told(batch: ProducerBatch, fate: BatchFate): void {
    const number = this.#untold.get(batch)
    if (number === undefined) return
    this.#untold.delete(batch)
    this.sent.tell(number, fate)
    const count = this.#counts[number] ?? 0
    if (fate.error === undefined) this.#appended += count
    else {
      this.error ??= fate.error
      if (fate.error.outcome !== 'refused') this.#unknown += count
    }
    if (this.#untold.size === 0) this.#whenTold?.()
  }

  failed(error: SpoolError): void {
    this.error ??= error
  }

  /** Once nothing more comes: where they all are. */
  async end(): Promise<SentRecords> {
    if (this.#untold.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenTold = resolve
      })
    }
    if (this.error === undefined) return this.sent
    throw this.#failure(this.error)
  }

  #enter(batch: ProducerBatch): void {
    let number = this.#untold.get(batch)
    if (number === undefined) {
      number = this.sent.addBatch(batch)
      this.#counts[number] = 0
      this.#untold.set(batch, number)
      batch.addOwner(this)
    }
    this.#last = batch
    this.#lastNumber = number
  }

  #failure({ code, detail, cause }: SpoolError): SpoolError {
    const outcome = this.#appended > 0 ? 'partial' : this.#unknown > 0 ? 'unknown' : 'refused'
    const appended = this.#appended
    return new SpoolError(code, `${detail}; ${appended} of the records before were appended`, {
      outcome,
      extensions: { appended, sent: this.sent },
      cause,
    })
  }
}
