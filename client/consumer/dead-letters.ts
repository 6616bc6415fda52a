/**
 * Records that nobody could work on, written to another topic: key, value and headers as they were, and in
 * headers of their own where they came from and why. Acknowledged before anything else happens. Owns the
 * producer; which records go there is for `attempts.ts`.
 *
 *     spool-dlq-reason      failed (the handler threw), or unreadable (a serde could not read it)
 *     spool-dlq-topic, spool-dlq-partition, spool-dlq-offset, spool-dlq-timestamp    where it is still
 *     spool-dlq-group, spool-dlq-attempts
 *     spool-dlq-error, spool-dlq-error-code    what was thrown
 *
 * One that was there before has each name more than once: the last is of the last time.
 */

import { Admin } from '../admin/admin.ts'
import { SpoolError } from '../api/errors.ts'
import type { ClientContext } from '../client-context.ts'
import type { Sent } from '../producer/delivery.ts'
import { Producer } from '../producer/producer.ts'
import type { RecordToSend } from '../producer/producer-record.ts'
import type { ReadHeader, ReadRecord } from '../reader/read-record.ts'
import { isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import { bytes } from '../serdes/plain.ts'
import { circle, type DeadLetterSettings } from './run-options.ts'

export interface Failed {
  readonly record: ReadRecord<unknown, unknown>
  readonly error: unknown
  readonly attempts: number
}

type Letter = RecordToSend<Uint8Array, Uint8Array> & { readonly topic: string }

/** Of an error's text: a header is no place for a whole dump. */
const ERROR_CHARACTERS_MAX = 1_024

export class DeadLetterOffice {
  readonly #context: ClientContext
  readonly #group: string
  readonly #settings: DeadLetterSettings
  readonly #producer: Producer<Uint8Array, Uint8Array>
  readonly #topics = new Map<string, Promise<void>>()

  constructor(context: ClientContext, group: string, settings: DeadLetterSettings) {
    this.#context = context
    this.#group = group
    this.#settings = settings
    this.#producer = new Producer<Uint8Array, Uint8Array>(context, { key: bytes, value: bytes })
  }

  /**
   * Resolves once the record is as safe as a record is; waits out a broker that is away.
   *
   * @throws SpoolError what can not be put right by waiting, or the signal's reason.
   */
  async send(failed: Failed, signal: AbortSignal): Promise<void> {
    const { record, error } = failed
    const topic = this.#settings.topicFor(record.topic)
    // Of a pattern, what it matches is not known before.
    if (topic === record.topic) throw circle([topic, topic])
    const letter = {
      topic,
      key: record.keyBytes,
      value: record.valueBytes,
      headers: [...record.headers, ...headersOf(failed, this.#group)],
    }
    const to = await this.#sendOut(letter, signal)
    const { partition, offset } = record
    await this.#settings.onDeadLetter?.({ topic: record.topic, partition, offset, error, to })
  }

  close(): Promise<void> {
    return this.#producer.close()
  }

  async #sendOut(letter: Letter, signal: AbortSignal): Promise<Sent> {
    for (let failures = 1; ; failures++) {
      try {
        await this.#ensure(letter.topic)
        return await this.#producer.send(letter, { signal })
      } catch (failure) {
        if (!(failure instanceof SpoolError) || !isWorthRetrying(failure)) throw failure
        const { settings } = this.#context
        await pause(retryDelayMs(failures, settings, Math.random(), failure), signal)
      }
    }
  }

  /** Asks once for each topic; again after a failure. */
  #ensure(topic: string): Promise<void> | undefined {
    if (!this.#settings.create) return undefined
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const ensured = new Admin(this.#context).ensureTopic({ name: topic }).then(
      () => {},
      (error) => {
        this.#topics.delete(topic)
        throw error
      },
    )
    this.#topics.set(topic, ensured)
    return ensured
  }
}

function headersOf({ record, error, attempts }: Failed, group: string): ReadHeader[] {
  const isUnreadable = error instanceof SpoolError && error.code === 'SERIALIZATION_FAILED'
  const { topic, partition, offset, timestamp } = record
  const code = codeOf(error)
  return [
    ['spool-dlq-reason', isUnreadable ? 'unreadable' : 'failed'],
    ['spool-dlq-topic', topic],
    ['spool-dlq-partition', String(partition)],
    ['spool-dlq-offset', String(offset)],
    ['spool-dlq-timestamp', String(timestamp)],
    ['spool-dlq-group', group.toWellFormed()],
    ['spool-dlq-attempts', String(attempts)],
    ['spool-dlq-error', textOf(error)],
    ...(code === undefined ? [] : [['spool-dlq-error-code', code] as const]),
  ]
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const isLong = text.length > ERROR_CHARACTERS_MAX
  return (isLong ? `${text.slice(0, ERROR_CHARACTERS_MAX)}…` : text).toWellFormed()
}

/** As Node's and our own errors have one. */
function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code.slice(0, ERROR_CHARACTERS_MAX).toWellFormed() : undefined
}
