/**
 * Trials of our own client as a producer, beside the bench's raw one that only sends batches it made in
 * advance: that is what the broker takes at most while somebody shares its processors.
 */

import { produceWarm, TOPIC, withBroker } from './broker-under-test.ts'
import { costsOf } from './client-costs.ts'
import type { ClientProduceTask } from './clients/client-task.ts'
import type { Measure, Trial } from './scenario.ts'

const PARTITIONS = 8
const CONNECTIONS = 8
const BATCH_BYTES = 1024 * 1024

type Shape = Pick<
  ClientProduceTask,
  'way' | 'recordBytes' | 'values' | 'compression' | 'hasKeys'
> & { readonly partitions: number }

const USUAL: Shape = {
  way: 'enqueue',
  recordBytes: 100,
  values: 'text',
  compression: 'lz4',
  hasKeys: false,
  partitions: PARTITIONS,
}
const RANDOM = { ...USUAL, values: 'bytes', compression: 'none' } as const

/** One thing after another different from the usual. */
const SHAPES: readonly Shape[] = [
  USUAL,
  RANDOM,
  { ...USUAL, compression: 'none' },
  { ...RANDOM, compression: 'lz4' },
  { ...USUAL, values: 'objects' },
  { ...USUAL, hasKeys: true },
  { ...USUAL, partitions: 1 },
  { ...USUAL, way: 'sendMany' },
  { ...USUAL, way: 'sendMany', hasKeys: true },
  { ...USUAL, way: 'sendAll' },
  { ...USUAL, way: 'sendInLoops' },
  { ...USUAL, recordBytes: 1024 },
  { ...RANDOM, recordBytes: 1024 },
  { ...USUAL, recordBytes: 1024, hasKeys: true },
  { ...USUAL, recordBytes: 1024, way: 'sendMany' },
  { ...USUAL, recordBytes: 1024, way: 'sendAll' },
]

/** The raw client beside each kind of record. */
const CEILINGS: readonly Shape[] = [
  USUAL,
  RANDOM,
  { ...USUAL, recordBytes: 1024 },
  { ...RANDOM, recordBytes: 1024 },
]

export const PRODUCING_TRIALS: readonly Trial[] = [
  ...CEILINGS.map(rawTrial),
  ...SHAPES.map(clientTrial),
]

/** How each way compares with what the broker takes, and with the quickest way. */
export function producingRatios(
  median: (trial: string, measure: string) => number,
): readonly Measure[] {
  const speedOf = (trial: Trial) => median(trial.name, 'records')
  return SHAPES.flatMap((shape) => {
    const ceiling = CEILINGS.find(
      ({ recordBytes, values }) =>
        recordBytes === shape.recordBytes && (values === 'bytes') === (shape.values === 'bytes'),
    )
    const quickest = clientTrial({ ...shape, way: 'enqueue' })
    const speed = speedOf(clientTrial(shape))
    const name = nameOf(shape)
    const ratios = [
      {
        name: `${name}: share of the raw client`,
        value: speed / speedOf(rawTrial(ceiling!)),
        unit: '',
      },
      { name: `${name}: share of enqueue`, value: speed / speedOf(quickest), unit: '' },
    ]
    return shape.way === 'enqueue' ? ratios.slice(0, 1) : ratios
  })
}

function nameOf({ way, recordBytes, values, compression, hasKeys, partitions }: Shape): string {
  const keys = hasKeys ? ', keys' : ''
  const few = partitions === PARTITIONS ? '' : `, ${partitions} partition`
  return `${way}, ${recordBytes} B ${values}, ${compression}${keys}${few}`
}

function rawTrial({ recordBytes, values, compression, partitions }: Shape): Trial {
  return {
    name: `raw, ${recordBytes} B ${values}, ${compression}`,
    run: ({ directory, seconds }) =>
      withBroker(directory, partitions, async (broker) => {
        const answer = await produceWarm({
          port: broker.port,
          topic: TOPIC,
          partitions,
          connections: CONNECTIONS,
          recordBytes,
          batchBytes: BATCH_BYTES,
          payload: values === 'bytes' ? 'random' : 'json',
          compression,
          seconds,
        })
        return [
          { name: 'records', value: answer.records / answer.seconds, unit: '1/s' },
          { name: 'payload', value: answer.payloadBytes / 1e6 / answer.seconds, unit: 'MB/s' },
        ]
      }),
  }
}

function clientTrial(shape: Shape): Trial {
  return {
    name: nameOf(shape),
    run: ({ directory, seconds }) =>
      withBroker(directory, shape.partitions, async (broker) => {
        const task: ClientProduceTask = {
          ...shape,
          url: broker.url,
          brokerPid: broker.pid,
          topic: TOPIC,
          seconds,
        }
        return costsOf('clients/client-produce.ts', task)
      }),
  }
}
