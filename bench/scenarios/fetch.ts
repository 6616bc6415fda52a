/** Batches out through `POST /v1/fetch`, from the page cache, read by a client that decodes nothing. */

import { produce, TOPIC, withBroker } from '../broker-under-test.ts'
import { runClient } from '../child.ts'
import type { FetchAnswer, FetchTask } from '../clients/fetch.ts'
import type { Scenario, Trial } from '../scenario.ts'

const PARTITIONS = 4
const FILLED_BYTES = 1e9
const BATCH_BYTES = 1024 * 1024
const FETCH_BYTES = 8 * 1024 * 1024

function trialOf(recordBytes: number, connections: number): Trial {
  return {
    name: `${recordBytes} B, ${connections} connections`,
    run: ({ directory, seconds, scale }) =>
      withBroker(directory, PARTITIONS, async (broker) => {
        await produce({
          port: broker.port,
          topic: TOPIC,
          partitions: PARTITIONS,
          connections: PARTITIONS,
          recordBytes,
          batchBytes: BATCH_BYTES,
          payload: 'random',
          compression: 'none',
          records: Math.ceil((FILLED_BYTES * scale) / recordBytes),
        })
        const task: FetchTask = {
          port: broker.port,
          topic: TOPIC,
          partitions: PARTITIONS,
          connections,
          maxBytes: FETCH_BYTES,
          seconds: Math.min(seconds, 1),
        }
        await runClient('clients/fetch.ts', task)
        const answer = await runClient<FetchAnswer>('clients/fetch.ts', { ...task, seconds })
        return [
          { name: 'read', value: answer.bytes / 1e6 / answer.seconds, unit: 'MB/s' },
          { name: 'records', value: answer.records / answer.seconds, unit: '1/s' },
          { name: 'requests', value: answer.requests / answer.seconds, unit: '1/s' },
          { name: 'memory', value: broker.memoryMiB(), unit: 'MiB' },
        ]
      }),
  }
}

export const scenario: Scenario = {
  name: 'fetch',
  sentence: '8 MiB a request, from the page cache, headers walked and bodies skipped by the client',
  trials: [trialOf(100, 1), trialOf(1024, 1), trialOf(1024, 4)],
}
