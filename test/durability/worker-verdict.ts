/**
 * Judges the history of a group's workers.
 *
 * A member holds a partition from the answer that told it so, as long as no answer left it out and none got
 * lost. Every later sign that it holds it (an accepted commit, an answer that names it again) must not come
 * from after the moment at which another member was told that it holds it:
 *
 *     a  told ├──────────── commit accepted ────────────── commit accepted: zombie-commit
 *     b                                       told ├──────
 *
 * Times are compared only where one event was over before the other began, so nothing here depends on how
 * fast anything was. What is about time is `worker-liveness.ts`.
 */

import { Findings, type GroupAnomaly } from './worker-anomalies.ts'
import type { WorkerEvent, WorkerHistory } from './worker-history.ts'
import { checkLiveness, type LivenessLimits, type LongestTimes } from './worker-liveness.ts'

export interface GroupVerdict {
  readonly counts: Record<GroupAnomaly, number>
  /** The first few of each, with the values that matter. */
  readonly examples: readonly string[]
  readonly accepted: number
  readonly refused: number
  /** Records given to some worker, and how often one was given that had been given before. */
  readonly records: number
  readonly again: number
  readonly longest: LongestTimes
}

export function judgeWorkers(history: WorkerHistory, limits: LivenessLimits): GroupVerdict {
  const found = new Findings()
  const events = [...history.events].sort((a, b) => timeOf(a) - timeOf(b))
  checkHolding(events, found)
  checkOffsets(events, found)
  const longest = checkLiveness(events, limits, found)
  checkSkips(events, history.given, found)
  const commits = events.filter((event) => event.kind === 'commit')
  const accepted = commits.filter(({ isAccepted }) => isAccepted).length
  const counts = history.given.flat()
  const records = counts.filter((count) => count > 0).length
  return {
    counts: found.counts,
    examples: found.examples,
    accepted,
    refused: commits.length - accepted,
    records,
    again: counts.reduce((sum, count) => sum + count, 0) - records,
    longest,
  }
}

function timeOf(event: WorkerEvent): number {
  return 'endedAt' in event ? event.endedAt : event.at
}

/** Who was told when that it holds a partition. */
interface Grant {
  readonly member: string
  readonly at: number
}

function checkHolding(events: readonly WorkerEvent[], found: Findings): void {
  const grants = new Map<number, Grant[]>()
  const held = new Map<string, Map<number, Grant>>()
  /** Also of what the member was told to let go of: it may commit until somebody else has it. */
  const lastHeld = new Map<string, Map<number, Grant>>()
  /** The first other member that was told so after `since`, and before `at`. */
  const intruder = (partition: number, { member, at: since }: Grant, at: number) =>
    grants
      .get(partition)
      ?.find((grant) => grant.member !== member && grant.at > since && grant.at <= at)
  for (const event of events) {
    if (event.kind === 'break') {
      held.delete(event.member)
      lastHeld.delete(event.member)
    }
    if (event.kind === 'assignment') {
      const { member, partitions, invokedAt, endedAt } = event
      const before = held.get(member)
      const now = new Map<number, Grant>()
      for (const partition of partitions) {
        const grant = before?.get(partition) ?? { member, at: endedAt }
        now.set(partition, grant)
        if (grant.at === endedAt) {
          const ofPartition = grants.get(partition) ?? []
          grants.set(partition, [...ofPartition, grant])
        }
        const other = intruder(partition, grant, invokedAt)
        if (other !== undefined) {
          const sentence = `${partition} is ${member}'s since ${grant.at}, as it was told again at ${invokedAt}; ${other.member} was told so at ${other.at}`
          found.add('double-owner', sentence)
        }
      }
      held.set(member, now)
      lastHeld.set(member, new Map([...(lastHeld.get(member) ?? []), ...now]))
    }
    if (event.kind !== 'commit' || !event.isAccepted) continue
    const { member, partition, invokedAt, isGhost } = event
    const grant = lastHeld.get(member)?.get(partition)
    const other = grant && intruder(partition, grant, invokedAt)
    if (isGhost || other !== undefined) {
      const since = other === undefined ? '' : `, which ${other.member} has since ${other.at}`
      found.add('zombie-commit', `${member} committed ${partition} at ${invokedAt}${since}`)
    }
  }
}

function checkOffsets(events: readonly WorkerEvent[], found: Findings): void {
  type Bound = { readonly offset: number; readonly at: number; readonly crashes: number }
  const crashes = events.flatMap((event) =>
    event.kind === 'broker' && !event.isUp ? event.at : [],
  )
  const crashesBefore = (at: number) => crashes.filter((crash) => crash < at).length
  const bounds = new Map<number, Bound[]>()
  const raise = (partition: number, offset: number, at: number) => {
    const known = bounds.get(partition) ?? []
    bounds.set(partition, known)
    if (offset > (known.at(-1)?.offset ?? -1)) {
      known.push({ offset, at, crashes: crashesBefore(at) })
    }
  }
  for (const event of events) {
    if (event.kind === 'commit' && event.isAccepted) {
      raise(event.partition, event.offset, event.endedAt)
    }
    if (event.kind !== 'look') continue
    for (const [partition, seen] of event.offsets.entries()) {
      const bound = bounds.get(partition)?.findLast(({ at }) => at <= event.invokedAt)
      if (bound !== undefined && (seen ?? -1) < bound.offset) {
        const isCrash = crashesBefore(event.invokedAt) > bound.crashes
        const sentence = `${partition} was ${bound.offset} at ${bound.at}, and is ${seen} at ${event.invokedAt}`
        found.add(isCrash ? 'lost-commit' : 'committed-offset-regression', sentence)
      }
      if (seen !== null) raise(partition, seen, event.endedAt)
    }
  }
}

function checkSkips(
  events: readonly WorkerEvent[],
  given: readonly (readonly number[])[],
  found: Findings,
): void {
  for (const [partition, counts] of given.entries()) {
    let reached = 0
    for (const event of events) {
      if (event.kind === 'commit' && event.isAccepted && event.partition === partition) {
        reached = Math.max(reached, event.offset)
      }
      if (event.kind === 'look') reached = Math.max(reached, event.offsets[partition] ?? 0)
    }
    for (let offset = 0; offset < reached; offset++) {
      if ((counts[offset] ?? 0) === 0) found.add('poll-skip', `${partition}/${offset}`)
    }
  }
}
