/**
 * After a crash a log may end before what a group has committed of it: commits are synced before they are
 * acknowledged, and a topic may be set to sync later (`flush.messages`). The group then goes back to where the
 * log ends, before anybody writes there: a worker would skip what comes to stand below its commit. Pure.
 *
 *     committed 100 │ the power goes │ log ends at 90 │ 90…95 are written │ read from 90, not from 100 or 96
 */

import type { CommittedOffset, ResetTarget } from './group-event.ts'

/** What recovery kept of a log. */
export interface KeptLog {
  readonly logStartOffset: number
  readonly logEndOffset: number
}

/** `undefined`: a partition that is not here, or whose log can not be used. */
export type KeptLogs = (place: {
  readonly topicId: string
  readonly partition: number
}) => KeptLog | undefined

/** The reset that takes the group back; empty where it has nothing to go back from. */
export function lostEnds(committed: readonly CommittedOffset[], kept: KeptLogs): ResetTarget[] {
  const targets: ResetTarget[] = []
  for (const { topic, topicId, partition, offset } of committed) {
    const log = kept({ topicId, partition })
    if (log === undefined || offset <= log.logEndOffset) continue
    targets.push({ topic, partition, to: { offset: log.logEndOffset }, ...log })
  }
  return targets
}
