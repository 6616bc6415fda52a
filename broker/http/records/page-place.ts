/**
 * What a page says of its places: how far it came, in its document, and the link to the page after it.
 * Of one partition that is offsets; of a whole topic it is a cursor.
 */

import { positionTime } from '../../../client/api/positions.ts'
import { queryTextOf } from '../add-route.ts'
import { type Cursor, encodeCursor } from './cursor.ts'
import type { Page } from './page.ts'
import type { PlaceReached } from './page-turns.ts'
import type { ReadPlan } from './read-plan.ts'

/** The members of a page's document after its records. */
export type PageTail = (page: Page) => object

/** One partition: `{nextOffset, highWatermark, logStartOffset}`. */
export function partitionTail({ places }: Page): object {
  return progress(places[0]!)
}

/** A topic: `{cursor, partitions}`. */
export function topicTail(page: Page): object {
  const partitions = page.places.map((place) => ({
    partition: place.partition.partition,
    ...progress(place),
  }))
  return { cursor: encodeCursor(cursorOf(page)), partitions }
}

function progress({ partition, nextOffset }: PlaceReached) {
  const { highWatermark, logStartOffset } = partition
  return { nextOffset, highWatermark, logStartOffset }
}

/**
 * The cursor after a page. With `keepsEnds` it also says where the reading ends, as that was found when it
 * began: `until=latest` means the same on every page that a link leads to.
 */
export function cursorOf({ places, turn }: Page, keepsEnds = false): Cursor {
  return {
    topicId: places[0]!.partition.topicId,
    places: places.map(({ partition, nextOffset, endOffset }) => ({
      partition: partition.partition,
      nextOffset,
      ...(keepsEnds && Number.isFinite(endOffset) ? { endOffset } : {}),
    })),
    isEnd: false,
    turn,
  }
}

/** The request that a link repeats. */
export interface LinkedRequest {
  /** As it was asked for: path and query. */
  readonly url: string
  readonly plan: ReadPlan
  /** True: all partitions of the topic. */
  readonly isTopic: boolean
}

/**
 * The value of the header `Link` that leads to the page after this one: the same request, but for where it
 * begins, with `until` as it was meant. `undefined` after the page that reached its end, so that who
 * follows the links comes to an end.
 */
export function nextLink(page: Page, { url, plan, isTopic }: LinkedRequest): string | undefined {
  const { places, now } = page
  if (places.every(({ nextOffset, endOffset }) => nextOffset >= endOffset)) return undefined
  const query = new URLSearchParams(queryTextOf(url))
  query.delete('from')
  query.delete('cursor')
  if (plan.until?.kind === 'ago') query.set('until', `@${positionTime(plan.until, now)}`)
  if (isTopic) query.set('cursor', encodeCursor(cursorOf(page, plan.until !== undefined)))
  else setOffsets(query, places[0]!, plan)
  return `<${url.split('?', 1)[0]}?${query}>; rel="next"`
}

/** The place in one partition, in words that a person can read and change. */
function setOffsets(query: URLSearchParams, place: PlaceReached, plan: ReadPlan): void {
  const { partition, nextOffset, endOffset } = place
  query.set('from', String(nextOffset))
  if (Number.isFinite(endOffset)) query.set('until', String(endOffset))
  // The cursor it came with named the topic by its id.
  if (plan.cursor !== undefined) query.set('topicId', partition.topicId)
}
