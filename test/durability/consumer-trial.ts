/**
 * The trial of the client's consumers: worker processes that consume in several ways, and now and then take
 * longer over a record than they may, come, leave (SIGTERM) and die (SIGKILL); they and the broker stand
 * still for longer than a session lasts (SIGSTOP); the broker is killed with -9 and started again on the same
 * port and directory; a proxy cuts the workers' connections where that is asked for; and somebody writes all
 * the while. In the end the last workers read everything to its end.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { CuttingProxy } from '../rigs/cutting-proxy.ts'
import { SeededRandom } from '../rigs/random.ts'
import { machineMs, readJournal } from './consumer-journal.ts'
import { type CommittedLook, type ConsumerVerdict, judgeConsumers } from './consumer-verdict.ts'

const PROGRAM = join(import.meta.dirname, 'consumer-worker.ts')
const TOPIC = 'campaign'
const GROUP = 'workers'
const PARTITIONS = 6
const WORKERS = 3
const WAYS = [
  'loop',
  'manual',
  'run',
  'batches',
  'loop-over-fetch',
  'manual-over-fetch',
  'run-over-fetch',
]
const HEARTBEAT_MS = 100
/** Their sessions last 4 s. */
const PAUSE_MS_MAX = 7_000
const BROKER_PAUSE_CHANCE = 0.25
const WRITE_MS = 20
const WRITE_RECORDS = 30
const LOOK_MS = 100
/** A worker that takes longer to leave is stuck. */
const LEAVE_MS_MAX = 60_000
const DRAIN_MS_MAX = 120_000

/** Workers that run now: none outlives the trial, however that ends. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface ConsumerTrialOptions {
  readonly seed: number
  /** Workers that die, and that leave in order and are followed by others, before the end. */
  readonly kills: number
  readonly leaves: number
  readonly brokerKills: number
  /** Of a worker, or now and then of the broker. */
  readonly pauses: number
  /** True: workers speak to the broker through a proxy that cuts connections, until the end. */
  readonly isCut: boolean
  /** From one to the next, at most. */
  readonly betweenMsMax: number
  readonly report?: (sentence: string) => void
}

export interface ConsumerTrialVerdict extends ConsumerVerdict {
  readonly written: number
  readonly workers: number
  /** What went wrong with a worker, as its process said it. */
  readonly complaints: readonly string[]
}

export function isCleanConsuming(verdict: ConsumerTrialVerdict): boolean {
  const { counts, written, done, complaints } = verdict
  const isClean = Object.values(counts).every((count) => count === 0)
  // A run in which nothing happened proves nothing.
  return isClean && written > 0 && done === written && complaints.length === 0
}

export async function runConsumerTrial(
  options: ConsumerTrialOptions,
): Promise<ConsumerTrialVerdict> {
  const directory = mkdtempSync(join(tmpdir(), 'spool-consumers-'))
  const flags = ['--group-consumer-heartbeat-interval-ms', String(HEARTBEAT_MS)]
  const start = (port: number) =>
    BrokerProcess.start({ dataDir: join(directory, 'data'), port, flags })
  const broker = await start(0)
  const random = new SeededRandom(options.seed)
  await using proxy = options.isCut
    ? await CuttingProxy.start({ targetPort: broker.port, random: random.fork() })
    : undefined
  const trial = new Trial({ ...options, directory, start, random, proxy }, broker)
  try {
    const verdict = await trial.run()
    if (isCleanConsuming(verdict)) rmSync(directory, { recursive: true })
    else options.report?.(`the journals and the data directory are kept: ${directory}`)
    return verdict
  } finally {
    await trial.end()
  }
}

interface WorkerProcess {
  readonly name: string
  readonly child: ChildProcess
  readonly journal: string
  readonly ended: Promise<void>
  isKilled: boolean
}

interface TrialOptions extends ConsumerTrialOptions {
  readonly directory: string
  /** Starts the broker, on a port. */
  readonly start: (port: number) => Promise<BrokerProcess>
  readonly random: SeededRandom
  readonly proxy: CuttingProxy | undefined
}

class Trial {
  readonly #options: TrialOptions
  readonly #random: SeededRandom
  readonly #client: Client
  readonly #workers: WorkerProcess[] = []
  readonly #looks: CommittedLook[] = []
  readonly #complaints: string[] = []
  #broker: BrokerProcess
  #isWriting = true
  #isLooking = true
  #written = 0

  constructor(options: TrialOptions, broker: BrokerProcess) {
    this.#options = options
    this.#broker = broker
    this.#random = options.random
    this.#client = connect({ url: broker.url, retryBackoffMsMax: 200 })
  }

  async run(): Promise<ConsumerTrialVerdict> {
    await this.#client.admin.createTopic({ name: TOPIC, partitions: PARTITIONS })
    const writing = this.#write()
    const looking = this.#look()
    for (const work of [writing, looking]) work.catch(() => {}) // awaited below, after the faults
    for (let at = 0; at < WORKERS; at++) this.#spawn()
    await this.#faults()
    this.#isWriting = false
    await writing
    this.#options.proxy?.calm()
    await this.#drained()
    this.#isLooking = false
    await looking
    for (const worker of this.#alive()) worker.child.kill('SIGTERM')
    await this.#allEnded(this.#workers)
    const { offsets } = await this.#client.admin
      .offsets(TOPIC)
      .then(({ partitions }) => ({ offsets: partitions.map(({ offset }) => offset) }))
    const journals = this.#workers.map(({ name, journal }) => ({
      worker: name,
      events: readJournal(journal),
    }))
    return {
      ...judgeConsumers(journals, this.#looks, offsets),
      written: this.#written,
      workers: this.#workers.length,
      complaints: this.#complaints,
    }
  }

  async end(): Promise<void> {
    this.#isWriting = false
    this.#isLooking = false
    for (const { child } of this.#workers) child.kill('SIGKILL')
    await this.#client.close().catch(() => {})
    await this.#broker[Symbol.asyncDispose]()
  }

  async #faults(): Promise<void> {
    const { kills, leaves, brokerKills, pauses, betweenMsMax, report } = this.#options
    const faults = this.#random.shuffled([
      ...Array.from({ length: kills }, () => 'kill'),
      ...Array.from({ length: leaves }, () => 'leave'),
      ...Array.from({ length: brokerKills }, () => 'broker'),
      ...Array.from({ length: pauses }, () => 'pause'),
    ])
    for (const [index, fault] of faults.entries()) {
      await sleep(this.#random.below(betweenMsMax))
      if (fault === 'broker') await this.#killBroker()
      else if (fault === 'pause') await this.#pause()
      else await this.#replace(fault === 'kill' ? 'SIGKILL' : 'SIGTERM')
      report?.(`${index + 1} of ${faults.length}: ${fault}; ${this.#written} written`)
    }
  }

  async #killBroker(): Promise<void> {
    const { port } = this.#broker
    await this.#broker.kill()
    await sleep(this.#random.below(300))
    this.#broker = await this.#options.start(port)
  }

  /** Somebody stands still, and does not know it afterwards. */
  async #pause(): Promise<void> {
    const ms = this.#random.below(PAUSE_MS_MAX)
    if (this.#random.chance(BROKER_PAUSE_CHANCE)) {
      this.#broker.signal('SIGSTOP')
      await sleep(ms)
      this.#broker.signal('SIGCONT')
      return
    }
    // Not child.kill: that counts as having been told to go.
    const { pid } = this.#random.pick(this.#alive()).child
    if (pid === undefined) throw new Error('a worker has no process')
    process.kill(pid, 'SIGSTOP')
    await sleep(ms)
    process.kill(pid, 'SIGCONT')
  }

  /** One goes, and another comes before, meanwhile or after. */
  async #replace(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const worker = this.#random.pick(this.#alive())
    const isEarly = this.#random.chance(0.5)
    if (isEarly) this.#spawn()
    if (isEarly) await sleep(this.#random.below(1_000))
    worker.isKilled ||= signal === 'SIGKILL'
    worker.child.kill(signal)
    if (!isEarly) this.#spawn()
  }

  #alive(): WorkerProcess[] {
    return this.#workers.filter(({ child }) => running.has(child) && !child.killed)
  }

  #spawn(): void {
    const way = this.#random.pick(WAYS)
    const name = `${this.#workers.length}-${way}`
    const journal = join(this.#options.directory, `${name}.journal`)
    writeFileSync(journal, '')
    const seed = String(this.#random.next32())
    const { url } = this.#options.proxy ?? this.#broker
    const words = [PROGRAM, url, TOPIC, GROUP, way, journal, seed]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] })
    running.add(child)
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_096)
    })
    const ended = new Promise<void>((resolve) => {
      child.on('close', (code, signal) => {
        running.delete(child)
        // Told to leave before it had begun.
        const isUnborn = signal === 'SIGTERM' && readJournal(journal).length === 0
        if (code !== 0 && !isUnborn && !worker.isKilled) {
          this.#complaints.push(`${name} ended with ${code ?? signal}: ${said}`)
        }
        resolve()
      })
    })
    const worker: WorkerProcess = { name, child, journal, ended, isKilled: false }
    this.#workers.push(worker)
  }

  async #write(): Promise<void> {
    await using producer = this.#client.producer({ topic: TOPIC })
    while (this.#isWriting) {
      const records = Array.from({ length: WRITE_RECORDS }, () => ({
        partition: this.#written++ % PARTITIONS,
        value: `record ${this.#written}`,
      }))
      await producer.sendMany(records)
      await sleep(WRITE_MS)
    }
  }

  async #look(): Promise<void> {
    while (this.#isLooking) {
      const askedAt = machineMs()
      const looked = await this.#committed().catch(() => undefined)
      if (looked !== undefined) this.#looks.push({ askedAt, at: machineMs(), offsets: looked })
      await sleep(LOOK_MS)
    }
  }

  async #committed(): Promise<(number | null)[]> {
    const offsets = await this.#client.admin.groupOffsets(GROUP, { topic: TOPIC })
    return Array.from(
      { length: PARTITIONS },
      (_, partition) => offsets.find((it) => it.partition === partition)?.offset ?? null,
    )
  }

  /** Everything is committed, but what workers that commit by hand may leave: they read it again. */
  async #drained(): Promise<void> {
    const untilMs = machineMs() + DRAIN_MS_MAX
    for (;;) {
      const done = new Set<string>()
      for (const { journal } of this.#workers) {
        for (const { kind, places } of readJournal(journal)) {
          if (kind === 'done')
            for (const [partition, offset] of places) done.add(`${partition}/${offset}`)
        }
      }
      if (done.size >= this.#written) return
      // The verdict says which are missing.
      if (machineMs() > untilMs) return
      await sleep(LOOK_MS)
    }
  }

  async #allEnded(workers: readonly WorkerProcess[]): Promise<void> {
    const timer = setTimeout(() => {
      for (const { name, child } of workers) {
        if (!running.has(child)) continue
        this.#complaints.push(`${name} did not leave within ${LEAVE_MS_MAX} ms`)
        child.kill('SIGKILL')
      }
    }, LEAVE_MS_MAX)
    await Promise.all(workers.map(({ ended }) => ended))
    clearTimeout(timer)
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
