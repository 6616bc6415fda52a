/**
 * Who stops when a worker of a group goes: eight workers of one kind read sixteen partitions that are written to
 * all the time; one is killed (a process that falls silent for its session of 3 s, a stream that is cut), another
 * leaves. Prints the longest time without a record, of partitions that did not move and of those that did, beside
 * the longest before anything happened, which is the noise.
 *
 *     node test/durability/rebalance-campaign.ts [--rounds 3] [--seed N]
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SeededRandom } from '../rigs/random.ts'
import { GroupWorker } from './group-workers.ts'
import { now, sleep, WorkerConnection } from './worker-connection.ts'
import { WorkerHistory } from './worker-history.ts'
import { WORKER_KINDS, type WorkerKind } from './worker-options.ts'

const TOPIC = 'rebalanced'
const PARTITIONS = 16
const WORKERS = 8
const SESSION_MS = 3_000
const WRITE_MS = 50
/** Before anything happens, and after it. */
const QUIET_MS = 5_000
const AFTER_MS = 8_000
const SETTLE_MS_MAX = 60_000

interface Gaps {
  readonly before: number
  readonly stayed: number
  readonly moved: number
  readonly movedPartitions: number
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const random = new SeededRandom(seed)
console.log('longest time without a record, ms: before | of partitions that stayed | that moved')
for (const kind of WORKER_KINDS) {
  for (const end of ['killed', 'leaves'] as const) {
    for (let round = 1; round <= Number(values.rounds); round++) {
      const { before, stayed, moved, movedPartitions } = await measured(kind, end)
      const figures = [before, stayed, moved].map((ms) => ms.toFixed(0).padStart(6)).join(' | ')
      console.log(
        `${kind.padEnd(9)} one ${end.padEnd(6)} ${figures}   (${movedPartitions} of ${PARTITIONS} moved)`,
      )
    }
  }
}

async function measured(kind: WorkerKind, end: 'killed' | 'leaves'): Promise<Gaps> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-rebalance-'))
  const broker = await BrokerProcess.start({ dataDir })
  const connection = new WorkerConnection(broker.port)
  const times: number[][] = Array.from({ length: PARTITIONS }, () => [])
  const workers = Array.from({ length: WORKERS }, () => workerOf(kind, broker.port, times))
  const running = workers.map((worker) => worker.run().catch(() => {}))
  let isOver = false
  try {
    await connection.ask('PUT', `/v1/topics/${TOPIC}`, { partitions: PARTITIONS })
    const writing = (async () => {
      for (; !isOver; await sleep(WRITE_MS)) {
        const records = times.map((_, partition) => ({ value: 'x', partition }))
        await connection.ask('POST', `/v1/topics/${TOPIC}/records`, { records })
      }
    })()
    const before = await settled(connection)
    await sleep(QUIET_MS)
    const at = now()
    const gone = workers[random.below(WORKERS)]!
    if (end === 'killed') gone.kill()
    else gone.leave()
    await sleep(AFTER_MS)
    const until = now()
    const after = await settled(connection)
    isOver = true
    await writing
    const isMoved = (_: unknown, partition: number) => before[partition] !== after[partition]
    const gaps = (from: number, to: number) => times.map((each) => longestGap(each, from, to))
    return {
      before: Math.max(...gaps(at - QUIET_MS, at)),
      stayed: Math.max(...gaps(at, until).filter((gap, index) => !isMoved(gap, index))),
      moved: Math.max(0, ...gaps(at, until).filter(isMoved)),
      movedPartitions: times.filter(isMoved).length,
    }
  } finally {
    isOver = true
    for (const worker of workers) worker.kill()
    await Promise.all(running)
    connection.kill()
    await broker[Symbol.asyncDispose]()
    rmSync(dataDir, { recursive: true })
  }
}

function workerOf(kind: WorkerKind, port: number, times: number[][]): GroupWorker {
  const history = new WorkerHistory(PARTITIONS)
  history.gave = (partition) => void times[partition]!.push(now())
  return new GroupWorker({
    kind,
    port,
    group: 'rebalancers',
    topic: TOPIC,
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: 10_000,
    history,
    random: random.fork(),
    leaveBehind() {},
  })
}

/** Who has each partition, once everybody has their share. */
async function settled(connection: WorkerConnection): Promise<(string | undefined)[]> {
  const untilMs = now() + SETTLE_MS_MAX
  for (; now() < untilMs; await sleep(WRITE_MS)) {
    const { status, document } = await connection.ask('GET', '/v1/groups/rebalancers')
    if (status !== 200 || document.state !== 'stable') continue
    const owners: (string | undefined)[] = []
    const members = document.members as {
      memberId: string
      assignment: { partition: number }[]
    }[]
    for (const { memberId, assignment } of members) {
      for (const { partition } of assignment) owners[partition] = memberId
    }
    if (members.length >= WORKERS - 1 && owners.filter(Boolean).length === PARTITIONS) return owners
  }
  throw new Error('the group did not come to rest')
}

/** The longest time without a record within these times. */
function longestGap(times: readonly number[], from: number, to: number): number {
  const inside = [from, ...times.filter((time) => time > from && time < to), to]
  return Math.max(...inside.slice(1).map((time, index) => time - inside[index]!))
}
