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
 * fast anything was, but for `orphan-partition`, which is about time.
 */

import type { WorkerEvent, WorkerHistory } from './worker-history.ts'

export const GROUP_ANOMALIES = {
  'double-owner': 'a member was told it has a partition that another one was given meanwhile',
  'zombie-commit': 'a commit was accepted from somebody whose partition was another’s by then',
  'orphan-partition': 'no living member had it for longer than session and rebalance time-out',
  'committed-offset-regression': 'a committed offset was less than before, and nothing had crashed',
  'lost-commit': 'an acknowledged commit was not there after a crash',
  'poll-skip': 'a record below a committed offset that no worker was given',
} as const

export type GroupAnomaly = keyof typeof GROUP_ANOMALIES

export interface GroupVerdict {
  readonly counts: Record<GroupAnomaly, number>
  /** The first few of each, with the values that matter. */
  readonly examples: readonly string[]
  readonly accepted: number
  readonly refused: number
  /** Records given to some worker, and how often one was given that had been given before. */
  readonly records: number
  readonly again: number
}

const EXAMPLES_MAX = 5

export function judgeWorkers(history: WorkerHistory, orphanMsMax: number): GroupVerdict {
  const found = new Findings()
  const events = [...history.events].sort((a, b) => timeOf(a) - timeOf(b))
  checkHolding(events, found)
  checkOffsets(events, found)
  checkOrphans(events, orphanMsMax, found)
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
  }
}

export function noGroupAnomalies(): Record<GroupAnomaly, number> {
  const names = Object.keys(GROUP_ANOMALIES) as GroupAnomaly[]
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<GroupAnomaly, number>
}

class Findings {
  readonly counts = noGroupAnomalies()
  readonly examples: string[] = []

  add(name: GroupAnomaly, sentence: string): void {
    if (this.counts[name]++ < EXAMPLES_MAX) this.examples.push(`${name}: ${sentence}`)
  }
}

function timeOf(event: WorkerEvent): number {
  if ('endedAt' in event) return event.endedAt
  return 'at' in event ? event.at : event.invokedAt
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
    if (event.kind !== 'offsets') continue
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

function checkOrphans(events: readonly WorkerEvent[], orphanMsMax: number, found: Findings): void {
  const deaths = new Map<string, number>()
  const without = new Map<number, number>()
  let upAt = 0
  for (const event of events) {
    if (event.kind === 'death') deaths.set(event.member, event.at)
    if (event.kind === 'broker' && event.isUp) {
      // Sessions begin anew.
      upAt = event.at
      without.clear()
    }
    if (event.kind !== 'owners') continue
    for (const [partition, owner] of event.owners.entries()) {
      const diedAt = owner === null ? event.invokedAt : deaths.get(owner)
      if (diedAt === undefined) {
        without.delete(partition)
        continue
      }
      const since = without.get(partition) ?? Math.max(diedAt, upAt)
      without.set(partition, since)
      if (event.invokedAt - since <= orphanMsMax) continue
      const whose = owner === null ? 'nobody' : `${owner}, which died at ${diedAt},`
      const forMs = Math.round(event.invokedAt - since)
      found.add('orphan-partition', `${whose} has ${partition}: ${forMs} ms without a living owner`)
      // Told once, and counted again when it lasts as long again.
      without.set(partition, event.invokedAt)
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
      if (event.kind === 'offsets') reached = Math.max(reached, event.offsets[partition] ?? 0)
    }
    for (let offset = 0; offset < reached; offset++) {
      if ((counts[offset] ?? 0) === 0) found.add('poll-skip', `${partition}/${offset}`)
    }
  }
}
