/** What the suites of `spool groups …` share: topics that groups have read so far, and rows as a script reads them. */

import type { Client } from '../../client/index.ts'
import type { Ended } from '../rigs/spool-command.ts'

/** A topic with `records` in each partition, one a minute since the beginning of 2025. */
export async function topicWith(
  client: Client,
  name: string,
  partitions: number,
  records: number,
): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  await using producer = client.producer({ topic: name })
  const begin = Date.parse('2025-01-01T00:00:00Z')
  for (let partition = 0; partition < partitions; partition++) {
    const values = Array.from({ length: records }, (_, at) => at)
    await producer.sendMany(
      values.map((at) => ({ partition, value: `${at}`, timestamp: begin + at * 60_000 })),
    )
  }
}

/** Commits these offsets of a topic, by partition. */
export async function commit(
  client: Client,
  group: string,
  topic: string,
  offsets: readonly number[],
): Promise<void> {
  const committed = offsets.map((offset, partition) => ({ topic, partition, offset }))
  await client.admin.commitGroupOffsets(group, committed)
}

export function rowsOf({ stdout }: Ended): string[][] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((row) => row.split('\t'))
}
