/** What the producer's suites stand on: a real broker, its topics and what is in them, and what a promise fails with. */

import { expect } from 'vitest'
import { SpoolError } from '../../../client/index.ts'
import { readPartition } from '../../durability/trial-verdict.ts'
import { BrokerSuite, serveSuite } from '../../rigs/broker-suite.ts'

/** What a suite stands on, from before its first test until after its last. */
export class ProducerSuite extends BrokerSuite {
  #topics = 0

  /** Registers the hooks of the suite that calls it. */
  static serve(): ProducerSuite {
    return serveSuite(new ProducerSuite())
  }

  async newTopic(partitions = 1, config: Record<string, number> = {}): Promise<string> {
    const name = `topic-${this.#topics++}`
    await this.client.admin.createTopic({ name, partitions, config })
    return name
  }

  /** All that are in a partition, by offset. */
  async values(topic: string, partition = 0): Promise<string[]> {
    const problems: string[] = []
    const log = await readPartition(this.broker.url, topic, partition, problems)
    expect(problems).toEqual([])
    return log.map(({ value }) => value)
  }
}

/** What a promise rejects with, which is an error of ours. */
export async function failure(promise: Promise<unknown>): Promise<SpoolError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(SpoolError)
  return error as SpoolError
}
