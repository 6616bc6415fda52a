/**
 * A thousand groups that commit ten partitions each, all the time: commits a second, the broker's memory, and
 * how soon after kill -9 the groups are there again.
 */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createTopic, startBroker, TOPIC } from '../broker-under-test.ts'
import { runClient } from '../child.ts'
import type { GroupCommitsAnswer, GroupCommitsTask } from '../clients/group-commits.ts'
import type { Measure, Scenario, TrialContext } from '../scenario.ts'

const GROUPS = 1_000
const PARTITIONS = 10
/** In each partition. */
const RECORDS = 1_000
const CONNECTIONS = [16, 64]
const WARM_UP_SECONDS_MAX = 2
const MIB = 1024 * 1024

async function measured(context: TrialContext, connections: number): Promise<Measure[]> {
  const { directory, seconds, scale } = context
  const groups = Math.max(connections, Math.round(GROUPS * scale))
  const dataDir = join(directory, 'data')
  await using broker = await startBroker(dataDir)
  await createTopic(broker.url, PARTITIONS)
  await write(broker.url)
  const emptyMiB = broker.memoryMiB()
  const answer = await runClient<GroupCommitsAnswer>('clients/group-commits.ts', {
    port: broker.port,
    topic: TOPIC,
    groups,
    partitions: PARTITIONS,
    records: RECORDS,
    connections,
    warmUpSeconds: Math.min(seconds, WARM_UP_SECONDS_MAX),
    seconds,
  } satisfies GroupCommitsTask)
  const memoryMiB = broker.memoryMiB()
  await broker.kill()
  await using again = await startBroker(dataDir)
  const groupsAfterMs = again.readyAfterMs + (await allGroupsAfterMs(again.url, groups))
  return [
    { name: 'requests', value: answer.requests / answer.seconds, unit: '1/s' },
    {
      name: 'partitions committed',
      value: (answer.requests * PARTITIONS) / answer.seconds,
      unit: '1/s',
    },
    { name: 'latency, median', value: answer.latencyMsMedian, unit: 'ms' },
    { name: 'latency, 99 %', value: answer.latencyMs99, unit: 'ms' },
    { name: 'memory, empty', value: emptyMiB, unit: 'MiB' },
    { name: 'memory, committing', value: memoryMiB, unit: 'MiB' },
    { name: '__consumer_offsets', value: offsetsBytes(dataDir) / MIB, unit: 'MiB' },
    { name: 'ready after kill -9', value: again.readyAfterMs, unit: 'ms' },
    { name: 'groups there after', value: groupsAfterMs, unit: 'ms' },
    { name: 'memory, loaded', value: again.memoryMiB(), unit: 'MiB' },
  ]
}

async function write(url: string): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const path = `/v1/topics/${TOPIC}/records?body=lines&partition=${partition}`
    const body = 'x\n'.repeat(RECORDS)
    const { ok, status } = await fetch(url + path, { method: 'POST', body })
    if (!ok) throw new Error(`writing what is to be committed: ${status}`)
  }
}

/** The list answers when the last partition of groups is loaded. */
async function allGroupsAfterMs(url: string, groups: number): Promise<number> {
  const askedAt = performance.now()
  const response = await fetch(`${url}/v1/groups?limit=1000`)
  const { groups: found } = (await response.json()) as { groups: unknown[] }
  if (found.length !== Math.min(groups, GROUPS)) throw new Error(`${found.length} groups are there`)
  return performance.now() - askedAt
}

function offsetsBytes(dataDir: string): number {
  const directories = readdirSync(dataDir).filter((name) => name.startsWith('__consumer_offsets-'))
  const files = directories.flatMap((name) =>
    readdirSync(join(dataDir, name)).map((file) => join(dataDir, name, file)),
  )
  return files
    .filter((path) => path.endsWith('.log'))
    .reduce((sum, path) => sum + statSync(path).size, 0)
}

export const scenario: Scenario = {
  name: 'groups',
  sentence: `${GROUPS} groups, each committing ${PARTITIONS} partitions a request; acknowledged after fdatasync`,
  trials: CONNECTIONS.map((connections) => ({
    name: `${connections} connections`,
    run: (context) => measured(context, connections),
  })),
}
