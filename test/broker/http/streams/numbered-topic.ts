/** Topics for the tests of streams: record n of a partition has value {n}, key k0, k1 or k2, timestamp START + n. */

import type { TestBroker } from '../../../../broker/testing.ts'
import { TestTopic } from '../records/topic-client.ts'

export const START = 1_700_000_000_000

/** A topic whose partitions have so many records, in batches of `batch`. */
export async function topicOf(
  broker: TestBroker,
  counts: readonly number[],
  batch = 10,
): Promise<TestTopic> {
  const topic = await TestTopic.create(broker, { partitions: counts.length })
  for (const [partition, count] of counts.entries()) await fill(topic, partition, 0, count, batch)
  return topic
}

export async function fill(
  topic: TestTopic,
  partition: number,
  from: number,
  to: number,
  batch = 10,
): Promise<void> {
  for (let first = from; first < to; first += batch) {
    const records = Array.from({ length: Math.min(batch, to - first) }, (_, i) => ({
      key: `k${(first + i) % 3}`,
      value: { n: first + i },
      partition,
      timestamp: START + first + i,
    }))
    const { status, text } = await topic.produce({ records })
    if (status !== 200) throw new Error(text)
  }
}

export const pathOf = ({ name }: TestTopic, partition = 0) =>
  `/v1/topics/${name}/partitions/${partition}/records`

export const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)
