/** What the suites of `spool consume -G` share: topics whose values are numbered, and how far a group has read. */

import type { Client } from '../../client/index.ts'
import { committedOf } from '../client/consumer/group-rig.ts'

/** Records `TOPIC 0`, `TOPIC 1`, … spread over the partitions in turn. */
export async function topicOf(
  client: Client,
  name: string,
  partitions: number,
  records: number,
): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  await append(client, name, partitions, 0, records)
}

export async function append(
  client: Client,
  name: string,
  partitions: number,
  from: number,
  to: number,
): Promise<void> {
  await using producer = client.producer({ topic: name })
  const numbers = Array.from({ length: to - from }, (_, at) => from + at)
  await producer.sendMany(
    numbers.map((at) => ({ partition: at % partitions, value: `${name} ${at}` })),
  )
}

export function valuesOf(name: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, at) => `${name} ${from + at}`).sort()
}

export function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1)
}

/** Of all partitions. */
export async function committedBy(client: Client, group: string): Promise<number> {
  const offsets = await committedOf(client, group)
  return offsets.reduce<number>((sum, offset) => sum + (offset ?? 0), 0)
}

export async function isEmpty(client: Client, group: string): Promise<boolean> {
  return (await client.admin.describeGroup(group)).state === 'empty'
}
