/** What the reader's suites stand on: both doors of the client, and topics with known records. */

import { type Client, connect as connectNode } from '../../../client/index.ts'
import { connect as connectWeb } from '../../../client/web.ts'

export interface Door {
  readonly name: string
  readonly connect: typeof connectNode
}

export const NODE: Door = { name: 'Node', connect: connectNode }
export const FETCH: Door = { name: 'fetch', connect: connectWeb }

/** The suites run over each. */
export const DOORS: readonly Door[] = [NODE, FETCH]

export interface Written {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

let topics = 0

export async function newTopic(
  client: Client,
  partitions = 1,
  config: Record<string, string | number> = {},
): Promise<string> {
  const name = `topic-${topics++}`
  await client.admin.createTopic({ name, partitions, config: { 'retention.ms': -1, ...config } })
  return name
}

/** Records `value 0 …` at times 1000, 1001 …, evenly over the partitions, in small batches. */
export async function write(
  client: Client,
  topic: string,
  count: number,
  { partitions = 1, batchBytes = 500, from = 0 } = {},
): Promise<Written[]> {
  await using producer = client.producer({ topic, batchBytes })
  const records = Array.from({ length: count }, (_, index) => ({
    partition: index % partitions,
    value: `value ${from + index}`,
    timestamp: 1_000 + from + index,
  }))
  const sent = await producer.sendMany(records)
  return records.map(({ partition, value }, index) => ({
    partition,
    offset: sent.at(index)!.offset,
    value,
  }))
}

/** By partition, then by offset. */
export function sorted(records: readonly Written[]): Written[] {
  return [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

interface AnyRecord {
  readonly partition: number
  readonly offset: number
  readonly value: unknown
}

/** All that a loop gives, at most `countMax`. */
export async function collect(
  records: AsyncIterable<AnyRecord>,
  countMax = Number.POSITIVE_INFINITY,
): Promise<Written[]> {
  const found: Written[] = []
  if (countMax === 0) return found
  for await (const { partition, offset, value } of records) {
    found.push({ partition, offset, value: String(value) })
    if (found.length >= countMax) break
  }
  return found
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const failed = await promise.then(
    (value) => ({ value }),
    (reason: unknown) => ({ reason }),
  )
  if ('reason' in failed) return failed.reason
  throw new Error(`it did not fail, but gave ${JSON.stringify(failed.value)}`)
}

/** Resolves once it is so; the test's own time limit ends a wait in vain. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}
