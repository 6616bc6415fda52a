/**
 * Records that nobody could work on, written to another topic, acknowledged before anything else happens.
 * Owns the producer, and the topic where it has to be created. What is written is for `dead-letter.ts`; which
 * records go there, for `attempts.ts`.
 */

import { Admin, type TopicDescription } from '../admin/admin.ts'
import { type ErrorCode, SpoolError } from '../api/errors.ts'
import type { ClientContext } from '../client-context.ts'
import type { Sent } from '../producer/delivery.ts'
import { Producer } from '../producer/producer.ts'
import { isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import { bytes } from '../serdes/plain.ts'
import {
  batchLettersOf,
  type Failed,
  type Letter,
  lettersOf,
  type Unreadable,
} from './dead-letter.ts'
import { circle, type DeadLetterSettings } from './run-options.ts'

const KIB = 1024
/** What the headers of its own add to a record, with room for several times through. */
const HEADROOM_BYTES = 64 * KIB
/** No topic takes more. */
const MESSAGE_BYTES_MAX = 64 * KIB * KIB

/** The topic has no room for it: less of it may fit. */
const NO_ROOM: ReadonlySet<ErrorCode> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'REQUEST_TOO_LARGE',
  // Too many headers: the record had as many as there may be.
  'INVALID_RECORD',
])

export class DeadLetterOffice {
  readonly #context: ClientContext
  readonly #admin: Admin
  readonly #group: string
  readonly #settings: DeadLetterSettings
  readonly #producer: Producer<Uint8Array, Uint8Array>
  readonly #topics = new Map<string, Promise<void>>()

  /** `closeTimeoutMs`: how long `close` waits for letters that are on their way. */
  constructor(
    context: ClientContext,
    group: string,
    settings: DeadLetterSettings,
    closeTimeoutMs: number,
  ) {
    this.#context = context
    this.#admin = new Admin(context)
    this.#group = group
    this.#settings = settings
    this.#producer = new Producer<Uint8Array, Uint8Array>(context, {
      key: bytes,
      value: bytes,
      closeTimeoutMs,
    })
  }

  /**
   * Resolves once the record is as safe as a record is; waits out a broker that is away. A record that is
   * too large for the topic goes without its value, and at worst without anything but where it is.
   *
   * @throws SpoolError what can not be put right by waiting, or the signal's reason.
   */
  async send(failed: Failed, signal: AbortSignal): Promise<void> {
    const { topic, partition, offset } = failed.record
    const to = await this.#sendWhatFits(lettersOf(failed, this.#group), topic, signal)
    const { error } = failed
    await this.#settings.onDeadLetter?.({ topic, partition, offset, error, to })
  }

  /** The same for what is left of a batch, as one letter. */
  async sendUnreadable(unreadable: Unreadable, signal: AbortSignal): Promise<void> {
    const { topic, partition, nextOffset } = unreadable.batch
    const to = await this.#sendWhatFits(batchLettersOf(unreadable, this.#group), topic, signal)
    const { from: offset, error } = unreadable
    await this.#settings.onDeadLetter?.({ topic, partition, offset, nextOffset, error, to })
  }

  close(): Promise<void> {
    return this.#producer.close()
  }

  async #sendWhatFits(
    letters: readonly Letter[],
    from: string,
    signal: AbortSignal,
  ): Promise<Sent> {
    const topic = this.#settings.topicFor(from)
    // Of a pattern, what it matches is not known before.
    if (topic === from) throw circle([topic, topic])
    for (const letter of letters.slice(0, -1)) {
      try {
        return await this.#sendOut({ ...letter, topic }, from, signal)
      } catch (refusal) {
        if (!(refusal instanceof SpoolError && NO_ROOM.has(refusal.code))) throw refusal
      }
    }
    return this.#sendOut({ ...letters.at(-1)!, topic }, from, signal)
  }

  async #sendOut(
    letter: Letter & { readonly topic: string },
    from: string,
    signal: AbortSignal,
  ): Promise<Sent> {
    for (let failures = 1; ; failures++) {
      try {
        await this.#ensure(letter.topic, from)
        return await this.#producer.send(letter, { signal })
      } catch (failure) {
        if (!(failure instanceof SpoolError) || !isWorthRetrying(failure)) throw failure
        const { settings } = this.#context
        await pause(retryDelayMs(failures, settings, Math.random(), failure), signal)
      }
    }
  }

  /** Asks once for each topic; again after a failure. */
  #ensure(topic: string, from: string): Promise<void> | undefined {
    if (!this.#settings.create) return undefined
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    const ensured = this.#create(topic, from).catch((error) => {
      this.#topics.delete(topic)
      throw error
    })
    this.#topics.set(topic, ensured)
    return ensured
  }

  /** Where it is made here, it takes what that other topic takes, with headers of its own on top. */
  async #create(name: string, from: string): Promise<void> {
    if ((await this.#described(name)) !== undefined) return
    const source = await this.#described(from)
    const wanted = Math.min(MESSAGE_BYTES_MAX, messageBytesMax(source) + HEADROOM_BYTES)
    try {
      const created = await this.#admin.createTopic({ name })
      if (messageBytesMax(created) >= wanted) return
      await this.#admin.alterTopic(name, { config: { 'max.message.bytes': wanted } })
    } catch (error) {
      // Somebody else was faster.
      if (!hasCode(error, 'TOPIC_ALREADY_EXISTS')) throw error
    }
  }

  /** `undefined` where there is none of that name. */
  async #described(topic: string): Promise<TopicDescription | undefined> {
    try {
      return await this.#admin.describeTopic(topic)
    } catch (error) {
      if (hasCode(error, 'UNKNOWN_TOPIC_OR_PARTITION')) return undefined
      throw error
    }
  }
}

/** 0 where it is not known. */
function messageBytesMax(topic: TopicDescription | undefined): number {
  return Number(topic?.config['max.message.bytes']?.value ?? 0)
}

function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof SpoolError && error.code === code
}
