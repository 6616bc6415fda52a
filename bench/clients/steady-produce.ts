/**
 * Writes JSON records at a rate, one request after another on each of its connections, each to the next
 * partition. A record says when it was sent, so that whoever reads it knows how long it took.
 */

import { taskOfThisProcess } from '../child.ts'
import {
  type SteadyProduceAnswer,
  type SteadyProduceTask,
  sharedNow,
} from './group-readers-task.ts'
import { RawConnection, requestHead } from './raw-connection.ts'

/** A request that waits for the disk must not make the next one late. */
const CONNECTIONS = 8

const task = taskOfThisProcess<SteadyProduceTask>()
const { recordsPerSecond, recordsPerRequest } = task
const everyMs = (recordsPerRequest / recordsPerSecond) * 1_000
const pad = 'x'.repeat(task.recordBytes)
const startedAt = performance.now()
const endsAt = startedAt + task.seconds * 1_000
let turn = 0
let records = 0
await Promise.all(Array.from({ length: CONNECTIONS }, produceInTurn))
const answer: SteadyProduceAnswer = { records, seconds: (performance.now() - startedAt) / 1_000 }
console.log(JSON.stringify(answer))

async function produceInTurn(): Promise<void> {
  const connection = await RawConnection.connect(task.port)
  for (;;) {
    const mine = turn++
    const dueAt = startedAt + mine * everyMs
    if (dueAt >= endsAt) break
    await sleep(dueAt - performance.now())
    const status = await connection.request(requestOf(mine % task.partitions))
    if (status !== 200) throw new Error(`produce: ${status}`)
    records += recordsPerRequest
  }
  connection.close()
}

function requestOf(partition: number): Buffer[] {
  const record = { partition, value: { at: sharedNow(), pad } }
  const body = Buffer.from(JSON.stringify({ records: Array(recordsPerRequest).fill(record) }))
  const path = `/v1/topics/${task.topic}/records`
  return [requestHead('POST', path, 'application/json', body.length), body]
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
