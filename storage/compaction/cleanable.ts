/**
 * What of a log is to be compacted, whether it is worth it, and which segments are made into one: decided
 * from numbers alone.
 *
 *     segments        [ 0 ][ 100 ][ 200 ][ 300 ][ 400 ][ 500 active ]
 *     first dirty 200  │clean      │dirty        │
 *     too young                                  ▲ 400: min.compaction.lag.ms
 *     looked at                    └─ 200–399 ──┘    for the last offset of every key
 *     made anew        └──────────── 0–399 ─────┘    without what these replace
 *
 * Dirty is what no compaction has looked at. The active segment is never looked at: what it holds may
 * still be taken back, and a record must not go because of one that was never there.
 */

/** A closed segment. */
export interface ClosedSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
}

export interface Dirt {
  /** Of the segments below the first dirty offset, and of the others that can be compacted. */
  readonly cleanBytes: number
  readonly dirtyBytes: number
}

/**
 * Splits `segments`, the closed ones that may be compacted, at `firstDirty`; the one that holds it is
 * dirty as a whole. `endOffset` is where they end.
 */
export function dirtOf(
  segments: readonly ClosedSegment[],
  firstDirty: number,
  endOffset: number,
): Dirt {
  let cleanBytes = 0
  let dirtyBytes = 0
  for (const [index, { sizeBytes }] of segments.entries()) {
    const nextOffset = segments[index + 1]?.baseOffset ?? endOffset
    if (nextOffset <= firstDirty) cleanBytes += sizeBytes
    else dirtyBytes += sizeBytes
  }
  return { cleanBytes, dirtyBytes }
}

/** The dirty part of what can be compacted: 0 to 1. */
export function dirtyRatio({ cleanBytes, dirtyBytes }: Dirt): number {
  return dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes)
}

/**
 * Segments that follow each other, in groups that each become one of at most `bytesMax`, so that those that
 * shrank do not stay as many. One that is larger is a group by itself.
 */
export function groupsOf<T extends ClosedSegment>(
  segments: readonly T[],
  endOffset: number,
  limits: { readonly bytesMax: number; readonly offsetsMax: number },
): T[][] {
  const groups: T[][] = []
  let group: T[] = []
  let groupBytes = 0
  for (const [index, segment] of segments.entries()) {
    const nextOffset = segments[index + 1]?.baseOffset ?? endOffset
    const isFull = groupBytes + segment.sizeBytes > limits.bytesMax
    const reachesFar = nextOffset - (group[0]?.baseOffset ?? nextOffset) > limits.offsetsMax
    if (group.length > 0 && (isFull || reachesFar)) {
      groups.push(group)
      group = []
      groupBytes = 0
    }
    group.push(segment)
    groupBytes += segment.sizeBytes
  }
  if (group.length > 0) groups.push(group)
  return groups
}
