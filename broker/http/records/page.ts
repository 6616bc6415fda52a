/**
 * A page of one partition, of all partitions of a topic, or of what a member of a group has: up to `limit`
 * records that pass the filter, out of at most `maxBytes` of batches (one at least), waiting for the first of
 * them if the request allows. The page is written while it is read (`page-body.ts`); whose records come when is
 * `page-turns.ts`, what it says of its places `page-place.ts`.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'
import type { Purgatory } from '../../partition/purgatory.ts'
import { waitForAppends } from '../../partition/wait-for-appends.ts'
import type { PageBody } from './page-body.ts'
import type { PageTail } from './page-place.ts'
import { PageTurns, type PlaceReached } from './page-turns.ts'
import type { ReadPlace } from './read-places.ts'
import type { PagePlan } from './read-plan.ts'

export interface Page {
  readonly places: readonly PlaceReached[]
  /** The partition to begin the next page with. */
  readonly turn: number
  /** The wall clock, as times were resolved by it. */
  readonly now: number
}

export interface PageOptions {
  readonly plan: PagePlan
  /** Where the page begins and ends in each partition, as of that wall clock time; in the same order for every page. */
  places(now: number): Promise<readonly ReadPlace[]>
  readonly body: PageBody
  readonly tail: PageTail
  readonly clock: Clock
  readonly purgatory: Purgatory
  readonly maxDecompressedBytes: number
  /** Aborted when nobody waits for the page any more: it is then given as it is. */
  readonly signal: AbortSignal
  /** Told how much memory the page takes with all it is made from; throws where that is too much. */
  readonly hold: (bytes: number) => void
}

/**
 * Reads the page; `bytes` is its document. Throws SpoolError: those of `places`, and INVALID_RECORD
 * when the first record found can not be shown as asked, with the place after it as a page has it.
 */
export async function readPage(options: PageOptions): Promise<Page & { readonly bytes: Buffer }> {
  const { plan, clock, purgatory, signal, body, tail } = options
  const now = clock.now()
  const deadlineMs = clock.monotonicMs() + plan.waitMs
  const turns = new PageTurns(await options.places(now), options)
  const page = () => ({ places: turns.places(), turn: turns.turn, now })
  try {
    for (;;) {
      await turns.fill()
      const leftMs = deadlineMs - clock.monotonicMs()
      if (turns.isDone || leftMs <= 0 || signal.aborted) break
      if (!(await waitForAppends(purgatory, turns.unfinished(), leftMs, signal))) break
    }
  } catch (error) {
    if (!(error instanceof SpoolError) || error.code !== 'INVALID_RECORD') throw error
    const extensions = { ...error.extensions, ...tail(page()) }
    throw new SpoolError(error.code, error.detail, { extensions, cause: error })
  }
  const read = page()
  return { ...read, bytes: body.finish(tail(read)) }
}
