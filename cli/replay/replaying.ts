/**
 * The loop of a replay: the next record of the merge, whether it is wanted, when it is due, where it goes.
 * Waits only where there is something to wait for; while it does, whatever was given goes out.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordFilter } from '../../broker/http/records/record-filter.ts'
import type { RecordCursor } from '../../storage/record/batch-reader.ts'
import type { Merge } from './merge.ts'
import type { Pacing } from './pacing.ts'

/** Where records go. */
export interface Sink {
  /** Takes the record; false: wait for `room` before the next. */
  put(partition: number, cursor: RecordCursor): boolean
  room(): Promise<void>
  /** True where something is collected that has not gone out. */
  readonly hasMore: boolean
  /** Lets go out what is collected. */
  flush(): Promise<void>
}

export interface ReplayingOptions {
  readonly merge: Merge
  readonly filter: RecordFilter | undefined
  /** `undefined`: as fast as it goes. */
  readonly pacing: Pacing | undefined
  readonly sink: Sink
  /** Aborted, `run` rejects with its reason. */
  readonly signal: AbortSignal
}

/** Timers know no longer time. */
const SLEEP_MS_MAX = 3_600_000

/** Until everything was given to the sink. Rejects with what the readers do, what the sink throws, or the signal's reason. */
export async function replay(options: ReplayingOptions): Promise<void> {
  const { merge, filter, pacing, sink, signal } = options
  do {
    while (merge.hasRecord) {
      const { cursor } = merge
      if (filter === undefined || filter(cursor)) {
        const { timestamp } = cursor
        // No promise for a record that need not wait.
        if (pacing !== undefined && pacing.waitMs(timestamp, performance.now()) > 0) {
          await whenDue(pacing, timestamp, options)
        }
        const hasRoom = sink.put(merge.partition, cursor)
        pacing?.taken(performance.now())
        merge.advance()
        if (hasRoom) continue
        await sink.room()
        signal.throwIfAborted()
      } else merge.advance()
    }
  } while (await readyOrFlushed(merge, sink))
}

async function whenDue(
  pacing: Pacing,
  timestamp: number,
  { sink, signal }: ReplayingOptions,
): Promise<void> {
  await sink.flush()
  for (;;) {
    signal.throwIfAborted()
    const waitMs = pacing.waitMs(timestamp, performance.now())
    if (waitMs === 0) return
    await sleep(Math.min(waitMs, SLEEP_MS_MAX), undefined, { signal }).catch(() => {})
  }
}

/** What was given waits no longer than the next record lets wait for itself. */
async function readyOrFlushed(merge: Merge, sink: Sink): Promise<boolean> {
  const ready = merge.ready()
  if (sink.hasMore) {
    const first = await Promise.race([ready, afterThisTurn()])
    if (first === undefined) {
      // A rejection belongs to the await below.
      ready.catch(() => {})
      await sink.flush()
    }
  }
  return await ready
}

function afterThisTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}
