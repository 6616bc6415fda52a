/** Members, partitions and lag in words. Pure. */

import type { GroupDescription, GroupOffset, GroupPartition } from '../../client/index.ts'
import { counted, countForPeople, durationForPeople } from '../numbers.ts'

/** `access 0-3,5; clicks 0`. */
export function partitionsWord(places: readonly GroupPartition[]): string {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of places) {
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition])
  }
  return [...byTopic]
    .map(([topic, partitions]) => `${topic} ${numbersWord(partitions)}`)
    .sort()
    .join('; ')
}

/** `0-3,5`, as `-p` reads it. */
export function numbersWord(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = []
  for (const number of numbers.toSorted((one, other) => one - other)) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] + 1 === number) run[1] = number
    else runs.push([number, number])
  }
  return runs.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(',')
}

/** Enough of the random part of an id to tell members apart. */
const SHORT_CHARACTERS = 8

/** What to call members in a narrow column: the name they gave themselves, or as little as tells them apart. */
export function shortNames(members: GroupDescription['members']): ReadonlyMap<string, string> {
  const shorts = members.map(({ memberId }) => memberId.slice(0, SHORT_CHARACTERS))
  const areDistinct = new Set(shorts).size === shorts.length
  return new Map(
    members.map(({ memberId, instanceId }, at) => [
      memberId,
      instanceId ?? (areDistinct ? shorts[at]! : memberId),
    ]),
  )
}

export interface Lag {
  readonly lag: number
  readonly lagMsMax: number
}

/** Over all partitions. */
export function lagOf(offsets: readonly GroupOffset[]): Lag {
  let lag = 0
  let lagMsMax = 0
  for (const each of offsets) {
    lag += each.lag ?? 0
    lagMsMax = Math.max(lagMsMax, each.lagMs ?? 0)
  }
  return { lag, lagMsMax }
}

/** `1,234 records behind in 2 of 4 partitions, at most 3 min 20 s`. */
export function lagSentence(offsets: readonly GroupOffset[]): string {
  if (offsets.length === 0) return 'it has committed nothing and reads nothing'
  const { lag, lagMsMax } = lagOf(offsets)
  const partitions = counted(offsets.length, 'partition')
  if (lag === 0) return `at the end of ${partitions}`
  const late = offsets.filter((each) => (each.lag ?? 0) > 0).length
  const where = late === offsets.length ? partitions : `${countForPeople(late)} of ${partitions}`
  return `${counted(lag, 'record')} behind in ${where}, at most ${durationForPeople(lagMsMax)}`
}
