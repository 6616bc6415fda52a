/**
 * Appends the batches of one request and waits for what its `acks` ask. All are handed to their logs in
 * one go, before any acknowledgement is awaited, so that their order is the order of arrival; each has its
 * own fate. What a client is told of the fates is its route's.
 */

import { setImmediate } from 'node:timers/promises'
import { SpoolError, withOutcome } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'
import { Deadlines } from '../../partition/deadlines.ts'
import type { Durability } from '../../partition/durability.ts'
import type { Acks, Partition, PartitionAppend } from '../../partition/partition.ts'
import type { ReplicaManager } from '../../partition/replica-manager.ts'

export interface BatchToAppend {
  readonly topic: string
  readonly topicId?: string | undefined
  readonly partition: number
  /** Exactly one batch; patched in place. */
  readonly bytes: Buffer
}

/** What became of one batch: offsets, or an error that says its outcome. */
export type BatchFate = AppendedBatch | FailedBatch

export interface AppendedBatch {
  readonly partition: number
  readonly append: PartitionAppend
  /** -1 where acks=0: nobody waited. */
  readonly inSyncReplicas: number
  readonly durability: Durability
  readonly error?: undefined
}

export interface FailedBatch {
  readonly partition: number
  readonly error: SpoolError
}

export interface AppendWish {
  readonly acks: Acks
  readonly timeoutMs: number
  readonly expectOffset?: number | undefined
}

/** Begun, and not yet known to be durable. */
interface BegunBatch {
  readonly partition: Partition
  readonly append: PartitionAppend
}

/**
 * After so long everybody else has a turn. Requests of honest size never get there; one of 32 MiB can
 * hold ten thousand batches of which each decompresses to 64 MiB, and would stop the broker for minutes.
 */
const TURN_MS_MAX = 50
/**
 * Batches of one request that may be found too large, mostly when they are decompressed: each takes up to
 * a tenth of a second to find, and a body holds thousands. Those that follow are refused unread.
 */
const TOO_LARGE_MAX = 64

export class BatchAppender {
  readonly #replicas: ReplicaManager
  readonly #clock: Clock
  readonly #deadlines: Deadlines

  constructor(replicas: ReplicaManager, clock: Clock) {
    this.#replicas = replicas
    this.#clock = clock
    this.#deadlines = new Deadlines(clock)
  }

  /** The fates of the batches, in their order. Never rejects. */
  async append(batches: readonly BatchToAppend[], wish: AppendWish): Promise<BatchFate[]> {
    const fates: Promise<BatchFate>[] = []
    let tooLarge = 0
    let turnEndsMs = this.#clock.monotonicMs() + TURN_MS_MAX
    for (const batch of batches) {
      if (this.#clock.monotonicMs() > turnEndsMs) {
        await setImmediate()
        turnEndsMs = this.#clock.monotonicMs() + TURN_MS_MAX
      }
      const begun = tooLarge < TOO_LARGE_MAX ? this.#begin(batch, wish) : refusedUnread(batch)
      if ('error' in begun && begun.error.code === 'MESSAGE_TOO_LARGE') tooLarge += 1
      fates.push(this.#settle(begun, wish))
    }
    return Promise.all(fates)
  }

  /** As `append`, of one. */
  appendOne(batch: BatchToAppend, wish: AppendWish): Promise<BatchFate> {
    return this.#settle(this.#begin(batch, wish), wish)
  }

  #begin(batch: BatchToAppend, wish: AppendWish): BegunBatch | FailedBatch {
    try {
      const partition = this.#replicas.partition(batch.topic, batch.partition)
      if (batch.topicId !== undefined) partition.checkTopicId(batch.topicId)
      const append = partition.appendAsLeader(
        batch.bytes,
        wish.expectOffset === undefined
          ? { acks: wish.acks }
          : { acks: wish.acks, expectOffset: wish.expectOffset },
      )
      return { partition, append }
    } catch (error) {
      return { partition: batch.partition, error: withOutcome(error, 'refused') }
    }
  }

  #settle(begun: BegunBatch | FailedBatch, { acks, timeoutMs }: AppendWish): Promise<BatchFate> {
    if ('error' in begun) return Promise.resolve(begun)
    const { partition, append } = begun
    const number = partition.partition
    const done = (durability: Durability, inSyncReplicas: number): AppendedBatch => {
      return { partition: number, append, durability, inSyncReplicas }
    }
    if (acks === 0) return Promise.resolve(done('written', -1))
    return new Promise((resolve) => {
      const deadline = this.#deadlines.add(timeoutMs, () =>
        resolve({ partition: number, error: timedOut(partition, timeoutMs) }),
      )
      append.acknowledged.then(
        (durability) => {
          this.#deadlines.cancel(deadline)
          resolve(done(durability, partition.inSyncReplicas.length))
        },
        (error) => {
          this.#deadlines.cancel(deadline)
          resolve({ partition: number, error: withOutcome(error, 'unknown') })
        },
      )
    })
  }
}

function refusedUnread({ partition }: BatchToAppend): FailedBatch {
  const detail = `${TOO_LARGE_MAX} batches of this request are too large; this one was not looked at`
  return { partition, error: new SpoolError('LIMIT_EXCEEDED', detail, { outcome: 'refused' }) }
}

function timedOut(partition: Partition, timeoutMs: number): SpoolError {
  return new SpoolError(
    'REQUEST_TIMED_OUT',
    `no acknowledgement from ${partition.topic}-${partition.partition} within ${timeoutMs} ms; the records may or may not be there`,
    { outcome: 'unknown' },
  )
}

const DURABILITIES: readonly Durability[] = [
  'written',
  'flushed',
  'replicated',
  'replicated-flushed',
]

/** The weaker of two durabilities; either may be unknown yet. */
export function weaker(one: Durability | undefined, other: Durability): Durability {
  if (one === undefined) return other
  return DURABILITIES.indexOf(one) <= DURABILITIES.indexOf(other) ? one : other
}
