/**
 * A program that reads a topic with our own client, in one of several ways, from its beginning to its end
 * and again from its beginning. With the word `allocations` behind its task it counts them instead of the
 * time.
 */

import { bytes, connect, type Deserializer, json, type Reader, string } from '../../client/index.ts'
import { taskOfThisProcess } from '../child.ts'
import { allocationsOf } from './allocations.ts'
import type { AllocationAnswer, ClientAnswer, ClientReadTask, DecodedAs } from './client-task.ts'
import { ownProcessorSeconds, processorSecondsOf } from './processor-time.ts'

const WARM_UP_SECONDS_MAX = 2
const COUNTED_RECORDS = 50_000
/** Between two looks at the clock; a batch of small records holds more. */
const RECORDS_A_LOOK = 1_000

const SERDES: Readonly<Record<DecodedAs, Deserializer<unknown>>> = {
  string,
  json: json(),
  bytes,
  nothing: bytes,
}

const task = taskOfThisProcess<ClientReadTask>()
const isLooked = task.decodedAs !== 'nothing'
/** Something comes of every value, so that none of the work can be left out. */
let sum = 0
await using client = connect(task.url)
console.log(JSON.stringify(await (process.argv[3] === 'allocations' ? counted() : measured())))
if (sum === 0) throw new Error('nothing was read')

async function measured(): Promise<ClientAnswer> {
  await readUntil(timeIsUp(Math.min(task.seconds, WARM_UP_SECONDS_MAX)))
  const startedAt = performance.now()
  const ownBefore = ownProcessorSeconds()
  const brokerBefore = processorSecondsOf(task.brokerPid)
  const count = await readUntil(timeIsUp(task.seconds))
  return {
    seconds: (performance.now() - startedAt) / 1_000,
    records: count,
    payloadBytes: count * task.recordBytes,
    clientCpuSeconds: ownProcessorSeconds() - ownBefore,
    brokerCpuSeconds: processorSecondsOf(task.brokerPid) - brokerBefore,
  }
}

async function counted(): Promise<AllocationAnswer> {
  await readUntil(timeIsUp(WARM_UP_SECONDS_MAX))
  return allocationsOf(() => readUntil((count) => count >= COUNTED_RECORDS))
}

/** Asked now and then; `count` is what was read until then. */
type IsOver = (count: number) => boolean

function timeIsUp(seconds: number): IsOver {
  const endsAt = performance.now() + seconds * 1_000
  return () => performance.now() >= endsAt
}

/** Resolves to the number of records. */
async function readUntil(isOver: IsOver): Promise<number> {
  let count = 0
  while (!isOver(count)) {
    const value = SERDES[task.decodedAs]
    await using reader = client.reader(task.topic, { from: 'earliest', until: 'latest', value })
    const before = count
    const isEnough = (read: number) => isOver(before + read)
    count += await (task.way === 'records' ? records(reader, isEnough) : batches(reader, isEnough))
  }
  return count
}

async function records(reader: Reader<unknown, unknown>, isOver: IsOver): Promise<number> {
  let count = 0
  for await (const record of reader) {
    sum += isLooked ? weightOf(record.value) : record.offset
    count += 1
    if (count % RECORDS_A_LOOK === 0 && isOver(count)) break
  }
  return count
}

async function batches(reader: Reader<unknown, unknown>, isOver: IsOver): Promise<number> {
  let count = 0
  for await (const batch of reader.batches()) {
    if (task.way === 'batches') {
      for (const record of batch) sum += isLooked ? weightOf(record.value) : record.offset
    } else {
      sum += batch.sizeBytes
    }
    count += batch.recordCount
    if (isOver(count)) break
  }
  return count
}

function weightOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 1
}
