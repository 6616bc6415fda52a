/**
 * Reads topics together with the other consumers of a group: each partition has one of them, and what is
 * done is committed. At least once: what was not committed when a consumer ended is read again. Owns that
 * one loop at a time reads; a consumer that no loop reads is no member of its group.
 */

import { type ErrorCode, SpoolError } from '../api/errors.ts'
import type { ClientContext } from '../client-context.ts'
import { offsetsAsker } from '../reader/ask-offsets.ts'
import { type PositionLike, positionOf, positionText } from '../reader/position-text.ts'
import type { ReadBatch } from '../reader/read-batch.ts'
import { ReadLoop, type Taker } from '../reader/read-loop.ts'
import type { ReadRecord } from '../reader/read-record.ts'
import { Attempts } from './attempts.ts'
import {
  type ConsumerOptions,
  type ConsumerSettings,
  consumerSettings,
} from './consumer-options.ts'
import { ConsumerSession } from './consumer-session.ts'
import { GroupBatchTaker, GroupRecordTaker } from './consumer-takers.ts'
import { DeadLetterOffice } from './dead-letters.ts'
import type { HeldPartition } from './held-partition.ts'
import { offsetsGiven, type ToCommit } from './offsets-given.ts'
import { type Handler, type RunOptions, runSettings } from './run-options.ts'
import { Runner } from './runner.ts'
import { takenAway } from './taken-away.ts'
import { within } from './within.ts'
import type { Worker } from './worker.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A partition that a consumer holds. */
export interface HeldPlace extends TopicPartition {
  /** The next offset to be given. */
  readonly position: number
  readonly isPaused: boolean
}

/** What reads now. */
interface OpenLoop<K, V> {
  readonly session: ConsumerSession<K, V>
  /** Ends it where it is. */
  end(): Promise<void>
}

export class Consumer<K = string | Uint8Array, V = unknown>
  implements AsyncIterable<ReadRecord<K, V>>, AsyncDisposable
{
  readonly group: string
  readonly #context: ClientContext
  readonly #settings: ConsumerSettings<K, V>
  #loop: OpenLoop<K, V> | undefined
  #closed: Promise<void> | undefined

  /** @internal Made by `client.consumer`. */
  constructor(context: ClientContext, options: ConsumerOptions<K, V>) {
    this.#context = context
    this.#settings = consumerSettings(options)
    this.group = this.#settings.group
  }

  /**
   * Record after record, in order within each partition. A record counts as done when the loop asks for the
   * next one; one that the loop was left with (`break`, an error in its body) is read again. The first
   * record asked for joins the group; the end of the loop, whatever it is, commits and leaves.
   *
   * Waits out a broker that is away, and joins again by itself when it was fenced. A loop that has a record
   * in hand for longer than `maxPollIntervalMs` is out of its group until it asks for the next. Rejects with `SpoolError`
   * when the group refuses it, with CORRUPT_MESSAGE for a batch that can not be read, with what a hook
   * threw, or with the signal's reason.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReadRecord<K, V>, void, void> {
    return this.#newLoop((session) => new GroupRecordTaker(session))
  }

  /** Batch after batch, each as the broker stored it; each counts as done as a whole. */
  batches(): AsyncIterableIterator<ReadBatch<K, V>, void, void> {
    return this.#newLoop((session) => new GroupBatchTaker(session))
  }

  /**
   * Calls `handler` for record after record, waiting for what it returns: of each partition one at a time,
   * in order, and of `concurrency` partitions at a time. A record is done when the handler is; when it
   * throws, `retry` and `deadLetter` say what happens, and without them `run` rejects with what it threw.
   *
   * Resolves when the consumer was closed; otherwise ends as a loop does.
   */
  run(handler: Handler<ReadRecord<K, V>>): Promise<void>
  run(options: RunOptions, handler: Handler<ReadRecord<K, V>>): Promise<void>
  run(first: RunOptions | Handler<ReadRecord<K, V>>, second?: Handler<ReadRecord<K, V>>) {
    return this.#run(false, first, second)
  }

  /**
   * As `run`, with whole batches: each is done, attempted again, or among the dead letters, as a whole; but
   * where the handler throws a `RecordFailure`, that is about the record it names: those before it are done,
   * and those after it come again.
   */
  runBatches(handler: Handler<ReadBatch<K, V>>): Promise<void>
  runBatches(options: RunOptions, handler: Handler<ReadBatch<K, V>>): Promise<void>
  runBatches(first: RunOptions | Handler<ReadBatch<K, V>>, second?: Handler<ReadBatch<K, V>>) {
    return this.#run(true, first, second)
  }

  /**
   * Commits everything up to and including a record or a batch, or each of several; or offsets, each the
   * next to read. Records at or below what is committed are no news. Without arguments, all that is done: of
   * each partition what comes before the record or batch in hand.
   *
   * @throws SpoolError FENCED_MEMBER_EPOCH when a partition is not this consumer's any more, or was rewound
   * since the record was given; whatever else the broker refuses with.
   */
  async commit(...given: [] | [done: ToCommit]): Promise<void> {
    const session = this.#openSession()
    const offsets = given.length === 0 ? session.allDone() : offsetsGiven(given[0], session.held)
    await session.committer.commit(offsets)
  }

  /** As the group knows it, while a loop or a run reads; another one for each. */
  get memberId(): string | undefined {
    return this.#loop?.session.memberId
  }

  /** The partitions that it holds now, and where it is in each. */
  assignment(): HeldPlace[] {
    const { session } = this.#loop ?? {}
    session?.settle()
    return [...(session?.held ?? [])].map(({ topic, partition, tracker, isPaused }) => {
      return { topic, partition, position: tracker.position, isPaused }
    })
  }

  /**
   * Gives nothing of these until they are resumed, or assigned anew. Those that it does not hold are left
   * alone: they may have gone a moment ago.
   */
  pause(partitions: Iterable<TopicPartition>): void {
    const { session } = this.#loop ?? {}
    for (const held of this.#heldOf(partitions)) session?.pause(held)
  }

  resume(partitions: Iterable<TopicPartition>): void {
    const { session } = this.#loop ?? {}
    for (const held of this.#heldOf(partitions)) session?.resume(held)
  }

  /**
   * Goes on elsewhere in a partition that it holds: at an offset, or any other position. What is in hand of
   * it is not committed any more; the next commit sets what is committed to the sought place, also back, and
   * it rises from there. Others of the group, and this one after it joined anew, begin at what is
   * committed: `admin.resetGroupOffsets` moves that.
   *
   * @throws SpoolError FENCED_MEMBER_EPOCH when the partition is not this consumer's.
   */
  async seek(topic: string, partition: number, position: PositionLike): Promise<void> {
    const session = this.#openSession()
    const wanted = positionOf(position, 'position')
    const held = session.held.named(topic, partition)
    if (held === undefined || held.isLeaving) throw takenAway({ topic, partition })
    const offset = wanted.kind === 'offset' ? wanted.offset : await this.#offsetAt(held, position)
    if (held.isGone || held.isLeaving) throw takenAway(held)
    session.seek(held, offset)
  }

  /**
   * Ends the loop, or the run, that reads, without an error: at its next step, with what it has in hand done
   * then, as ever. Waits for nothing, so it may be called from anywhere: from within the loop, a handler, a
   * hook. Another loop may begin once that one has ended.
   */
  stop(): void {
    const loop = this.#loop
    if (loop === undefined) return
    loop.session.stop()
    // It is asking for the next one already, or is still joining. What it rejects with, the loop does too.
    if (!loop.session.isInHand) loop.end().catch(() => {})
  }

  /**
   * As `stop`, for good, and waits until everything that is done is committed and the group was left; for
   * what is in hand as long as `closeTimeoutMs`. To be called from outside: within the loop or a handler it
   * would wait for itself, so there `break`, or `stop()`. Idempotent.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const loop = this.#loop
    if (loop !== undefined) {
      const { session } = loop
      const endsAtMs = performance.now() + this.#settings.closeTimeoutMs
      session.stop()
      if (session.isInHand) await within(session.whenClosed, endsAtMs)
      await loop.end()
    }
    this.#context.forget(this)
  }

  #newLoop<T>(takerOf: (session: ConsumerSession<K, V>) => Taker<T> & Worker<K, V>): ReadLoop<T> {
    const loop = new ReadLoop<T>({
      signal: this.#settings.signal,
      open: async (signal) => {
        const { session } = this.#begin(() => loop.end())
        const taker = takerOf(session)
        await session.start(taker, signal)
        return taker
      },
    })
    return loop
  }

  async #run<T>(
    isOfBatches: boolean,
    first: RunOptions | Handler<T>,
    second: Handler<T> | undefined,
  ): Promise<void> {
    const [options, handler] = typeof first === 'function' ? [{}, first] : [first, second]
    if (typeof handler !== 'function') throw refused('INVALID_CONFIG', 'run is given no handler')
    const { concurrency, retry, deadLetter } = runSettings(options, this.#settings.topics)
    const { signal } = this.#settings
    signal?.throwIfAborted()
    const ending = new AbortController()
    const abort = () => ending.abort(signal?.reason)
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    let isEnded = false
    const { session } = this.#begin(() => {
      isEnded ||= !ending.signal.aborted
      ending.abort()
      return ended
    })
    signal?.addEventListener('abort', abort, { once: true })
    const { closeTimeoutMs } = this.#settings
    const office =
      deadLetter && new DeadLetterOffice(this.#context, this.group, deadLetter, closeTimeoutMs)
    const runner = new Runner({
      ...this.#settings,
      session,
      attempts: new Attempts<K, V, T>({ handler, retry, office, patience: session.patience }),
      isOfBatches,
      concurrency,
    })
    try {
      await runner.run(ending.signal)
      signal?.throwIfAborted()
    } catch (error) {
      // Ended while it was still joining: that is no failure.
      if (!isEnded || error !== ending.signal.reason) throw error
    } finally {
      signal?.removeEventListener('abort', abort)
      try {
        await office?.close()
      } finally {
        end()
      }
    }
  }

  #begin(end: () => Promise<void>): OpenLoop<K, V> {
    if (this.#closed !== undefined) throw refused('CLIENT_CLOSED', 'the consumer was closed')
    if (this.#loop !== undefined) {
      throw refused(
        'INVALID_REQUEST',
        'a loop reads with this consumer already: end it first (break, return()), or make another consumer',
      )
    }
    const loop = { session: new ConsumerSession(this.#context, this.#settings), end }
    this.#loop = loop
    // Hooks that are called on the way out may still commit.
    void loop.session.whenClosed.then(() => {
      if (this.#loop === loop) this.#loop = undefined
    })
    return loop
  }

  #openSession(): ConsumerSession<K, V> {
    if (this.#loop !== undefined) return this.#loop.session
    throw refused('FENCED_MEMBER_EPOCH', 'no loop reads with this consumer: it is in no group now')
  }

  #heldOf(partitions: Iterable<TopicPartition>): HeldPartition<K, V>[] {
    const { held } = this.#loop?.session ?? {}
    return [...partitions].flatMap((it) => held?.named(it.topic, it.partition) ?? [])
  }

  async #offsetAt(held: HeldPartition<K, V>, position: PositionLike): Promise<number> {
    const { topic, topicId, partition } = held
    const timeoutMs = this.#context.settings.requestTimeoutMs
    const signal = this.#context.closed
    const ask = offsetsAsker(this.#context, topic, { timeoutMs, signal })
    const answer = await ask(positionText(position, 'position'))
    const found = answer.partitions.find((it) => it.partition === partition)
    if (answer.topicId !== topicId || found === undefined) throw takenAway(held)
    return found.offset
  }
}

function refused(code: ErrorCode, detail: string): SpoolError {
  return new SpoolError(code, detail, { outcome: 'refused' })
}
