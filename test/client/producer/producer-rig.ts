/** What the producer's suites stand on: a real broker, its topics and what is in them, and what a promise fails with. */

import { afterAll, beforeAll, expect } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import { type Client, connect, SpoolError } from '../../../client/index.ts'
import { readPartition } from '../../durability/trial-verdict.ts'

/** What a suite stands on, from before its first test until after its last. */
export class ProducerSuite {
  broker!: TestBroker
  client!: Client
  #topics = 0

  /** Registers the hooks of the suite that calls it. */
  static serve(): ProducerSuite {
    const suite = new ProducerSuite()
    beforeAll(async () => {
      suite.broker = await startBroker()
      suite.client = connect(suite.broker.url)
    })
    afterAll(async () => {
      await suite.client.close()
      await suite.broker[Symbol.asyncDispose]()
    })
    return suite
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
