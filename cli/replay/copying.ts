/**
 * A replay into another topic: records keep key, value, headers and timestamp, and go to the partition of
 * their key there (or to the one of the same number) by an idempotent producer. One that the other topic
 * can not take ends the work, named, with everything before it appended.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { RecordRefusal } from '../../broker/http/records/produced-record.ts'
import { SpoolError } from '../../client/api/errors.ts'
import type { Client, Producer } from '../../client/index.ts'
import type { RecordCursor } from '../../storage/record/batch-reader.ts'
import { before } from '../produce/before.ts'
import type { Target } from '../produce/target.ts'
import { Copied } from './copied.ts'
import type { Sink } from './replaying.ts'

/** After Ctrl-C, how long to wait for what is on its way. */
const FLUSH_MS_MAX = 5_000
const MARK_MS = 100
/** After so many records it is worth looking at the clock; a power of two. */
const RECORDS_BETWEEN_LOOKS = 256

export interface CopyingOptions {
  readonly client: Client
  /** Where records come from. */
  readonly source: string
  readonly target: Target
  readonly samePartitions: boolean
  readonly requestTimeoutMs: number | undefined
  /** The first offset of each partition that was not given yet. */
  readonly nextOffsets: () => Readonly<Record<number, number>>
  /** Hears that nothing more can be copied. */
  readonly onFailure: () => void
  /** Aborted: stop. */
  readonly ending: AbortSignal
}

export class Copying implements Sink {
  readonly copied: Copied
  readonly #options: CopyingOptions
  readonly #producer: Producer<Uint8Array, Uint8Array>
  #count = 0
  #looks = 0
  #markedAtMs = 0
  readonly hasMore = false

  /** Records given to the producer. */
  get count(): number {
    return this.#count
  }

  constructor(options: CopyingOptions) {
    const { client, target, requestTimeoutMs, onFailure } = options
    this.#options = options
    this.copied = new Copied({ nextOffsets: options.nextOffsets(), records: 0 })
    const asTheyAre = { serialize: (bytes: Uint8Array) => bytes }
    this.#producer = client.producer({
      topic: target.topic,
      key: asTheyAre,
      value: asTheyAre,
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
      // Whoever closes it has waited before.
      closeTimeoutMs: 0,
      onDelivery: (delivery) => {
        this.copied.delivered(delivery)
        if (delivery.error !== undefined) onFailure()
      },
    })
  }

  put(partition: number, cursor: RecordCursor): boolean {
    this.#looks = (this.#looks + 1) & (RECORDS_BETWEEN_LOOKS - 1)
    if (this.#looks === 0 && performance.now() - this.#markedAtMs >= MARK_MS) this.mark()
    const placed = this.#placed(partition, cursor)
    const hasRoom = this.#producer.enqueue(placed)
    this.copied.take(placed.partition)
    this.#count += 1
    return hasRoom
  }

  async room(): Promise<void> {
    await before(this.#options.ending, this.#producer.room())
  }

  /** The producer lets nothing wait; before a wait is a good moment to mark how far it is. */
  async flush(): Promise<void> {
    if (performance.now() - this.#markedAtMs >= MARK_MS) this.mark()
  }

  /** Every record that the replay is past was given to the producer, and no other. */
  mark(): void {
    this.#markedAtMs = performance.now()
    this.copied.mark({ nextOffsets: this.#options.nextOffsets(), records: this.#count })
  }

  /** Waits for all that was given, and after an interruption for a while more. */
  async finish(): Promise<void> {
    const { ending } = this.#options
    this.mark()
    const flushed = this.#producer.flush()
    await before(ending, flushed)
    if (ending.aborted && this.copied.failure === undefined) {
      const late = new AbortController()
      await Promise.race([flushed, sleep(FLUSH_MS_MAX, undefined, late).catch(() => {})])
      late.abort()
    }
    void this.#producer.close()
  }

  #placed(partition: number, cursor: RecordCursor) {
    const { target, source, samePartitions } = this.#options
    const record = {
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headerCount === 0 ? [] : cursor.headers(),
      partition: samePartitions ? partition : -1,
      timestamp: cursor.timestamp,
    }
    try {
      for (const { name } of record.headers) checkName(name)
      // Without a key it stays together with those it was with.
      return target.place(record, partition % target.partitions, Date.now())
    } catch (error) {
      if (!(error instanceof RecordRefusal)) throw error
      throw new SpoolError(
        error.code,
        `${source}/${partition}/${cursor.offset} can not be appended to ${target.topic}: ${error.message}`,
        { outcome: 'refused', extensions: { partition, nextOffset: cursor.offset + 1 } },
      )
    }
  }
}

/** A producer takes names as text. */
function checkName(name: Buffer): void {
  if (Buffer.from(name.toString()).equals(name)) return
  throw new RecordRefusal('INVALID_RECORD', 'it has a header whose name is no UTF-8')
}
