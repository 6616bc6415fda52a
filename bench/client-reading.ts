/**
 * Trials of our own client as a reader, beside the bench's raw one that looks at the headers of batches
 * and skips what is in them: that is what the broker gives at most while somebody shares its processors.
 */

import { produce, TOPIC, withBroker } from './broker-under-test.ts'
import { runClient } from './child.ts'
import { costsOf } from './client-costs.ts'
import type { ClientReadTask } from './clients/client-task.ts'
import type { FetchAnswer, FetchTask } from './clients/fetch.ts'
import type { Measure, Trial } from './scenario.ts'

const PARTITIONS = 8
const BATCH_BYTES = 1024 * 1024
const FILLED_BYTES = 300e6
const FETCH_BYTES = 8 * 1024 * 1024

type Shape = Pick<ClientReadTask, 'way' | 'decodedAs' | 'recordBytes'> & {
  /** JSON text under LZ4, or random bytes as they are. */
  readonly payload: 'json' | 'random'
}

const USUAL: Shape = { way: 'records', decodedAs: 'string', recordBytes: 100, payload: 'json' }

const SHAPES: readonly Shape[] = [
  USUAL,
  { ...USUAL, decodedAs: 'json' },
  { ...USUAL, decodedAs: 'bytes' },
  { ...USUAL, decodedAs: 'nothing' },
  { ...USUAL, way: 'batches' },
  { ...USUAL, way: 'batches', decodedAs: 'bytes' },
  { ...USUAL, way: 'batches', decodedAs: 'nothing' },
  { ...USUAL, way: 'batchesOnly', decodedAs: 'nothing' },
  { ...USUAL, decodedAs: 'bytes', payload: 'random' },
  { ...USUAL, recordBytes: 1024 },
  { ...USUAL, recordBytes: 1024, decodedAs: 'json' },
  { ...USUAL, recordBytes: 1024, decodedAs: 'bytes', payload: 'random' },
]

const CEILINGS: readonly Shape[] = [
  USUAL,
  { ...USUAL, payload: 'random' },
  { ...USUAL, recordBytes: 1024 },
  { ...USUAL, recordBytes: 1024, payload: 'random' },
]

export const READING_TRIALS: readonly Trial[] = [
  ...CEILINGS.map(rawTrial),
  ...SHAPES.map(clientTrial),
]

/** How each way compares with what the broker gives. */
export function readingRatios(
  median: (trial: string, measure: string) => number,
): readonly Measure[] {
  return SHAPES.map((shape) => {
    const trial = clientTrial(shape)
    const share = median(trial.name, 'records') / median(rawTrial(shape).name, 'records')
    return { name: `${trial.name}: share of the raw client`, value: share, unit: '' }
  })
}

function clientTrial(shape: Shape): Trial {
  const { way, decodedAs, recordBytes, payload } = shape
  return {
    name: `read ${way}, ${decodedAs}, ${contentOf(shape)}`,
    run: ({ directory, seconds, scale }) =>
      withBroker(directory, PARTITIONS, async (broker) => {
        await fill(broker.port, recordBytes, payload, scale)
        const task: ClientReadTask = {
          url: broker.url,
          brokerPid: broker.pid,
          topic: TOPIC,
          way,
          decodedAs,
          recordBytes,
          seconds,
        }
        return costsOf('clients/client-read.ts', task)
      }),
  }
}

function rawTrial(shape: Shape): Trial {
  const { recordBytes, payload } = shape
  return {
    name: `read raw, ${contentOf(shape)}`,
    run: ({ directory, seconds, scale }) =>
      withBroker(directory, PARTITIONS, async (broker) => {
        await fill(broker.port, recordBytes, payload, scale)
        const task: FetchTask = {
          port: broker.port,
          topic: TOPIC,
          partitions: PARTITIONS,
          connections: 1,
          maxBytes: FETCH_BYTES,
          seconds: Math.min(seconds, 1),
        }
        await runClient('clients/fetch.ts', task)
        const answer = await runClient<FetchAnswer>('clients/fetch.ts', { ...task, seconds })
        return [
          { name: 'records', value: answer.records / answer.seconds, unit: '1/s' },
          { name: 'on the wire', value: answer.bytes / 1e6 / answer.seconds, unit: 'MB/s' },
        ]
      }),
  }
}

function contentOf({ recordBytes, payload }: Shape): string {
  return payload === 'json' ? `${recordBytes} B text, lz4` : `${recordBytes} B bytes, none`
}

async function fill(
  port: number,
  recordBytes: number,
  payload: 'json' | 'random',
  scale: number,
): Promise<void> {
  await produce({
    port,
    topic: TOPIC,
    partitions: PARTITIONS,
    connections: PARTITIONS,
    recordBytes,
    batchBytes: BATCH_BYTES,
    payload,
    compression: payload === 'json' ? 'lz4' : 'none',
    records: Math.ceil((FILLED_BYTES * scale) / recordBytes),
  })
}
