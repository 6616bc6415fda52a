/** What can be wrong with a group's workers, by name, and a collection of what was found. Judges nothing. */

export const GROUP_ANOMALIES = {
  'double-owner': 'a member was told it has a partition that another one was given meanwhile',
  'zombie-commit': 'a commit was accepted from somebody whose partition was another’s by then',
  'orphan-partition':
    'records to read, and no living worker was given the partition for longer than session and rebalance time-out',
  'immortal-member':
    'a member was there for longer than its session time-out after its worker had died',
  'stuck-partition': 'a living worker had it, others went on, and nothing of it was committed',
  'committed-offset-regression': 'a committed offset was less than before, and nothing had crashed',
  'lost-commit': 'an acknowledged commit was not there after a crash',
  'poll-skip': 'a record below a committed offset that no worker was given',
} as const

export type GroupAnomaly = keyof typeof GROUP_ANOMALIES

const EXAMPLES_MAX = 5

export function noGroupAnomalies(): Record<GroupAnomaly, number> {
  const names = Object.keys(GROUP_ANOMALIES) as GroupAnomaly[]
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<GroupAnomaly, number>
}

export class Findings {
  readonly counts = noGroupAnomalies()
  /** The first few of each, with the values that matter. */
  readonly examples: string[] = []

  add(name: GroupAnomaly, sentence: string): void {
    if (this.counts[name]++ < EXAMPLES_MAX) this.examples.push(`${name}: ${sentence}`)
  }
}
