/**
 * A thousand workers of consumer groups, each a stream of events on a connection of its own, in one process:
 * all join, then somebody writes at a rate and they commit now and then; then one of them reads nothing more,
 * and is sent more than its connection holds, until the broker gives it up.
 *
 *     empty ── join ──► idle ── records at a rate ──► one stalls, records go on ──► its member is gone
 *       memory            memory, processor   memory, arrival                  memory, at most
 */

import { runClient, taskOfThisProcess } from '../child.ts'
import { GroupReader, partitionOf } from './group-reader.ts'
import type {
  GroupReadersAnswer,
  GroupReadersTask,
  SteadyProduceAnswer,
  SteadyProduceTask,
} from './group-readers-task.ts'
import { Latencies } from './latencies.ts'
import { processMemoryMiB } from './process-memory.ts'
import { processorSecondsOf } from './processor-time.ts'
import { RawConnection, requestHead } from './raw-connection.ts'

/** Connections that are answered later than this many others are asked for. */
const JOINING_AT_ONCE = 50
const JOINED_MS_MAX = 300_000
const IDLE_MS_MAX = 3_000
/** Each reader commits this often, with the tokens of what comes in the last part of that time. */
const COMMIT_MS = 5_000
const TOKENS_MS = 500
const COMMIT_CONNECTIONS = 8
const SAMPLE_MS = 50
/** More than the buffers of a connection on one machine hold. */
const FLOOD_RECORDS = 64
const FLOOD_RECORD_BYTES = 256 * 1024
const GONE_MS_MAX = 120_000
const LOOK_MS = 50

const task = taskOfThisProcess<GroupReadersTask>()
const readers: GroupReader[] = []
let latencies = new Latencies()
let delivered = 0
let commits = 0
let floodedPartition: number | undefined
let onAnyChange = (_reader: GroupReader) => {}
const memoryMiB = () => processMemoryMiB(task.brokerPid)

const memoryEmptyMiB = memoryMiB()
const cpuBefore = processorSecondsOf(task.brokerPid)
const joinedMs = await joinAll()
const joinCpuSeconds = processorSecondsOf(task.brokerPid) - cpuBefore
const idleCpuShare = await cpuShareDuring(() => sleep(Math.min(IDLE_MS_MAX, task.seconds * 1_000)))
const memoryJoinedMiB = memoryMiB()
const committing = await startCommitting()

await produce(task.warmUpSeconds)
latencies = new Latencies()
delivered = 0
commits = 0
let seconds = Number.NaN
const reading = peakMemory()
const brokerCpuShare = await cpuShareDuring(async () => {
  const { records, seconds: took } = await produce(task.seconds)
  const wanted = records * (task.isOneGroup ? 1 : task.readers)
  // What was sent last is on its way.
  await until(() => delivered >= wanted, `the last of ${wanted} records`)
  seconds = took
})
const memoryReadingMiB = reading.stop()
const measured = {
  deliveredPerSecond: delivered / seconds,
  commitsPerSecond: commits / seconds,
  arrivalMsMedian: latencies.percentile(0.5),
  arrivalMs99: latencies.percentile(0.99),
}

latencies = new Latencies()
const stalling = peakMemory()
const going = produce(task.seconds)
const goneAfterMs = await stallOne()
const memoryStalledMiB = stalling.stop()
await going
const answer: GroupReadersAnswer = {
  joinedMs,
  joinCpuSeconds,
  idleCpuShare,
  brokerCpuShare,
  ...measured,
  stalledArrivalMs99: latencies.percentile(0.99),
  memoryEmptyMiB,
  memoryJoinedMiB,
  memoryReadingMiB,
  memoryStalledMiB,
  goneAfterMs,
  floodBytes: FLOOD_RECORDS * FLOOD_RECORD_BYTES,
}
await committing.stop()
for (const reader of readers) reader.leave()
console.log(JSON.stringify(answer))

/** Resolves to how long it took until everybody has its share. */
async function joinAll(): Promise<number> {
  const startedAt = performance.now()
  const share = task.isOneGroup ? task.partitions / task.readers : task.partitions
  const isSettled = (reader: GroupReader) => reader.held.size >= share
  let assigned = 0
  for (let index = 0; index < task.readers; index++) {
    readers.push(newReader(index, () => assigned++))
    await until(() => readers.length - assigned < JOINING_AT_ONCE, `reader ${index}`)
  }
  await until(() => readers.every(isSettled), 'the share of every reader')
  return performance.now() - startedAt
}

function newReader(index: number, onAssigned: () => void): GroupReader {
  const isFirst = index === 0
  let isKnown = false
  return new GroupReader({
    port: task.port,
    group: task.isOneGroup ? 'readers' : `readers-${index}`,
    topics: isFirst && task.floodTopic ? `${task.topic},${task.floodTopic}` : task.topic,
    onRecord: (ageMs, bytes, start) => {
      // Of the stalled one's partition, which waited for another reader, records are as old as that took.
      if (floodedPartition !== undefined && partitionOf(bytes, start) === floodedPartition) return
      delivered++
      latencies.add(ageMs)
    },
    onChange: (reader) => {
      if (!isKnown) onAssigned()
      isKnown = true
      onAnyChange(reader)
    },
  })
}

/** Every reader in its turn, so that as many commit each second as the next. */
async function startCommitting(): Promise<{ stop(): Promise<void> }> {
  let isOver = false
  const lanes = Array.from({ length: COMMIT_CONNECTIONS }, async (_, lane) => {
    let connection = await RawConnection.connect(task.port)
    const mine = readers.filter((_, index) => index % COMMIT_CONNECTIONS === lane)
    const startedAt = performance.now()
    for (let turn = 0; !isOver; turn++) {
      const reader = mine[turn % mine.length]!
      const next = mine[(turn + Math.ceil((TOKENS_MS / COMMIT_MS) * mine.length)) % mine.length]!
      next.wantTokens()
      await sleep(startedAt + (turn * COMMIT_MS) / mine.length - performance.now())
      const tokens = reader.isStalled ? [] : reader.takeTokens()
      if (tokens.length === 0) continue
      if (connection.isClosed) connection = await RawConnection.connect(task.port)
      const path = `/v1/groups/${reader.group}/commit`
      const status = await connection.request(requestOf('POST', path, JSON.stringify({ tokens })))
      if (status !== 200) throw new Error(`commit of ${reader.group}: ${status}`)
      commits++
    }
    connection.close()
  })
  return {
    stop: async () => {
      isOver = true
      await Promise.all(lanes)
    },
  }
}

function produce(forSeconds: number): Promise<SteadyProduceAnswer> {
  const { port, topic, partitions, recordsPerSecond, recordsPerRequest, recordBytes } = task
  return runClient<SteadyProduceAnswer>('clients/steady-produce.ts', {
    port,
    topic,
    partitions,
    recordsPerSecond,
    recordsPerRequest,
    recordBytes,
    seconds: forSeconds,
  } satisfies SteadyProduceTask)
}

/** One reader reads nothing more; resolves to how long it was until its place is another's, or it no member. */
async function stallOne(): Promise<number> {
  const [stalled] = readers
  const [place] = [...stalled!.held]
  const connection = await RawConnection.connect(task.port)
  const startedAt = performance.now()
  stalled!.stall()
  const [topic, partition] = task.floodTopic ? [task.floodTopic, '0'] : place!.split('/')
  if (task.isOneGroup) floodedPartition = Number(partition)
  let isTaken = false
  onAnyChange = (reader) => {
    isTaken ||= reader !== stalled && reader.held.has(place!)
  }
  const value = 'y'.repeat(FLOOD_RECORD_BYTES)
  for (let sent = 0; sent < FLOOD_RECORDS; sent++) {
    const path = `/v1/topics/${topic}/records?partition=${partition}`
    const status = await connection.request(requestOf('POST', path, value, 'text/plain'))
    if (status !== 200) throw new Error(`flood: ${status}`)
  }
  const giveUpAt = performance.now() + GONE_MS_MAX
  while (task.isOneGroup ? !isTaken : await isMember(connection, stalled!.group)) {
    if (performance.now() > giveUpAt) throw new Error('the stalled reader was never given up')
    await sleep(LOOK_MS)
  }
  const goneAfterMs = performance.now() - startedAt
  connection.close()
  return goneAfterMs
}

async function isMember(connection: RawConnection, group: string): Promise<boolean> {
  const pieces: Buffer[] = []
  await connection.request(requestOf('GET', `/v1/groups/${group}`, ''), (piece) =>
    pieces.push(Buffer.from(piece)),
  )
  return JSON.parse(Buffer.concat(pieces).toString()).members.length > 0
}

function requestOf(method: string, path: string, body: string, type = 'application/json') {
  const bytes = Buffer.from(body)
  return [Buffer.concat([requestHead(method, path, type, bytes.length), bytes])]
}

function peakMemory(): { stop(): number } {
  let peakMiB = memoryMiB()
  const timer = setInterval(() => {
    peakMiB = Math.max(peakMiB, memoryMiB())
  }, SAMPLE_MS)
  return {
    stop: () => {
      clearInterval(timer)
      return Math.max(peakMiB, memoryMiB())
    },
  }
}

async function cpuShareDuring(work: () => Promise<unknown>): Promise<number> {
  const before = processorSecondsOf(task.brokerPid)
  const startedAt = performance.now()
  await work()
  const tookMs = performance.now() - startedAt
  return ((processorSecondsOf(task.brokerPid) - before) / tookMs) * 1_000
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + JOINED_MS_MAX
  while (!isTrue()) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain for ${what}`)
    await sleep(1)
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
