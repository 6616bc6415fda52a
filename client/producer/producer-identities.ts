/**
 * Producer ids for lines that need one: asked for when the first batch is to go, shared by all partitions
 * of the producer, and another one where a line has used its own up.
 */

import { SpoolError } from '../api/errors.ts'
import { ROUTES } from '../api/routes.ts'
import { pathOf } from '../paths.ts'
import { isWorthRetrying, pause, retried, retryDelayMs } from '../retry.ts'
import type { Transport } from '../transport.ts'
import { asSpoolError } from './line-answer.ts'
import { EPOCH_MAX, type ProducerIdentity } from './partition-line.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { SendingSettings } from './producer-options.ts'

export class ProducerIdentities {
  readonly #transport: Transport
  readonly #settings: SendingSettings
  readonly #given: (queue: PartitionQueue) => void
  readonly #waiting = new Set<PartitionQueue>()
  readonly #closing = new AbortController()
  #current: ProducerIdentity | undefined
  #isAsking = false

  /** `given` hears of each queue whose line has got one. */
  constructor(
    transport: Transport,
    settings: SendingSettings,
    given: (queue: PartitionQueue) => void,
  ) {
    this.#transport = transport
    this.#settings = settings
    this.#given = given
  }

  /** Sees to it that the queue's line gets an identity, now or later. */
  give(queue: PartitionQueue): void {
    if (queue.identity !== undefined && queue.identity === this.#current) this.#current = undefined
    this.#waiting.add(queue)
    if (this.#isAsking) return
    this.#isAsking = true
    void this.#ask()
  }

  close(): void {
    this.#closing.abort()
    this.#waiting.clear()
  }

  async #ask(): Promise<void> {
    // Never at once: whoever asks is in the middle of something.
    await undefined
    for (let failures = 1; this.#waiting.size > 0; failures++) {
      try {
        this.#current ??= await this.#register()
        this.#giveAll(this.#current)
      } catch (thrown) {
        const error = asSpoolError(thrown)
        if (!isWorthRetrying(error)) this.#refuseAll(error)
        else await this.#pauseAfter(failures, error)
        this.#dropSettled()
      }
    }
    this.#isAsking = false
  }

  async #pauseAfter(failures: number, error: SpoolError): Promise<void> {
    const delayMs = retryDelayMs(failures, this.#settings, Math.random(), error)
    // Closed meanwhile: nobody waits any more.
    await pause(delayMs, this.#closing.signal).catch(() => {})
  }

  async #register(): Promise<ProducerIdentity> {
    const path = pathOf(ROUTES.createProducer, {})
    const { document } = await retried(() => this.#transport.request({ method: 'POST', path }), {
      backoff: this.#settings,
      timeoutMs: this.#settings.requestTimeoutMs,
      signal: this.#closing.signal,
    })
    return checkedIdentity(document)
  }

  #giveAll(identity: ProducerIdentity): void {
    for (const queue of this.#waiting) {
      this.#waiting.delete(queue)
      if (!queue.line.needsProducer) continue
      queue.identity = identity
      queue.line.useProducer(identity)
      this.#given(queue)
    }
  }

  /** Batches that waited may have run out of time since. */
  #dropSettled(): void {
    for (const queue of this.#waiting) {
      if (!queue.line.needsProducer) this.#waiting.delete(queue)
    }
  }

  #refuseAll({ code, detail }: SpoolError): void {
    const error = new SpoolError(code, `no producer id could be had: ${detail}`)
    for (const queue of this.#waiting) {
      this.#waiting.delete(queue)
      queue.abandon(error)
    }
  }
}

/** Numbers that can stand in a batch. */
function checkedIdentity(document: unknown): ProducerIdentity {
  const { producerId, producerEpoch } = (document ?? {}) as ProducerIdentity
  const isRight =
    Number.isSafeInteger(producerId) &&
    producerId >= 0 &&
    Number.isSafeInteger(producerEpoch) &&
    producerEpoch >= 0 &&
    producerEpoch <= EPOCH_MAX
  if (isRight) return { producerId, producerEpoch }
  throw new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    'what answers is no Spool broker, or a newer one: it gave no producerId and producerEpoch',
  )
}
