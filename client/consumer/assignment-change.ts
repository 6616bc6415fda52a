/**
 * What an assignment changes for a member: which partitions are new to it, and which are asked back. Pure.
 *
 * The broker's answer has all that the member may read now. What it holds and does not find there is asked
 * back: it works on until it says, by leaving it out of `owned`, that it let go. Until then the broker
 * never gives the partition to anybody, also not to this member again.
 */

import type { AssignedPartition } from '../api/schemas/groups.ts'
import { idOf, type PlaceToRead } from './held-partition.ts'

interface Held {
  readonly topicId: string
  readonly partition: number
  /** Asked back already. */
  readonly isLeaving: boolean
}

export interface AssignmentChange<H> {
  readonly gained: readonly PlaceToRead[]
  readonly askedBack: readonly H[]
}

export function assignmentChange<H extends Held>(
  held: Iterable<H>,
  assignment: readonly AssignedPartition[],
): AssignmentChange<H> {
  const assigned = new Map(assignment.map((place) => [idOf(place), place]))
  const askedBack: H[] = []
  for (const each of held) {
    const isKept = assigned.delete(idOf(each))
    if (!isKept && !each.isLeaving) askedBack.push(each)
  }
  return { gained: [...assigned.values()].filter(isReadable), askedBack }
}

/** Without an offset the broker can not serve it now: it is taken when it can. */
function isReadable(place: AssignedPartition): place is PlaceToRead {
  return place.offset !== undefined
}
