/** Compares what a reader was given with the log as it is in the end. Pure. */

import { crc32 } from 'node:zlib'
import type { ReadEntry } from './campaign-readers.ts'
import type { LoggedRecord } from './send-history.ts'

export const READ_ANOMALIES = {
  missed: 'in the log, and never given',
  repeated: 'given a second time',
  disordered: 'given after a later one of its partition',
  vanished: 'given, and not in the log in the end',
  altered: 'given with another value than is in the log',
} as const

export type ReadAnomaly = keyof typeof READ_ANOMALIES

export interface ReadVerdict {
  readonly counts: Readonly<Record<ReadAnomaly, number>>
  /** Some of them in words. */
  readonly examples: readonly string[]
}

const EXAMPLES_MAX = 10

export function noAnomalies(): Record<ReadAnomaly, number> {
  return { missed: 0, repeated: 0, disordered: 0, vanished: 0, altered: 0 }
}

/** `who` names the reader in examples; logs by partition. */
export function checkReading(
  who: string,
  given: readonly (readonly ReadEntry[])[],
  logs: readonly (readonly LoggedRecord[])[],
): ReadVerdict {
  const counts = noAnomalies()
  const examples: string[] = []
  const note = (anomaly: ReadAnomaly, partition: number, offset: number) => {
    counts[anomaly] += 1
    if (examples.length < EXAMPLES_MAX) {
      examples.push(`${anomaly}: ${partition}/${offset} (${who})`)
    }
  }
  for (const [partition, log] of logs.entries()) {
    const values = new Map(log.map(({ offset, value }) => [offset, crc32(value)]))
    const seen = new Set<number>()
    let highest = -1
    for (const { offset, checksum } of given[partition] ?? []) {
      if (seen.has(offset)) note('repeated', partition, offset)
      else if (offset < highest) note('disordered', partition, offset)
      seen.add(offset)
      highest = Math.max(highest, offset)
      const expected = values.get(offset)
      if (expected === undefined) note('vanished', partition, offset)
      else if (expected !== checksum) note('altered', partition, offset)
    }
    for (const offset of values.keys()) if (!seen.has(offset)) note('missed', partition, offset)
  }
  return { counts, examples }
}
