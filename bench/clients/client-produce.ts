/**
 * A program that produces with our own client, in one of several ways. Records are made in advance and
 * given over and over: what is measured is the client. With the word `allocations` behind its task it
 * counts them instead of the time.
 */

import { connect, type Producer, type RecordToSend } from '../../client/index.ts'
import { taskOfThisProcess } from '../child.ts'
import { allocationsOf } from './allocations.ts'
import type { AllocationAnswer, ClientAnswer, ClientProduceTask } from './client-task.ts'
import { payloads } from './payloads.ts'
import { ownProcessorSeconds, processorSecondsOf } from './processor-time.ts'

const WARM_UP_SECONDS_MAX = 2
/** Of different values: far more than a compressor looks back. */
const VALUES_BYTES = 1_000_000
const KEYS = 10_000
/** What a program has at hand at once. */
const ARRAY_RECORDS = 10_000
const LOOPS = 1_000
const WARM_UP_RECORDS = 1_000_000
/** Few: every object of theirs is written down. */
const COUNTED_RECORDS = 50_000

const task = taskOfThisProcess<ClientProduceTask>()
const records = madeRecords()
await using client = connect(task.url)
await using producer: Producer<string> = client.producer<string>({
  topic: task.topic,
  compression: task.compression,
})
let lastArray: Promise<unknown> = Promise.resolve()
console.log(JSON.stringify(await (process.argv[3] === 'allocations' ? counted() : measured())))

async function measured(): Promise<ClientAnswer> {
  await produceUntil(timeIsUp(Math.min(task.seconds, WARM_UP_SECONDS_MAX)))
  const startedAt = performance.now()
  const ownBefore = ownProcessorSeconds()
  const brokerBefore = processorSecondsOf(task.brokerPid)
  const count = await produceUntil(timeIsUp(task.seconds))
  return {
    seconds: (performance.now() - startedAt) / 1_000,
    records: count,
    payloadBytes: count * task.recordBytes,
    clientCpuSeconds: ownProcessorSeconds() - ownBefore,
    brokerCpuSeconds: processorSecondsOf(task.brokerPid) - brokerBefore,
  }
}

async function counted(): Promise<AllocationAnswer> {
  await produceUntil((count) => count >= WARM_UP_RECORDS)
  return allocationsOf(() => produceUntil((count) => count >= COUNTED_RECORDS))
}

/** Asked after each array; `count` is what was given until then. */
type IsOver = (count: number) => boolean

function timeIsUp(seconds: number): IsOver {
  const endsAt = performance.now() + seconds * 1_000
  return () => performance.now() >= endsAt
}

/** Resolves to the number of records once all are acknowledged. */
async function produceUntil(isOver: IsOver): Promise<number> {
  let count = 0
  while (!isOver(count)) {
    await giveArray()
    count += ARRAY_RECORDS
  }
  await lastArray
  await producer.flush()
  return count
}

/** All of the records once, in the way of the task. */
async function giveArray(): Promise<void> {
  switch (task.way) {
    case 'enqueue':
      // By index: what is counted is not to hold the loop's own objects.
      for (let at = 0; at < ARRAY_RECORDS; at++) {
        if (!producer.enqueue(records[at]!)) await producer.room()
      }
      break
    case 'sendMany': {
      // Two under way, so that the broker is never without work.
      const before = lastArray
      lastArray = producer.sendMany(records)
      await before
      break
    }
    case 'sendAll':
      await Promise.all(records.map((record) => producer.send(record)))
      break
    case 'sendInLoops':
      // Each loop takes every thousandth, one at a time.
      await Promise.all(Array.from({ length: LOOPS }, (_, at) => sendLoop(at)))
  }
}

async function sendLoop(first: number): Promise<void> {
  for (let at = first; at < ARRAY_RECORDS; at += LOOPS) await producer.send(records[at]!)
}

function madeRecords(): RecordToSend<string, unknown>[] {
  const { recordBytes, values, hasKeys } = task
  const count = Math.min(ARRAY_RECORDS, Math.ceil(VALUES_BYTES / recordBytes))
  const bytes = payloads(values === 'bytes' ? 'random' : 'json', recordBytes, count, 1)
  const made = bytes.map((each) =>
    values === 'bytes' ? each : values === 'text' ? each.toString() : JSON.parse(each.toString()),
  )
  return Array.from({ length: ARRAY_RECORDS }, (_, at) => {
    const value: unknown = made[at % count]
    return hasKeys ? { key: `user-${at % KEYS}`, value } : { value }
  })
}
