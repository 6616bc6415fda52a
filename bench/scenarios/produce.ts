/**
 * Batches through `POST /v1/produce`, acknowledged after fdatasync (the default): records that do not
 * compress, and JSON under LZ4, beside the same amount of bytes written to the bare disk.
 */

import { produceWarm, TOPIC, withBroker } from '../broker-under-test.ts'
import type { ProduceTask } from '../clients/produce-task.ts'
import type { Scenario, Trial } from '../scenario.ts'
import { syncedAppends } from './disk.ts'

const PARTITIONS = 8
const CONNECTIONS = 8
const BATCH_BYTES = 1024 * 1024

type Shape = Pick<ProduceTask, 'recordBytes' | 'payload' | 'compression'>

const SHAPES: readonly Shape[] = [
  { recordBytes: 100, payload: 'random', compression: 'none' },
  { recordBytes: 1024, payload: 'random', compression: 'none' },
  { recordBytes: 100, payload: 'json', compression: 'lz4' },
  { recordBytes: 1024, payload: 'json', compression: 'lz4' },
]

function trialOf(shape: Shape): Trial {
  return {
    name: `${shape.recordBytes} B ${shape.payload}, ${shape.compression}`,
    run: ({ directory, seconds }) =>
      withBroker(directory, PARTITIONS, async (broker) => {
        const answer = await produceWarm({
          ...shape,
          port: broker.port,
          topic: TOPIC,
          partitions: PARTITIONS,
          connections: CONNECTIONS,
          batchBytes: BATCH_BYTES,
          seconds,
        })
        return [
          { name: 'payload', value: answer.payloadBytes / 1e6 / answer.seconds, unit: 'MB/s' },
          { name: 'on disk', value: answer.wireBytes / 1e6 / answer.seconds, unit: 'MB/s' },
          { name: 'records', value: answer.records / answer.seconds, unit: '1/s' },
          { name: 'latency, median', value: answer.latencyMsMedian, unit: 'ms' },
          { name: 'latency, 99 %', value: answer.latencyMs99, unit: 'ms' },
          { name: 'memory', value: broker.memoryMiB(), unit: 'MiB' },
        ]
      }),
  }
}

const disk = syncedAppends(BATCH_BYTES)

export const scenario: Scenario = {
  name: 'produce',
  sentence: `1 MiB batches, ${PARTITIONS} partitions, ${CONNECTIONS} connections, acknowledged after fdatasync`,
  trials: [disk, ...SHAPES.map(trialOf)],
  derive: (median) =>
    SHAPES.slice(0, 2)
      .map(trialOf)
      .map((trial) => ({
        name: `${trial.name}: share of the bare disk`,
        value: median(trial.name, 'on disk') / median(disk.name, 'written'),
        unit: '',
      })),
}
