/**
 * The trial of consumer groups: workers of three kinds come, leave and die all the time, the broker is killed
 * with -9 and started again, somebody writes and somebody looks on. Commits in the name of members whose
 * partitions are another's are tried, too. In the end a last set of workers reads everything to its end.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SeededRandom } from '../rigs/random.ts'
import { GroupWorker } from './group-workers.ts'
import { NoAnswer, now, sleep, WorkerConnection } from './worker-connection.ts'
import { WorkerHistory } from './worker-history.ts'
import type { LivenessLimits } from './worker-liveness.ts'
import { type GhostCommit, WORKER_KINDS } from './worker-options.ts'
import { type GroupVerdict, judgeWorkers } from './worker-verdict.ts'

const TOPIC = 'campaign'
const GROUP = 'workers'
const PARTITIONS = 8
const WORKERS = 8
const SESSION_MS = 2_000
const REBALANCE_MS = 3_000
/** Looks are not continuous, heartbeats neither, and workers die one after the other. */
const MARGIN_MS = 2_000
const ORPHAN_MS_MAX = SESSION_MS + REBALANCE_MS + MARGIN_MS
const LOOK_MS = 200
/** In time in which others got on. */
export const LIVENESS_LIMITS: LivenessLimits = {
  orphanMsMax: ORPHAN_MS_MAX,
  deadMsMax: SESSION_MS + MARGIN_MS,
  // Whoever has it commits a few times a second.
  stuckMsMax: 3_000,
  stepMsMax: 2 * LOOK_MS,
}
/** After each start of the broker sessions begin anew; so sometimes it is left alone for longer than all that. */
const QUIET_MS = 2 * ORPHAN_MS_MAX
const QUIET_SHARE = 0.25
const WRITE_MS = 25
const WRITE_RECORDS = 25
/** In the end nobody comes or goes: when nothing is committed for so long, nothing ever will be. */
const STILL_MS_MAX = 30_000

export interface GroupTrialOptions {
  readonly seed: number
  /** Of coming and going; the end is not counted. */
  readonly runMs: number
  /** Of one worker, at most. With eight of them one comes or goes every second. */
  readonly lifeMsMax: number
  /** From one kill of the broker to the next, at most, but for quiet times. */
  readonly brokerKillMsMax: number
  readonly report?: (sentence: string) => void
}

export interface GroupTrialVerdict extends GroupVerdict {
  readonly written: number
  readonly workers: number
  readonly killed: number
  readonly brokerKills: number
  /** Commits tried in the name of somebody else's partition; all must be refused. */
  readonly ghosts: number
}

export function isCleanGroup({ counts, accepted, written, records }: GroupTrialVerdict): boolean {
  const isClean = Object.values(counts).every((count) => count === 0)
  // A run in which nothing happened proves nothing.
  return isClean && accepted > 0 && written > 0 && records === written
}

export async function runGroupTrial(options: GroupTrialOptions): Promise<GroupTrialVerdict> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-groups-'))
  const trial = new Trial(options, dataDir, await startBroker(dataDir))
  try {
    const verdict = await trial.run()
    if (isCleanGroup(verdict)) rmSync(dataDir, { recursive: true })
    else options.report?.(`the data directory is kept: ${dataDir}`)
    return verdict
  } finally {
    await trial.end()
  }
}

/** A member that does not say, as a stream, has the session of those that do. */
function startBroker(dataDir: string, port = 0): Promise<BrokerProcess> {
  const flags = ['--group-consumer-session-timeout-ms', String(SESSION_MS)]
  return BrokerProcess.start({ dataDir, port, flags })
}

class Trial {
  readonly #options: GroupTrialOptions
  readonly #dataDir: string
  readonly #random: SeededRandom
  readonly #history = new WorkerHistory(PARTITIONS)
  readonly #connection: WorkerConnection
  readonly #ghosts: { commit: GhostCommit; leftAt: number }[] = []
  readonly #counts = { written: 0, workers: 0, killed: 0, brokerKills: 0, ghosts: 0 }
  #broker: BrokerProcess
  #isChurning = true
  #isWriting = true
  #isOver = false
  #committed: readonly (number | null)[] = []
  /** Up to where records were acknowledged. */
  readonly #ends: number[] = Array.from({ length: PARTITIONS }, () => 0)

  constructor(options: GroupTrialOptions, dataDir: string, broker: BrokerProcess) {
    this.#options = options
    this.#dataDir = dataDir
    this.#broker = broker
    this.#random = new SeededRandom(options.seed)
    this.#connection = new WorkerConnection(broker.port)
  }

  async run(): Promise<GroupTrialVerdict> {
    const { runMs } = this.#options
    await this.#ask('PUT', `/v1/topics/${TOPIC}`, { partitions: PARTITIONS })
    const writing = this.#write()
    const looking = Promise.all([this.#lookOn(), this.#haunt()])
    const workers = Promise.all(Array.from({ length: WORKERS }, () => this.#churn()))
    for (const work of [writing, looking, workers]) work.catch(() => {}) // awaited below
    const untilMs = now() + runMs
    while (now() < untilMs) {
      const quietMs = this.#random.chance(QUIET_SHARE) ? QUIET_MS : 0
      const restMs = quietMs + this.#random.below(this.#options.brokerKillMsMax)
      await sleep(Math.min(restMs, untilMs - now()))
      await this.#killBroker()
    }
    this.#isWriting = false
    await writing
    this.#isChurning = false
    await this.#drained()
    await this.#killBroker()
    await this.#look()
    this.#isOver = true
    await Promise.all([workers, looking])
    return { ...judgeWorkers(this.#history, LIVENESS_LIMITS), ...this.#counts }
  }

  async end(): Promise<void> {
    this.#isOver = true
    this.#connection.kill()
    await this.#broker[Symbol.asyncDispose]()
  }

  /** One worker after another; the last stays until the end. */
  async #churn(): Promise<void> {
    const random = this.#random.fork()
    while (!this.#isOver) {
      const worker = new GroupWorker({
        kind: WORKER_KINDS[random.below(WORKER_KINDS.length)]!,
        port: this.#broker.port,
        group: GROUP,
        topic: TOPIC,
        sessionTimeoutMs: SESSION_MS,
        rebalanceTimeoutMs: REBALANCE_MS,
        history: this.#history,
        random: random.fork(),
        leaveBehind: (commit) => this.#ghosts.push({ commit, leftAt: now() }),
      })
      this.#counts.workers++
      const running = worker.run()
      running.catch(() => {}) // awaited below
      const diesAt = now() + 1_000 + random.below(this.#options.lifeMsMax - 1_000)
      while (!this.#isOver && (now() < diesAt || !this.#isChurning)) await sleep(LOOK_MS)
      if (random.chance(0.6)) {
        this.#counts.killed++
        worker.kill()
      } else worker.leave()
      await running
    }
  }

  async #killBroker(): Promise<void> {
    const { port } = this.#broker
    await this.#broker.kill()
    this.#history.add({ kind: 'broker', isUp: false, at: now() })
    this.#broker = await startBroker(this.#dataDir, port)
    this.#history.add({ kind: 'broker', isUp: true, at: now() })
    this.#counts.brokerKills++
    const sumOf = (offsets: readonly (number | null)[]) =>
      offsets.reduce<number>((sum, offset) => sum + (offset ?? 0), 0)
    this.#options.report?.(
      `kill ${this.#counts.brokerKills} of the broker: ready again after ${this.#broker.readyAfterMs.toFixed(0)} ms; ${this.#counts.workers} workers so far, ${this.#counts.killed} of them killed; ${sumOf(this.#ends)} written, ${sumOf(this.#committed)} committed`,
    )
  }

  async #write(): Promise<void> {
    const random = this.#random.fork()
    while (this.#isWriting) {
      const partition = random.below(PARTITIONS)
      const records = Array.from({ length: WRITE_RECORDS }, () => ({ value: 'x', partition }))
      const { document } = await this.#ask('POST', `/v1/topics/${TOPIC}/records`, { records })
      for (const { offset } of document.offsets as { offset: number }[]) {
        this.#ends[partition] = Math.max(this.#ends[partition]!, offset + 1)
      }
      await sleep(WRITE_MS)
    }
    // An answer that was lost may have been a write.
    const { document } = await this.#ask('GET', `/v1/topics/${TOPIC}/offsets?at=latest`)
    for (const { partition, offset } of document.partitions as Place[]) {
      this.#ends[partition] = offset
    }
    this.#counts.written = this.#ends.reduce((sum, end) => sum + end, 0)
  }

  async #lookOn(): Promise<void> {
    while (!this.#isOver) {
      await this.#look().catch((error) => {
        if (!(error instanceof NoAnswer)) throw error
      })
      await sleep(LOOK_MS)
    }
  }

  async #look(): Promise<void> {
    const invokedAt = now()
    const ends = [...this.#ends]
    const { status, document } = await this.#connection.ask('GET', `/v1/groups/${GROUP}`)
    if (status !== 200) return
    const endedAt = now()
    const offsets: (number | null)[] = Array.from({ length: PARTITIONS }, () => null)
    const owners: (string | null)[] = Array.from({ length: PARTITIONS }, () => null)
    for (const { partition, offset } of document.offsets as Place[]) offsets[partition] = offset
    const described = document.members as Described[]
    for (const member of described) {
      for (const { partition } of [...member.assignment, ...member.revoking]) {
        owners[partition] = member.memberId
      }
    }
    this.#committed = offsets
    const members = described.map(({ memberId }) => memberId)
    this.#history.add({ kind: 'look', offsets, owners, members, ends, invokedAt, endedAt })
  }

  /** Commits of those whose partition another member was told it has. */
  async #haunt(): Promise<void> {
    while (!this.#isOver) {
      await sleep(LOOK_MS)
      for (const ghost of this.#ghosts.splice(0)) {
        if (this.#isAnothers(ghost)) await this.#tryGhost(ghost.commit)
        else if (now() - ghost.leftAt < ORPHAN_MS_MAX) this.#ghosts.push(ghost)
      }
    }
  }

  #isAnothers({ commit, leftAt }: { commit: GhostCommit; leftAt: number }): boolean {
    return (
      this.#history.events.findLast(
        (event) =>
          event.kind === 'assignment' &&
          event.member !== commit.member &&
          event.invokedAt > leftAt &&
          event.partitions.includes(commit.partition),
      ) !== undefined
    )
  }

  async #tryGhost({ member, partition, offset, method, path, body }: GhostCommit): Promise<void> {
    const invokedAt = now()
    try {
      const { status } = await this.#connection.ask(method, path, body)
      if (status === 503) return
      const commit = { kind: 'commit', member, partition, offset, isGhost: true } as const
      const isAccepted = status === 200
      this.#history.add({ ...commit, invokedAt, endedAt: now(), isAccepted })
      this.#counts.ghosts++
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
  }

  /** Waits until everything is committed, or nothing is committed any more. */
  async #drained(): Promise<void> {
    let stood = ''
    let untilMs = 0
    for (;;) {
      const behind = this.#ends.flatMap((end, partition) =>
        (this.#committed[partition] ?? 0) < end ? [partition] : [],
      )
      if (behind.length === 0) return
      const stands = this.#committed.join()
      if (stands !== stood) untilMs = now() + STILL_MS_MAX
      else if (now() > untilMs) {
        this.#history.add({ kind: 'undrained', partitions: behind, at: now() })
        return
      }
      stood = stands
      await sleep(LOOK_MS)
    }
  }

  /** Until there is an answer. */
  async #ask(method: string, path: string, body?: unknown) {
    for (;;) {
      try {
        const answer = await this.#connection.ask(method, path, body)
        if (answer.status < 300) return answer
        if (answer.status !== 503) throw new Error(JSON.stringify(answer))
      } catch (error) {
        if (!(error instanceof NoAnswer) || this.#isOver) throw error
      }
      await sleep(WRITE_MS)
    }
  }
}

interface Place {
  readonly partition: number
  readonly offset: number
}

interface Described {
  readonly memberId: string
  readonly assignment: readonly { readonly partition: number }[]
  readonly revoking: readonly { readonly partition: number }[]
}
