/**
 * The trial of going back: four workers read a topic while its group is rewound under them, twice. Whatever a
 * worker is given counts for the last rewind that it was told of; in the end every record from each target on
 * was given again, up to where the group stood at the next one, and what was held back from before a rewind was
 * refused after it.
 *
 *     ├──────────────────── from0 ──▶ rewind 1 to 0
 *     ├────────── from1 ──▶ rewind 2, back by a shift
 *            ├──────────────────────────────────────────▶ end
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SeededRandom } from '../rigs/random.ts'
import { GroupWorker } from './group-workers.ts'
import { sleep, WorkerConnection } from './worker-connection.ts'
import { WorkerHistory } from './worker-history.ts'
import type { GhostCommit, WorkerKind } from './worker-options.ts'

const TOPIC = 'rewound'
const GROUP = 'rewinders'
const PARTITIONS = 8
const KINDS: readonly WorkerKind[] = ['stream', 'poll', 'stream', 'heartbeat']
const LOOK_MS = 50
const PATIENCE_MS = 600_000

export interface RewindTrialOptions {
  readonly seed: number
  readonly records: number
  readonly report?: (sentence: string) => void
}

export interface RewindVerdict {
  readonly records: number
  /** As the broker's answers say, one by one. */
  readonly recordsAgain: readonly number[]
  /** Given to workers that knew of the last rewind. */
  readonly givenAgain: number
  /** Records from a target on that were not given again. */
  readonly missed: number
  /** Commits from before a rewind, tried after it, and those of them that were accepted. */
  readonly lateCommits: number
  readonly lateAccepted: number
  readonly examples: readonly string[]
}

interface Rewind {
  readonly from: readonly number[]
  readonly to: readonly number[]
}

export async function runRewindTrial(options: RewindTrialOptions): Promise<RewindVerdict> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-rewind-'))
  const trial = new Trial(options, await BrokerProcess.start({ dataDir }))
  try {
    return await trial.run()
  } finally {
    await trial.end()
    rmSync(dataDir, { recursive: true })
  }
}

/** A worker, and what it was given after each rewind it was told of. */
interface Seat {
  readonly worker: GroupWorker
  era: number
}

class Trial {
  readonly #options: RewindTrialOptions
  readonly #broker: BrokerProcess
  readonly #connection: WorkerConnection
  readonly #seats: Seat[] = []
  /** Rewind → partition → offset → how often it was given by whoever knew of it. */
  readonly #eras: number[][][] = [eraOf()]
  readonly #rewinds: Rewind[] = []
  readonly #counts = { lateCommits: 0, lateAccepted: 0 }

  constructor(options: RewindTrialOptions, broker: BrokerProcess) {
    this.#options = options
    this.#broker = broker
    this.#connection = new WorkerConnection(broker.port)
  }

  async run(): Promise<RewindVerdict> {
    const { records, seed } = this.#options
    await this.#fill()
    const random = new SeededRandom(seed)
    const running = Promise.all(KINDS.map((kind) => this.#sit(kind, random.fork())))
    running.catch(() => {}) // awaited below
    const again: number[] = []
    await this.#reached(records / 2)
    again.push(await this.#rewind('earliest'))
    await this.#reached(records / 4)
    again.push(await this.#rewind({ shift: -Math.floor(records / PARTITIONS / 8) }))
    await this.#reached(records)
    for (const { worker } of this.#seats) worker.leave()
    await running
    return { records, recordsAgain: again, ...this.#judged(), ...this.#counts }
  }

  async end(): Promise<void> {
    for (const { worker } of this.#seats) worker.kill()
    this.#connection.kill()
    await this.#broker[Symbol.asyncDispose]()
  }

  async #fill(): Promise<void> {
    const each = this.#options.records / PARTITIONS
    await this.#ask('PUT', `/v1/topics/${TOPIC}`, { partitions: PARTITIONS })
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const path = `/v1/topics/${TOPIC}/records?partition=${partition}&body=lines`
      const response = await fetch(this.#broker.url + path, {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: 'a record of the past\n'.repeat(each),
      })
      if (!response.ok) throw new Error(await response.text())
    }
    this.#options.report?.(`${this.#options.records} records written`)
  }

  async #sit(kind: WorkerKind, random: SeededRandom): Promise<void> {
    const history = new WorkerHistory(PARTITIONS)
    const seat: Seat = {
      era: 0,
      worker: new GroupWorker({
        kind,
        port: this.#broker.port,
        group: GROUP,
        topic: TOPIC,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 30_000,
        pageRecords: 5_000,
        workMsMax: 2,
        history,
        random,
        leaveBehind() {},
        onFenced: () => {
          seat.era = this.#rewinds.length
        },
      }),
    }
    history.gave = (partition, offset) => {
      const counts = this.#eras[seat.era]![partition]!
      counts[offset] = (counts[offset] ?? 0) + 1
    }
    this.#seats.push(seat)
    await seat.worker.run()
  }

  /** Resolves once the group has committed so many records, of all partitions together. */
  async #reached(records: number): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS
    for (;;) {
      const committed = (await this.#committed()).reduce((sum, offset) => sum + offset, 0)
      if (committed >= records) return
      if (performance.now() > untilMs) throw new Error(`stuck at ${committed} of ${records}`)
      await sleep(LOOK_MS)
    }
  }

  async #committed(): Promise<number[]> {
    const { status, document } = await this.#connection.ask('GET', `/v1/groups/${GROUP}/offsets`)
    const committed = Array.from({ length: PARTITIONS }, () => 0)
    if (status !== 200) return committed
    for (const { partition, offset } of document.offsets as Committed[]) {
      committed[partition] = offset ?? 0
    }
    return committed
  }

  /** Rewinds, tries what was committed or could have been before, and waits until every worker knows. */
  async #rewind(to: unknown): Promise<number> {
    const late = this.#seats.flatMap(({ worker }) => worker.lastCommits)
    this.#eras.push(eraOf())
    // Whoever hears of it from now on has heard of this one: all know of the one before.
    const rewind = { from: [] as number[], to: [] as number[] }
    this.#rewinds.push(rewind)
    const path = `/v1/groups/${GROUP}/offsets/reset`
    const { document } = await this.#ask('POST', path, { topics: [TOPIC], to })
    for (const each of document.partitions as { partition: number; from: number; to: number }[]) {
      rewind.from[each.partition] = each.from ?? 0
      rewind.to[each.partition] = each.to
    }
    await Promise.all(late.map((commit) => this.#tryLate(commit)))
    const untilMs = performance.now() + PATIENCE_MS
    const isUntold = () => this.#seats.some(({ era }) => era < this.#rewinds.length)
    while (isUntold()) {
      // Whoever commits what is read again has been told.
      const committed = (await this.#committed()).reduce((sum, offset) => sum + offset, 0)
      const isRead = committed >= this.#options.records || performance.now() > untilMs
      if (isRead && isUntold()) throw new Error('a worker was never told of a rewind')
      await sleep(LOOK_MS)
    }
    const recordsAgain = document.recordsAgain as number
    this.#options.report?.(`rewound: ${recordsAgain} records will be read again`)
    return recordsAgain
  }

  async #tryLate({ method, path, body }: GhostCommit): Promise<void> {
    const { status } = await this.#connection.ask(method, path, body)
    this.#counts.lateCommits++
    if (status === 200) this.#counts.lateAccepted++
  }

  #judged(): Pick<RewindVerdict, 'missed' | 'givenAgain' | 'examples'> {
    const examples: string[] = []
    let missed = 0
    for (const [index, { to }] of this.#rewinds.entries()) {
      const end = this.#options.records / PARTITIONS
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const until = this.#rewinds[index + 1]?.from[partition] ?? end
        for (let offset = to[partition] ?? 0; offset < until; offset++) {
          const given = this.#eras
            .slice(index + 1)
            .some((era) => (era[partition]![offset] ?? 0) > 0)
          if (given) continue
          if (missed++ < 5) examples.push(`rewind ${index + 1}: ${partition}/${offset} not given`)
        }
      }
    }
    const last = this.#eras.at(-1)!.flat()
    return { missed, examples, givenAgain: last.filter((count) => count > 0).length }
  }

  async #ask(method: string, path: string, body: unknown) {
    const answer = await this.#connection.ask(method, path, body)
    if (answer.status >= 300) throw new Error(JSON.stringify(answer))
    return answer
  }
}

interface Committed {
  readonly partition: number
  readonly offset: number | null
}

function eraOf(): number[][] {
  return Array.from({ length: PARTITIONS }, () => [])
}
