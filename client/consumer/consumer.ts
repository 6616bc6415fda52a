/**
 * Reads topics together with the other consumers of a group: each partition has one of them, and what is
 * done is committed. At least once: what was not committed when a consumer ended is read again. One loop at
 * a time reads (`loop-slot.ts`), as a member of its own; a consumer that no loop reads is no member of its group.
 */

import { SpoolError } from '../api/errors.ts'
import type { ClientContext } from '../client-context.ts'
import type { PositionLike } from '../reader/position-text.ts'
import type { ReadBatch } from '../reader/read-batch.ts'
import { ReadLoop, type Taker } from '../reader/read-loop.ts'
import type { ReadRecord } from '../reader/read-record.ts'
import {
  type ConsumerOptions,
  type ConsumerSettings,
  consumerSettings,
} from './consumer-options.ts'
import { ConsumerSession } from './consumer-session.ts'
import { GroupBatchTaker, GroupRecordTaker } from './consumer-takers.ts'
import { HandlerRun } from './handler-run.ts'
import type { TopicPartition } from './held-partition.ts'
import { LoopSlot } from './loop-slot.ts'
import { offsetsGiven, type ToCommit } from './offsets-given.ts'
import { type Handler, type RunOptions, runSettings } from './run-options.ts'
import type { Worker } from './worker.ts'

/** A partition that a consumer holds. */
export interface HeldPlace extends TopicPartition {
  /** The next offset to be given. */
  readonly position: number
  readonly isPaused: boolean
}

export class Consumer<K = string | Uint8Array, V = unknown>
  implements AsyncIterable<ReadRecord<K, V>>, AsyncDisposable
{
  readonly group: string
  readonly #context: ClientContext
  readonly #settings: ConsumerSettings<K, V>
  readonly #slot: LoopSlot<K, V>

  /** @internal Made by `client.consumer`. */
  constructor(context: ClientContext, options: ConsumerOptions<K, V>) {
    this.#context = context
    this.#settings = consumerSettings(options)
    this.group = this.#settings.group
    this.#slot = new LoopSlot(
      () => new ConsumerSession(context, this.#settings),
      this.#settings.closeTimeoutMs,
    )
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
    const session = this.#slot.openSession()
    const offsets = given.length === 0 ? session.allDone() : offsetsGiven(given[0], session.held)
    await session.committer.commit(offsets)
  }

  /** As the group knows it, while a loop or a run reads; another one for each. */
  get memberId(): string | undefined {
    return this.#slot.session?.memberId
  }

  /** The partitions that it holds now, and where it is in each. */
  assignment(): HeldPlace[] {
    const { session } = this.#slot
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
    this.#slot.session?.steering.pause(partitions)
  }

  resume(partitions: Iterable<TopicPartition>): void {
    this.#slot.session?.steering.resume(partitions)
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
    await this.#slot.openSession().steering.seek(topic, partition, position)
  }

  /**
   * Ends the loop, or the run, that reads, without an error: at its next step, with what it has in hand done
   * then, as ever. Waits for nothing, so it may be called from anywhere: from within the loop, a handler, a
   * hook. Another loop may begin once that one has ended.
   */
  stop(): void {
    this.#slot.stop()
  }

  /**
   * As `stop`, for good, and waits until everything that is done is committed and the group was left; for
   * what is in hand as long as `closeTimeoutMs`. To be called from outside: within the loop or a handler it
   * would wait for itself, so there `break`, or `stop()`. Idempotent.
   */
  async close(): Promise<void> {
    await this.#slot.close()
    this.#context.forget(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #newLoop<T>(takerOf: (session: ConsumerSession<K, V>) => Taker<T> & Worker<K, V>): ReadLoop<T> {
    const loop = new ReadLoop<T>({
      signal: this.#settings.signal,
      open: async (signal) => {
        const session = this.#slot.begin(() => loop.end())
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
    if (typeof handler !== 'function') {
      throw new SpoolError('INVALID_CONFIG', 'run is given no handler', { outcome: 'refused' })
    }
    const [context, settings] = [this.#context, this.#settings]
    const given = runSettings(options, settings.subscription.topics)
    const run = new HandlerRun<K, V, T>({ context, settings, handler, isOfBatches, ...given })
    settings.signal?.throwIfAborted()
    await run.work(this.#slot.begin(() => run.end()))
  }
}
