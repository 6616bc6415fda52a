/**
 * Which closed segments may go, decided from numbers alone. Nothing is deleted here.
 *
 *     segments (oldest first)   [ 0 ][ 100 ][ 200 ][ 300 active ]
 *     logStartOffset 120          ▲ wholly below it: goes
 *     retention.bytes               ▲ goes while what remains is still enough
 *     retention.ms                    ▲ goes when its newest record and its last append are both old
 *
 * Both, because a load of last year's log lines would otherwise be deleted at the first check. A prefix
 * of the list, always: a log has no holes. The active segment never goes; the log rolls first.
 */

export interface SegmentAge {
  readonly sizeBytes: number
  /** One past its last offset: the base of the next segment. */
  readonly nextOffset: number
  /** The youngest record timestamp in it; -1 when it has none. */
  readonly maxTimestamp: number
  /** Wall clock of the last append to it. */
  readonly lastAppendMs: number
}

export interface RetentionRule {
  /** -1: for ever. */
  readonly retentionMs: number
  /** -1: no limit. */
  readonly retentionBytes: number
  readonly logStartOffset: number
  readonly now: number
  /** False while the wall clock is not to be trusted: time retention sits out this check. */
  readonly trustsClock: boolean
}

/** How many of the closed segments, counted from the oldest, may be deleted. */
export function deletablePrefix(
  closed: readonly SegmentAge[],
  activeSizeBytes: number,
  rule: RetentionRule,
): number {
  let remainingBytes = closed.reduce((sum, segment) => sum + segment.sizeBytes, activeSizeBytes)
  let count = 0
  for (const segment of closed) {
    const withoutItBytes = remainingBytes - segment.sizeBytes
    const isBelowStart = segment.nextOffset <= rule.logStartOffset
    const isBeyondSize = rule.retentionBytes >= 0 && withoutItBytes >= rule.retentionBytes
    if (!isBelowStart && !isBeyondSize && !isExpired(segment, rule)) break
    remainingBytes = withoutItBytes
    count++
  }
  return count
}

/** Whether both the newest record and the last append of a segment are older than `retention.ms`. */
export function isExpired(
  segment: Pick<SegmentAge, 'maxTimestamp' | 'lastAppendMs'>,
  rule: RetentionRule,
): boolean {
  if (rule.retentionMs < 0 || !rule.trustsClock) return false
  const oldestKept = rule.now - rule.retentionMs
  return segment.maxTimestamp < oldestKept && segment.lastAppendMs < oldestKept
}

/** A wall clock that moved this much against the monotonic one between two checks has jumped. */
export const CLOCK_JUMP_MS = 3_600_000

/**
 * Watches the wall clock against the monotonic one. After a jump of more than an hour, either way, time
 * retention sits out one full check: the new time may be the wrong one.
 */
export class ClockWatch {
  #wallMs: number
  #monotonicMs: number

  constructor(wallMs: number, monotonicMs: number) {
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
  }

  /** Call once per check. False when the wall clock jumped since the last one. */
  isSteady(wallMs: number, monotonicMs: number): boolean {
    const driftMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs)
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    return Math.abs(driftMs) <= CLOCK_JUMP_MS
  }
}
