/**
 * Everything that is tried, in order: groups of cases on the one broker, floods on the same broker, worlds
 * of their own. And how a group is sent: several cases at once.
 */

import type { BrokerUnderAttack } from './broker-under-attack.ts'
import { BATCHES, COMPRESSION } from './cases/batches.ts'
import { BROWSERS } from './cases/browsers.ts'
import { CURSORS } from './cases/cursors.ts'
import { BODY_TYPES, JSON_RECORDS, TOPIC_DOCUMENTS } from './cases/documents.ts'
import { CONSUMER_GROUPS } from './cases/groups.ts'
import { CONTINUE, LARGE_HEADS, NOT_HTTP, SMUGGLING } from './cases/heads.ts'
import { FETCH_MEANING, PRODUCE_MEANING, PRODUCERS } from './cases/meaning.ts'
import { FRAMING, PACKED_BODIES } from './cases/packed.ts'
import { SLOW, UPLOADS } from './cases/slow.ts'
import { STREAMS } from './cases/streams.ts'
import { PATHS, QUERIES } from './cases/targets.ts'
import type { Flood } from './flood-rig.ts'
import type { CaseGroup } from './hostile-case.ts'
import { type CaseResult, sendCase } from './send-case.ts'

export const GROUPS: readonly CaseGroup[] = [
  NOT_HTTP,
  SMUGGLING,
  LARGE_HEADS,
  CONTINUE,
  BROWSERS,
  PATHS,
  QUERIES,
  CURSORS,
  STREAMS,
  JSON_RECORDS,
  BODY_TYPES,
  TOPIC_DOCUMENTS,
  PACKED_BODIES,
  FRAMING,
  BATCHES,
  COMPRESSION,
  PRODUCE_MEANING,
  PRODUCERS,
  FETCH_MEANING,
  CONSUMER_GROUPS,
  SLOW,
  UPLOADS,
]

const CASES_AT_ONCE = 8

/** What one group or flood did to the broker. */
export interface Outcome {
  readonly results: readonly CaseResult[]
  /** What is wrong with the broker afterwards, whatever was answered. */
  readonly after: readonly string[]
  readonly peakMiB: number
  readonly afterMiB: number
}

export async function runGroup(broker: BrokerUnderAttack, { cases }: CaseGroup): Promise<Outcome> {
  const results: CaseResult[] = []
  let next = 0
  const sendSome = async () => {
    for (let at = next++; at < cases.length; at = next++) {
      results[at] = await sendCase(broker.port, cases[at]!)
    }
  }
  return observed(broker, async () => {
    await Promise.all(Array.from({ length: CASES_AT_ONCE }, sendSome))
    return results
  })
}

export function runFlood(broker: BrokerUnderAttack, flood: Flood): Promise<Outcome> {
  return observed(broker, async () => [{ name: flood.name, ...(await flood.run(broker)) }])
}

async function observed(
  broker: BrokerUnderAttack,
  work: () => Promise<readonly CaseResult[]>,
): Promise<Outcome> {
  const { result: results, peakMiB } = await broker.peakDuring(work)
  return { results, peakMiB, after: await broker.problems(), afterMiB: broker.memoryMiB() }
}
