/**
 * The trial of compaction: writers overwrite and delete keys without a pause while a real broker compacts
 * them, is killed with -9 in the middle of that, and started again, over and over. Every few kills, and in
 * the end, everything is read back: the last value of every key, where it was put, and nothing that was gone.
 */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SeededRandom } from '../rigs/random.ts'
import { KeyedModel } from './keyed-model.ts'
import { judgeKeys, type KeyedVerdict } from './keyed-verdict.ts'
import { KeyedWriter } from './keyed-writer.ts'
import { Address, filesProblems } from './kill-trial.ts'

/** Every other start has room for 131,072 keys at once: with more, a log is compacted in several goes. */
const SMALL_MAP = 0.5
const SMALL_MAP_BYTES = String(4 * 1024 * 1024)
const TOPIC = 'compacted'
const PARTITIONS = 2
const WRITERS_PER_PARTITION = 2
const DELETE_RETENTION_MS = 3_000
/** The broker is killed so long after it was seen copying, at most; or at once, when it is seen swapping. */
const KILL_AFTER_MS_MAX = 2_500
const KILLED_SWAPPING = 0.5
const SWAP_MS_MAX = 10_000
const KILLED_STARTING = 0.15
const STARTING_MS_MAX = 400
const WATCH_MS = 2
const COMPACTION_MS_MAX = 120_000

export interface CompactionTrialOptions {
  readonly keys: number
  readonly kills: number
  readonly seed: number
  readonly segmentBytes: number
  /** Everything is read back after so many kills. */
  readonly judgedEvery: number
  readonly report?: (sentence: string) => void
}

export interface CompactionVerdict extends KeyedVerdict {
  readonly acknowledged: number
  /** Kills that left a segment half made, and kills that left a swap half done. */
  readonly inMiddleOf: { readonly copy: number; readonly swap: number; readonly neither: number }
  readonly compactions: number
  readonly removedRecords: number
}

export async function runCompactionTrial(
  options: CompactionTrialOptions,
): Promise<CompactionVerdict> {
  const trial = new CompactionTrial(options)
  try {
    return await trial.run()
  } finally {
    await trial.end()
  }
}

class CompactionTrial {
  readonly #options: CompactionTrialOptions
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'spool-compaction-'))
  readonly #random: SeededRandom
  readonly #address = new Address()
  readonly #model: KeyedModel
  readonly #writers: KeyedWriter[]
  readonly #left = { copy: 0, swap: 0, neither: 0 }
  #broker: BrokerProcess | undefined
  /** Of brokers that are dead: each counts from nothing. */
  #compactions = 0
  #removedRecords = 0
  #problems: string[] = []

  constructor(options: CompactionTrialOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#model = new KeyedModel(options.keys, PARTITIONS)
    const count = PARTITIONS * WRITERS_PER_PARTITION
    const keysEach = Math.floor(options.keys / count)
    this.#writers = Array.from(
      { length: count },
      (_, index) =>
        new KeyedWriter({
          topic: TOPIC,
          partition: index % PARTITIONS,
          firstKey: index * keysEach,
          endKey: (index + 1) * keysEach,
          model: this.#model,
          address: this.#address,
          random: this.#random.fork(),
        }),
    )
  }

  async run(): Promise<CompactionVerdict> {
    const { kills, judgedEvery, report = () => {} } = this.#options
    await this.#start()
    await this.#createTopic()
    await Promise.all(this.#writers.map((writer) => writer.fill()))
    report(`${this.#model.acknowledged} keys written`)
    let found = 0
    for (let kill = 0; kill < kills; ) {
      const rounds = Math.min(judgedEvery, kills - kill)
      await this.#whileWriting(async () => {
        for (let round = 0; round < rounds; round++) await this.#killInTheMiddle()
      })
      kill += rounds
      found = await this.#judge()
      report(
        `${kill} of ${kills} kills: ${this.#model.acknowledged} records acknowledged, ${found} left, ${this.#problems.length} problems`,
      )
    }
    await this.#compactedToTheEnd()
    found = await this.#judge()
    await this.#noteTotals()
    await this.#broker!.stop()
    this.#problems.push(...filesProblems(this.#dataDir))
    return {
      found,
      problems: this.#problems,
      acknowledged: this.#model.acknowledged,
      inMiddleOf: this.#left,
      compactions: this.#compactions,
      removedRecords: this.#removedRecords,
    }
  }

  /** The data directory stays where something is wrong with it. */
  async end(): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]()
    if (this.#problems.length === 0) rmSync(this.#dataDir, { recursive: true, force: true })
    else this.#options.report?.(`the data directory is kept: ${this.#dataDir}`)
  }

  async #start(): Promise<void> {
    this.#broker = await BrokerProcess.start({
      dataDir: this.#dataDir,
      flags: [
        ...['--log-cleaner-backoff-ms', '100'],
        ...(this.#random.chance(SMALL_MAP)
          ? ['--log-cleaner-dedupe-buffer-size', SMALL_MAP_BYTES]
          : []),
      ],
    })
    this.#address.isUp(this.#broker.url)
  }

  async #createTopic(): Promise<void> {
    const response = await fetch(`${this.#broker!.url}/v1/topics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        name: TOPIC,
        partitions: PARTITIONS,
        config: {
          'cleanup.policy': 'compact',
          'segment.bytes': this.#options.segmentBytes,
          'min.cleanable.dirty.ratio': 0.1,
          'delete.retention.ms': DELETE_RETENTION_MS,
        },
      }),
    })
    if (response.status !== 201) throw new Error(`no topic: ${await response.text()}`)
  }

  /** Runs `action` while all writers write; they have no request under way when it resolves. */
  async #whileWriting(action: () => Promise<void>): Promise<void> {
    let isPaused = false
    const writing = Promise.all(
      this.#writers.map((writer) => writer.overwriteUntil(() => isPaused)),
    )
    writing.catch(() => {}) // awaited below
    await action()
    isPaused = true
    await writing
  }

  async #killInTheMiddle(): Promise<void> {
    await this.#untilSeen(/\.(cleaned|swap)$/, COMPACTION_MS_MAX, WATCH_MS)
    await this.#noteTotals()
    if (this.#random.chance(KILLED_SWAPPING)) await this.#untilSeen(/\.log\.swap$/, SWAP_MS_MAX, 0)
    else await sleep(this.#random.below(KILL_AFTER_MS_MAX))
    this.#address.isDown()
    await this.#broker!.kill()
    const names = this.#filesOfLogs()
    if (names.some((name) => name.endsWith('.log.swap'))) this.#left.swap += 1
    else if (names.some((name) => name.endsWith('.cleaned'))) this.#left.copy += 1
    else this.#left.neither += 1
    while (this.#random.chance(KILLED_STARTING)) {
      const starting = BrokerProcess.launch({ dataDir: this.#dataDir })
      await sleep(this.#random.below(STARTING_MS_MAX))
      await starting.kill()
    }
    await this.#start()
  }

  /** Waits for a file of that name, or until it has taken too long. */
  async #untilSeen(name: RegExp, msMax: number, pauseMs: number): Promise<void> {
    const givesUpAt = performance.now() + msMax
    while (performance.now() < givesUpAt) {
      if (this.#filesOfLogs().some((each) => name.test(each))) return
      if (pauseMs > 0) await sleep(pauseMs)
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #filesOfLogs(): string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) =>
      readdirSync(join(this.#dataDir, `${TOPIC}-${partition}`)),
    ).flat()
  }

  /** Nothing is being compacted any more, nor dirty enough to be. */
  async #compactedToTheEnd(): Promise<void> {
    const givesUpAt = performance.now() + COMPACTION_MS_MAX
    while (performance.now() < givesUpAt) {
      const value = await this.#metrics()
      const isIdle = value('spool_compactions_running') === 0
      if (isIdle && value('spool_compactions_total') > 0) {
        if (value('spool_compaction_dirty_ratio_max') < 0.1) return
      }
      await sleep(200)
    }
    this.#problems.push('unending: the broker did not come to the end of its compactions')
  }

  async #metrics(): Promise<(name: string) => number> {
    const text = await (await fetch(`${this.#broker!.url}/metrics`)).text()
    return (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
  }

  async #noteTotals(): Promise<void> {
    const value = await this.#metrics()
    this.#compactions += value('spool_compactions_total')
    this.#removedRecords += value('spool_compaction_removed_records_total')
    const failures = value('spool_compaction_failures_total')
    if (failures > 0) this.#problems.push(`${failures} compactions failed: ${this.#broker!.log}`)
  }

  async #judge(): Promise<number> {
    const { url } = this.#broker!
    const judged = await judgeKeys(url, TOPIC, PARTITIONS, this.#model, DELETE_RETENTION_MS)
    this.#problems.push(...judged.problems)
    return judged.found
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
