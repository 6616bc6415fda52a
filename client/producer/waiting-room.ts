/**
 * Records given to `send` while the buffer is full, in the order they came: each until there is room, its
 * time is up, its signal is aborted or the producer gives up. One timer for all of them, which wait
 * equally long.
 */

import type { SpoolError } from '../api/errors.ts'
import type { AbortListeners } from './abort-listeners.ts'
import { Fifo } from './fifo.ts'
import { asSpoolError } from './line-answer.ts'
import type { OneSent } from './record-owners.ts'
import type { SendingContext } from './sending-context.ts'
import type { HeldRecord, TopicQueue } from './topic-queue.ts'
import { WakeUp } from './wake-up.ts'

interface Waiter {
  readonly record: HeldRecord
  readonly topic: TopicQueue
  readonly owner: OneSent
  /** From the ledger, and from its signal. */
  readonly takeBacks: (() => void)[]
  isGone: boolean
}

export class WaitingRoom {
  readonly #context: SendingContext
  readonly #aborts: AbortListeners
  readonly #waiters = new Fifo<Waiter>()
  readonly #exhausted: () => SpoolError
  readonly #wakeUp = new WakeUp(() => this.#expire())

  /** `exhausted` is what a record fails with that has waited too long. */
  constructor(context: SendingContext, aborts: AbortListeners, exhausted: () => SpoolError) {
    this.#context = context
    this.#aborts = aborts
    this.#exhausted = exhausted
  }

  enter(
    record: HeldRecord,
    topic: TopicQueue,
    owner: OneSent,
    signal: AbortSignal | undefined,
  ): void {
    const { ledger } = this.#context
    const waiter: Waiter = { record, topic, owner, takeBacks: [], isGone: false }
    ledger.begin(record.generation)
    this.#waiters.push(waiter)
    this.#wakeUp.at(record.deadlineMs)
    waiter.takeBacks.push(ledger.whenRoom(() => this.#place(waiter)))
    if (signal === undefined) return
    waiter.takeBacks.push(this.#aborts.add(signal, () => this.#fail(waiter, signal.reason)))
  }

  /** All that wait fail with `reason`. */
  abandon(reason: SpoolError): void {
    for (let waiter = this.#first(); waiter !== undefined; waiter = this.#first()) {
      this.#fail(waiter, reason)
    }
    this.#wakeUp.cancel()
  }

  #place(waiter: Waiter): void {
    const { record, topic, owner } = waiter
    this.#leave(waiter)
    try {
      topic.putHeld(record)
    } catch (error) {
      owner.failed(asSpoolError(error))
    }
    this.#context.ledger.end(record.generation)
  }

  #fail(waiter: Waiter, reason: unknown): void {
    this.#leave(waiter)
    waiter.owner.failed(reason)
    this.#context.ledger.end(waiter.record.generation)
  }

  #leave(waiter: Waiter): void {
    waiter.isGone = true
    for (const takeBack of waiter.takeBacks) takeBack()
    if (this.#first() === undefined) this.#wakeUp.cancel()
  }

  /** The longest waiting. */
  #first(): Waiter | undefined {
    while (this.#waiters.first?.isGone === true) this.#waiters.shift()
    return this.#waiters.first
  }

  #expire(): void {
    const nowMs = performance.now()
    for (let waiter = this.#first(); waiter !== undefined; waiter = this.#first()) {
      if (waiter.record.deadlineMs > nowMs) {
        this.#wakeUp.at(waiter.record.deadlineMs)
        return
      }
      this.#fail(waiter, this.#exhausted())
    }
  }
}
