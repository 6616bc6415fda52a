/**
 * Judges what the workers of a group did, by their journals, what was committed when somebody looked, and
 * what the log holds in the end.
 *
 *     tenure of a partition   assigned ├── begun, done, begun … ──┤ revoked, lost, or the process is dead
 */

import type { ConsumerEvent, Places } from './consumer-journal.ts'

export const CONSUMER_ANOMALIES = {
  missed: 'a record that nobody was done with',
  disordered: 'within a tenure, a record that was not the next one',
  'after-revocation':
    'a record begun after its partition had been given up, or before it was assigned',
  'double-owner': 'a record begun while another had the partition, by one that gave it up in order',
  overdue: 'a partition given up while a record of it was in hand, by a worker that is not slow',
  'lost-commit': 'an offset committed before everything below it was done',
  'committed-offset-regression':
    'a tenure that began, or an offset that was seen, below what had been committed before',
} as const

export type ConsumerAnomaly = keyof typeof CONSUMER_ANOMALIES

export interface WorkerJournal {
  readonly worker: string
  readonly events: readonly ConsumerEvent[]
}

/** What was committed, by partition, when somebody looked. Everything done by then is in the journals. */
export interface CommittedLook {
  /** When the question was asked, and when the answer was there. */
  readonly askedAt: number
  readonly at: number
  readonly offsets: readonly (number | null)[]
}

export interface ConsumerVerdict {
  readonly counts: Record<ConsumerAnomaly, number>
  readonly examples: readonly string[]
  /** Records done, counted once, and how often one was done that had been done before. */
  readonly done: number
  readonly again: number
  readonly tenures: number
}

interface Tenure {
  readonly worker: string
  readonly partition: number
  readonly from: number
  readonly beginsAt: number
  endsAt: number
  isLost: boolean
  readonly begun: { readonly offset: number; readonly at: number }[]
}

const EXAMPLES_MAX = 5

export function judgeConsumers(
  journals: readonly WorkerJournal[],
  looks: readonly CommittedLook[],
  /** The end of each partition. */
  ends: readonly number[],
): ConsumerVerdict {
  const found = new Findings()
  const tenures = journals.flatMap((journal) => tenuresOf(journal, found))
  for (const tenure of tenures) checkOrder(tenure, found)
  checkOwners(tenures, found)
  const done = doneTimes(journals)
  checkCommits(journals, looks, done, found)
  const boundAt = boundOf(commitsOf(journals, looks))
  checkBeginnings(tenures, boundAt, found)
  checkLooks(looks, boundAt, found)
  for (const [partition, end] of ends.entries()) {
    for (let offset = 0; offset < end; offset++) {
      if (!done.first.has(keyOf(partition, offset))) found.add('missed', `${partition}/${offset}`)
    }
  }
  const { counts, examples } = found
  const again = done.total - done.first.size
  return { counts, examples, done: done.first.size, again, tenures: tenures.length }
}

export function noConsumerAnomalies(): Record<ConsumerAnomaly, number> {
  const names = Object.keys(CONSUMER_ANOMALIES) as ConsumerAnomaly[]
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<ConsumerAnomaly, number>
}

class Findings {
  readonly counts = noConsumerAnomalies()
  readonly examples: string[] = []

  add(name: ConsumerAnomaly, sentence: string): void {
    if (this.counts[name]++ < EXAMPLES_MAX) this.examples.push(`${name}: ${sentence}`)
  }
}

function tenuresOf({ worker, events }: WorkerJournal, found: Findings): Tenure[] {
  const all: Tenure[] = []
  const open = new Map<number, Tenure>()
  const end = (places: Places, at: number, isLost: boolean) => {
    for (const [partition] of places) {
      const tenure = open.get(partition) ?? all.findLast((it) => it.partition === partition)
      if (tenure === undefined) continue
      tenure.endsAt = Math.min(tenure.endsAt, at)
      tenure.isLost ||= isLost
      open.delete(partition)
    }
  }
  for (const { kind, at, places } of events) {
    if (kind === 'revoked') end(places, at, false)
    if (kind === 'lost' || kind === 'overdue') end(places, at, true)
    for (const [partition, offset] of places) {
      if (kind === 'overdue') found.add('overdue', `${partition} by ${worker} at ${at}`)
      if (kind === 'assigned') {
        const tenure = { worker, partition, from: offset, beginsAt: at, endsAt: Infinity }
        open.set(partition, { ...tenure, isLost: false, begun: [] })
        all.push(open.get(partition)!)
      }
      if (kind !== 'begun') continue
      const tenure = open.get(partition)
      if (tenure === undefined) found.add('after-revocation', `${partition}/${offset} by ${worker}`)
      else tenure.begun.push({ offset, at })
    }
  }
  return all
}

function checkOrder({ worker, partition, from, begun }: Tenure, found: Findings): void {
  let next = from
  for (const { offset } of begun) {
    if (offset !== next) {
      found.add('disordered', `${worker} had ${partition}/${next} before it, was given ${offset}`)
    }
    next = offset + 1
  }
}

/** Who lost a partition may not have known it yet; who gave it up in order must have known. */
function checkOwners(tenures: readonly Tenure[], found: Findings): void {
  for (const tenure of tenures) {
    if (tenure.isLost) continue
    const others = tenures.filter(
      ({ partition, worker, beginsAt }) =>
        partition === tenure.partition && worker !== tenure.worker && beginsAt > tenure.beginsAt,
    )
    const first = Math.min(...others.map(({ beginsAt }) => beginsAt))
    const late = tenure.begun.find(({ at }) => at > first)
    if (late === undefined) continue
    const { worker, partition } = tenure
    found.add(
      'double-owner',
      `${worker} began ${partition}/${late.offset} at ${late.at}, another had it since ${first}`,
    )
  }
}

function keyOf(partition: number, offset: number): string {
  return `${partition}/${offset}`
}

/** When each record was done first, and how often any was. */
function doneTimes(journals: readonly WorkerJournal[]) {
  const first = new Map<string, number>()
  let total = 0
  for (const { events } of journals) {
    for (const { kind, at, places } of events) {
      if (kind !== 'done') continue
      for (const [partition, offset] of places) {
        total++
        const key = keyOf(partition, offset)
        first.set(key, Math.min(at, first.get(key) ?? Infinity))
      }
    }
  }
  return { first, total }
}

function checkCommits(
  journals: readonly WorkerJournal[],
  looks: readonly CommittedLook[],
  done: { readonly first: ReadonlyMap<string, number> },
  found: Findings,
): void {
  const doneAt = (partition: number, offset: number) =>
    done.first.get(keyOf(partition, offset)) ?? Infinity
  for (const [partition, commits] of byPartition(commitsOf(journals, looks))) {
    // By offset: when everything below was done, and which of it last.
    let [allDoneAt, last, next] = [-Infinity, -1, 0]
    for (const { offset, at } of commits.sort((a, b) => a.offset - b.offset)) {
      for (; next < offset; next++) {
        if (doneAt(partition, next) > allDoneAt) [allDoneAt, last] = [doneAt(partition, next), next]
      }
      if (allDoneAt <= at) continue
      const when = allDoneAt === Infinity ? 'never done' : `done at ${allDoneAt}`
      found.add(
        'lost-commit',
        `${partition} was committed up to ${offset} at ${at}; ${last} was ${when}`,
      )
    }
  }
}

interface SeenCommit {
  readonly partition: number
  readonly offset: number
  readonly at: number
}

function commitsOf(
  journals: readonly WorkerJournal[],
  looks: readonly CommittedLook[],
): SeenCommit[] {
  const told = journals.flatMap(({ events }) =>
    events.flatMap(({ kind, at, places }) =>
      kind === 'committed' ? places.map(([partition, offset]) => ({ partition, offset, at })) : [],
    ),
  )
  const seen = looks.flatMap(({ at, offsets }) =>
    offsets.map((offset, partition) => ({ partition, offset: offset ?? 0, at })),
  )
  return [...told, ...seen]
}

function byPartition(commits: readonly SeenCommit[]): Map<number, SeenCommit[]> {
  return Map.groupBy(commits, ({ partition }) => partition)
}

/** The furthest that is known to have been committed in a partition before some time. */
type Bound = (partition: number, before: number) => number

function boundOf(commits: readonly SeenCommit[]): Bound {
  const rises = new Map<number, { at: number; offset: number }[]>()
  for (const [partition, seen] of byPartition(commits)) {
    const risen: { at: number; offset: number }[] = []
    for (const { at, offset } of seen.sort((a, b) => a.at - b.at)) {
      if (offset > (risen.at(-1)?.offset ?? 0)) risen.push({ at, offset })
    }
    rises.set(partition, risen)
  }
  return (partition, before) => rises.get(partition)?.findLast(({ at }) => at < before)?.offset ?? 0
}

function checkBeginnings(tenures: readonly Tenure[], boundAt: Bound, found: Findings): void {
  // Only who holds a partition commits, and who is given it is given what was committed last.
  for (const { worker, partition, from, beginsAt } of tenures) {
    const bound = boundAt(partition, beginsAt)
    if (from >= bound) continue
    const sentence = `${worker} began ${partition} at ${from}; ${bound} was committed before`
    found.add('committed-offset-regression', sentence)
  }
}

/** Nobody in the trial goes back on purpose. */
function checkLooks(looks: readonly CommittedLook[], boundAt: Bound, found: Findings): void {
  for (const { askedAt, offsets } of looks) {
    for (const [partition, offset] of offsets.entries()) {
      const bound = boundAt(partition, askedAt)
      if ((offset ?? 0) >= bound) continue
      const sentence = `${partition} was committed up to ${bound}, and up to ${offset} when somebody asked at ${askedAt}`
      found.add('committed-offset-regression', sentence)
    }
  }
}
