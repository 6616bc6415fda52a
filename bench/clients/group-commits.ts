/**
 * Many groups that commit all their partitions, a request a group, on N connections: how many a second, and how
 * long each took. The groups' members join first, on the same connections; nothing of that is counted.
 */

import { taskOfThisProcess } from '../child.ts'
import { Latencies } from './latencies.ts'
import { RawConnection, requestHead } from './raw-connection.ts'

export interface GroupCommitsTask {
  readonly port: number
  readonly topic: string
  readonly groups: number
  readonly partitions: number
  /** In each partition: offsets up to there can be committed. */
  readonly records: number
  readonly connections: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface GroupCommitsAnswer {
  readonly requests: number
  readonly seconds: number
  readonly latencyMsMedian: number
  readonly latencyMs99: number
}

interface Member {
  readonly memberId: string
  readonly memberEpoch: number
}

/** Members that commit and nothing else: what is measured lasts longer than a usual session. */
const SESSION_MS = 1_800_000

const task = taskOfThisProcess<GroupCommitsTask>()
const latencies = new Latencies()
const members = new Map<number, Member>()
let requests = 0
const each = Array.from({ length: task.connections }, (_, index) => index)
const connections = await Promise.all(each.map(() => RawConnection.connect(task.port)))
await Promise.all(each.map((index) => ofMine(index, (group) => join(connections[index]!, group))))
const measuredFrom = performance.now() + task.warmUpSeconds * 1_000
const endsAt = measuredFrom + task.seconds * 1_000
await Promise.all(each.map(commitAll))
for (const connection of connections) connection.close()

const answer: GroupCommitsAnswer = {
  requests,
  seconds: task.seconds,
  latencyMsMedian: latencies.percentile(0.5),
  latencyMs99: latencies.percentile(0.99),
}
console.log(JSON.stringify(answer))

/** Every connection has its own groups. */
async function ofMine(index: number, work: (group: number) => Promise<void>): Promise<void> {
  for (let group = index; group < task.groups; group += task.connections) await work(group)
}

async function join(connection: RawConnection, group: number): Promise<void> {
  const body = JSON.stringify({ topics: [task.topic], sessionTimeoutMs: SESSION_MS })
  const pieces: Buffer[] = []
  const sent = requestOf('POST', `/v1/groups/group-${group}/members`, body)
  const status = await connection.request(sent, (piece) => pieces.push(Buffer.from(piece)))
  const text = Buffer.concat(pieces).toString()
  if (status !== 201) throw new Error(`join: ${status} ${text}`)
  members.set(group, JSON.parse(text))
}

async function commitAll(index: number): Promise<void> {
  for (let round = 0; performance.now() < endsAt; round++) {
    // What is committed must be there; the next round begins anew.
    const offset = 1 + (round % task.records)
    await ofMine(index, (group) => commit(connections[index]!, group, offset))
  }
}

async function commit(connection: RawConnection, group: number, offset: number): Promise<void> {
  const sentAt = performance.now()
  if (sentAt >= endsAt) return
  const { memberId, memberEpoch } = members.get(group)!
  const offsets = Array.from({ length: task.partitions }, (_, partition) => ({
    topic: task.topic,
    partition,
    offset,
  }))
  const body = JSON.stringify({ memberId, memberEpoch, offsets })
  const status = await connection.request(
    requestOf('PUT', `/v1/groups/group-${group}/offsets`, body),
  )
  if (status !== 200) throw new Error(`commit: ${status}`)
  if (sentAt < measuredFrom) return
  latencies.add(performance.now() - sentAt)
  requests++
}

function requestOf(method: string, path: string, body: string): Buffer[] {
  const bytes = Buffer.from(body)
  return [Buffer.concat([requestHead(method, path, 'application/json', bytes.length), bytes])]
}
