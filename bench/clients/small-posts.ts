/**
 * Posts small bodies one after another on each of N connections, and measures how many a second and how
 * long each took. The same client is pointed at the broker and at an empty server, so that their ratio
 * says what the broker's own work costs.
 */

import { taskOfThisProcess } from '../child.ts'
import { Latencies } from './latencies.ts'
import { RawConnection, requestHead } from './raw-connection.ts'

export interface SmallPostsTask {
  readonly port: number
  readonly path: string
  readonly contentType: string
  readonly body: string
  readonly connections: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface SmallPostsAnswer {
  readonly requests: number
  readonly seconds: number
  readonly latencyMsMedian: number
  readonly latencyMs99: number
}

const task = taskOfThisProcess<SmallPostsTask>()
const body = Buffer.from(task.body)
const head = requestHead('POST', task.path, task.contentType, body.length)
const request = [Buffer.concat([head, body])]
const latencies = new Latencies()
let requests = 0
const measuredFrom = performance.now() + task.warmUpSeconds * 1_000
const endsAt = measuredFrom + task.seconds * 1_000
await Promise.all(Array.from({ length: task.connections }, post))

const answer: SmallPostsAnswer = {
  requests,
  seconds: task.seconds,
  latencyMsMedian: latencies.percentile(0.5),
  latencyMs99: latencies.percentile(0.99),
}
console.log(JSON.stringify(answer))

async function post(): Promise<void> {
  const connection = await RawConnection.connect(task.port)
  while (true) {
    const sentAt = performance.now()
    if (sentAt >= endsAt) break
    const status = await connection.request(request)
    if (status !== 200) throw new Error(`POST ${task.path}: ${status}`)
    if (sentAt < measuredFrom) continue
    latencies.add(performance.now() - sentAt)
    requests++
  }
  connection.close()
}
