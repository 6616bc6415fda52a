/**
 * Sends what queues have to send: puts batches of several partitions into one request, in turns, gives
 * each answer to its line, and wakes up when something is due. Knows no records, no topics and no order:
 * order within a partition is its line's.
 */

import type { SpoolError } from '../api/errors.ts'
import type { BatchFate, SealedBatch, Transport } from '../transport.ts'
import { atEndOfTick } from './end-of-tick.ts'
import { answerOfFailure, answerOfFate, asSpoolError } from './line-answer.ts'
import type { LineBatch } from './line-batch.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { ProducerBatch } from './producer-batch.ts'
import { ProducerIdentities } from './producer-identities.ts'
import type { SendingSettings } from './producer-options.ts'
import { WakeUp } from './wake-up.ts'

/** Below this a request that is too large for the broker is not made smaller any more. */
const REQUEST_BYTES_MIN = 64 * 1024

interface Sending {
  readonly queue: PartitionQueue
  readonly batch: LineBatch<ProducerBatch>
  readonly sealed: SealedBatch
}

export class Sender {
  readonly #transport: Transport
  readonly #settings: SendingSettings
  readonly #identities: ProducerIdentities
  /** All that have something that is not told. */
  readonly #active = new Set<PartitionQueue>()
  /** Those where something changed since the last look. */
  #listed: PartitionQueue[] = []
  readonly #wakeUp = new WakeUp(() => this.#wake())
  #isTickAwaited = false
  #flushes = 0
  #requestBytesMax: number
  #atTick: () => void = () => {}
  #tickWaiters: (() => void)[] = []

  constructor(transport: Transport, settings: SendingSettings) {
    this.#transport = transport
    this.#settings = settings
    this.#requestBytesMax = settings.requestBytesMax
    this.#identities = new ProducerIdentities(transport, settings, (queue) => this.#look([queue]))
  }

  /** Runs at the end of each tick in which something was begun. */
  onTick(run: () => void): void {
    this.#atTick = run
  }

  /** A batch of the queue was begun. */
  opened(queue: PartitionQueue, nowMs: number): void {
    this.#active.add(queue)
    this.#list(queue)
    this.#wakeUp.at(queue.wakeAtMs(nowMs))
    this.awaitTick()
  }

  /** A full batch joined the queue's line: it goes now, so that the broker works while the program goes on. */
  ready(queue: PartitionQueue): void {
    const nowMs = performance.now()
    const next = () => this.#sealed(queue, queue.line.next(nowMs), nowMs)
    for (let sending = next(); sending !== undefined; sending = next()) this.#send([sending])
    if (queue.line.needsProducer) this.#identities.give(queue)
    this.#leave(queue, nowMs)
  }

  /** While this runs, nothing lingers. */
  async flushing(until: Promise<void>): Promise<void> {
    this.#flushes += 1
    this.#look([...this.#active])
    await until.finally(() => {
      this.#flushes -= 1
    })
  }

  /** Gives up everything, at once. */
  abandon(reason: SpoolError): void {
    for (const queue of this.#active) queue.abandon(reason)
    this.#active.clear()
    this.#listed = []
    this.#identities.close()
    this.#wakeUp.cancel()
  }

  /** Calls back at the end of this tick. */
  awaitTick(): void {
    if (this.#isTickAwaited) return
    this.#isTickAwaited = true
    atEndOfTick(() => {
      this.#isTickAwaited = false
      this.#look()
      this.#atTick()
      const waiters = this.#tickWaiters
      this.#tickWaiters = []
      for (const run of waiters) run()
    })
  }

  /** Runs `run` after the end of this tick, with what is due on its way. */
  whenTicked(run: () => void): void {
    this.#tickWaiters.push(run)
    this.awaitTick()
  }

  #list(queue: PartitionQueue): void {
    if (queue.isListed) return
    queue.isListed = true
    this.#listed.push(queue)
  }

  /** Sends what can go, of the listed queues and of these. */
  #look(queues: readonly PartitionQueue[] = []): void {
    for (const queue of queues) this.#list(queue)
    const nowMs = performance.now()
    let round = this.#listed
    this.#listed = []
    for (const queue of round) queue.isListed = false
    const looked = round
    // One batch of each partition a round, so that none is served twice before others are once.
    while (round.length > 0) round = this.#round(round, nowMs)
    for (const queue of looked) this.#leave(queue, nowMs)
  }

  /** Returns the queues that may have another. */
  #round(queues: readonly PartitionQueue[], nowMs: number): PartitionQueue[] {
    const again: PartitionQueue[] = []
    let sendings: Sending[] = []
    let bytes = 0
    for (const queue of queues) {
      const sending = this.#sealed(queue, queue.next(nowMs, this.#flushes > 0), nowMs)
      if (sending === undefined) {
        if (queue.line.needsProducer) this.#identities.give(queue)
        continue
      }
      again.push(queue)
      const { sizeBytes } = sending.sealed
      if (sendings.length > 0 && bytes + sizeBytes > this.#requestBytesMax) {
        this.#send(sendings)
        sendings = []
        bytes = 0
      }
      sendings.push(sending)
      bytes += sizeBytes
    }
    if (sendings.length > 0) this.#send(sendings)
    return again
  }

  /** `undefined` where there is none, or where it could not be made into bytes and has failed. */
  #sealed(
    queue: PartitionQueue,
    batch: LineBatch<ProducerBatch> | undefined,
    nowMs: number,
  ): Sending | undefined {
    if (batch === undefined) return undefined
    try {
      return { queue, batch, sealed: batch.item.seal(batch.numbers) }
    } catch (thrown) {
      const error = asSpoolError(thrown)
      queue.answered(batch, answerOfFailure(error), { error }, nowMs, 0)
      // Those behind it are looked at in the next tick.
      this.#list(queue)
      this.awaitTick()
      return undefined
    }
  }

  #send(sendings: readonly Sending[]): void {
    const { acks, requestTimeoutMs } = this.#settings
    const batches = sendings.map(({ batch, sealed }) => ({ ...batch.item.place, batch: sealed }))
    this.#transport.produce({ acks, timeoutMs: requestTimeoutMs, batches }).then(
      (fates) => this.#answered(sendings, fates),
      (error) => this.#failed(sendings, asSpoolError(error)),
    )
  }

  #answered(sendings: readonly Sending[], fates: readonly BatchFate[]): void {
    const nowMs = performance.now()
    const random = Math.random()
    for (const [at, { queue, batch }] of sendings.entries()) {
      const fate = fates[at] as BatchFate
      queue.answered(batch, answerOfFate(fate), fate, nowMs, random)
    }
    this.#look(sendings.map(({ queue }) => queue))
  }

  #failed(sendings: readonly Sending[], error: SpoolError): void {
    const nowMs = performance.now()
    const random = Math.random()
    const answer = answerOfFailure(error)
    const isShared = error.code === 'REQUEST_TOO_LARGE' && sendings.length > 1
    if (isShared) this.#requestBytesMax = smaller(this.#requestBytesMax, sendings)
    for (const { queue, batch } of sendings) {
      const given = isShared ? ({ kind: 'retriable', error, isLost: false } as const) : answer
      queue.answered(batch, given, { error }, nowMs, random)
    }
    this.#look(sendings.map(({ queue }) => queue))
  }

  #leave(queue: PartitionQueue, nowMs: number): void {
    if (queue.isEmpty) {
      this.#active.delete(queue)
      if (this.#active.size === 0) this.#wakeUp.cancel()
    } else {
      this.#wakeUp.at(queue.wakeAtMs(nowMs))
    }
  }

  /** Something may be due somewhere: with a thousand partitions this is rare, and cheap enough. */
  #wake(): void {
    const nowMs = performance.now()
    for (const queue of this.#active) queue.expire(nowMs)
    this.#look([...this.#active])
  }
}

/** Half of what was too large. */
function smaller(bytesMax: number, sendings: readonly Sending[]): number {
  const bytes = sendings.reduce((sum, { sealed }) => sum + sealed.sizeBytes, 0)
  return Math.max(REQUEST_BYTES_MIN, Math.floor(Math.min(bytesMax, bytes) / 2))
}
