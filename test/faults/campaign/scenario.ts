/**
 * One seed of the power-cut campaign: a few lives of an engine on one simulated disk, each begun with
 * recovery and judged against the histories, each ended by a power cut, a kill or a clean stop at a
 * moment the seed chooses, recovery included. The last life is left in peace and must find all in order.
 *
 *     life 1  open, create topics, work ──✂ call 173
 *     life 2  recover ──✂ call 21 (during recovery)
 *     life 3  recover, judge, retry, work, stop cleanly
 *     …       recover, judge
 */

import { ManualClock } from '../../rigs/clock.ts'
import type { DiskCall } from '../../rigs/disk/fault-plan.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { openEngine } from './engine.ts'
import { BadRead, readAll } from './reader.ts'
import { Topics } from './topics.ts'
import { finishCreating, remove, type Stage, work } from './workload.ts'

export interface ScenarioResult {
  readonly seed: number
  /** Empty: all promises were kept. */
  readonly problems: readonly string[]
  /** What happened, for a person who reruns the seed. */
  readonly story: readonly string[]
  readonly recordsJudged: number
  readonly appends: number
}

const LIVES_MAX = 4

export async function runScenario(seed: number): Promise<ScenarioResult> {
  const scenario = new Scenario(seed)
  await scenario.run()
  return scenario.result()
}

class Scenario {
  readonly #seed: number
  readonly #random: SeededRandom
  readonly #clock = new ManualClock()
  readonly #topics: Topics
  readonly #problems: string[] = []
  readonly #story: string[] = []
  /** Small, so that what lies behind a torn group is told from corruption within a few kilobytes. */
  readonly #groupBytesMax: number
  readonly #openFilesMax: number
  /** Room for all keys of a log, or for some of them. */
  readonly #cleanerMapBytesMax: number
  readonly #hasDiskErrors: boolean
  readonly #isTight: boolean
  #disk: SimulatedDisk
  #recordsJudged = 0

  constructor(seed: number) {
    this.#seed = seed
    this.#random = new SeededRandom(seed)
    this.#topics = new Topics(this.#random.fork())
    this.#groupBytesMax = this.#random.pick([4_096, 16_384, 1_048_576])
    this.#openFilesMax = this.#random.pick([3, 50])
    this.#cleanerMapBytesMax = this.#random.pick([1, 100_000])
    this.#hasDiskErrors = this.#random.chance(0.3)
    this.#isTight = this.#random.chance(0.15)
    this.#disk = new SimulatedDisk({
      seed: this.#random.next32(),
      clock: this.#clock,
      fullAt: this.#random.chance(0.3) ? 'sync' : 'write',
    })
    this.#disk.medium.provideDirectory('/')
  }

  result(): ScenarioResult {
    let appends = 0
    for (const { partitions } of this.#topics.all) {
      for (const { history } of partitions) appends += history.attempts.length
    }
    return {
      seed: this.#seed,
      problems: this.#problems,
      story: this.#story,
      recordsJudged: this.#recordsJudged,
      appends,
    }
  }

  async run(): Promise<void> {
    const lives = this.#random.between(2, LIVES_MAX)
    for (let life = 1; life <= lives && this.#problems.length === 0; life++) {
      this.#planEnd()
      await this.#live(`life ${life}`, this.#random.between(4, 25))
      this.#reboot()
    }
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY
    if (this.#problems.length === 0) await this.#live('last life', 0)
  }

  /** Where this life ends, unless it is over sooner, and what the disk gets wrong until then. */
  #planEnd(): void {
    const kind = this.#random.next()
    const n = this.#random.between(1, kind < 0.3 ? 60 : 500)
    if (kind < 0.85) this.#disk.faults.haltAtNth(n)
    if (!this.#hasDiskErrors || this.#random.chance(0.5)) return
    this.#disk.faults.failNth(this.#random.between(1, 80), this.#random.pick(['EIO', 'ENOSPC']), {
      which: this.#random.pick([
        (call: DiskCall) => call.operation === 'sync',
        (call: DiskCall) => call.operation === 'write',
        () => true,
      ]),
      extent: this.#random.pick(['undone', 'partial', 'done']),
    })
  }

  /** What ended it: power, the process alone, or nothing the disk minds. */
  #reboot(): void {
    const disk = this.#disk
    const seed = this.#random.next32()
    const isKill = this.#random.chance(0.25)
    this.#topics.noteCrash(isKill ? 'process kill' : 'power cut')
    this.#disk = isKill ? disk.processKill(seed) : disk.powerCut(seed)
    if (this.#random.chance(0.7)) this.#disk.capacityBytes = Number.POSITIVE_INFINITY
    const { calls, struck } = disk.faults
    if (disk.hasFailed) this.#topics.hasSeenErrors = true
    this.#tell(
      `${isKill ? 'process kill' : 'power cut'} after ${calls.length} calls` +
        struck.map((call) => `, ${call.operation} ${call.path} failed`).join(''),
    )
  }

  /** One life, until its end or until the disk halts. */
  async #live(name: string, steps: number): Promise<void> {
    const disk = this.#disk
    try {
      await Promise.race([this.#lifetime(name, steps), disk.halted])
    } catch (error) {
      if (!disk.isAlive || disk.hasFailed) return
      const stack = error instanceof Error ? error.stack : String(error)
      this.#problems.push(`${name}: false refusal: ${stack}`)
    }
  }

  async #lifetime(name: string, steps: number): Promise<void> {
    const disk = this.#disk
    const manager = await openEngine(disk, this.#clock, {
      appendGroupBytesMax: this.#groupBytesMax,
      openFilesMax: this.#openFilesMax,
      cleanerMapBytesMax: this.#cleanerMapBytesMax,
    })
    const stage: Stage = {
      disk,
      manager,
      clock: this.#clock,
      random: this.#random.fork(),
      topics: this.#topics,
      isTight: this.#isTight,
      steps,
      problem: (sentence) => this.#problems.push(`${name}: ${sentence}`),
    }
    if (!(await this.#load(stage))) return
    this.#tell(`${name}: started with ${this.#topics.active.length} topics`)
    if (steps > 0) {
      if (this.#topics.all.length === 0) await finishCreating(stage, this.#topics.add())
      await this.#retry(stage)
      await work(stage)
    }
    for (const { partitions } of this.#topics.all) {
      for (const { producers } of partitions) {
        for (const producer of producers) for (const at of producer.problems) stage.problem(at)
      }
    }
    if (disk.isAlive && stage.random.chance(0.5)) await this.#stop(stage)
  }

  /** False when the start failed, as it may on a failing disk. As the broker starts: what its metadata knows is opened, what a crash left half done is finished. */
  async #load(stage: Stage): Promise<boolean> {
    for (const topic of [...this.#topics.all]) {
      if (topic.state === 'deleting') await remove(stage, topic)
    }
    await stage.manager.loadLogs(
      this.#topics.all.map((topic) => ({
        ...topic,
        partitions: topic.state === 'active' ? topic.partitions.length : 0,
      })),
    )
    const isHealthy = !stage.disk.hasFailed && stage.disk.isAlive
    for (const [log, failure] of stage.manager.failures) {
      if (isHealthy) stage.problem(`false refusal of ${log}: ${failure.stack}`)
    }
    if (stage.manager.failures.size > 0) return false
    await this.#judge(stage)
    for (const topic of this.#topics.all) {
      if (topic.state === 'creating') await finishCreating(stage, topic)
    }
    return stage.disk.isAlive
  }

  /** Reads every log whole and compares it with its history. */
  async #judge(stage: Stage): Promise<void> {
    for (const topic of this.#topics.active) {
      for (const [number, partition] of topic.partitions.entries()) {
        const log = stage.manager.log(topic.name, number)
        if (log === undefined) {
          stage.problem(`${partition.history.name}: the log is not there`)
          continue
        }
        try {
          const records = await readAll(log, stage.random.pick([1, 700, 50_000]))
          if (!stage.disk.isAlive) return
          this.#recordsJudged += records.length
          const problems = partition.history.settle(
            records,
            log,
            partition.crash,
            this.#clock.now(),
          )
          for (const problem of problems) stage.problem(`after ${partition.crash}: ${problem}`)
        } catch (error) {
          if (error instanceof BadRead) stage.problem(`${partition.history.name}: ${error.message}`)
          else throw error
        }
      }
    }
  }

  async #retry(stage: Stage): Promise<void> {
    for (const topic of this.#topics.active) {
      for (const [number, partition] of topic.partitions.entries()) {
        const log = stage.manager.log(topic.name, number)
        if (log === undefined) continue
        // A client whose acknowledged records are gone, as a relaxed topic allows, begins anew.
        const mayHaveLost = !partition.history.isSynced && partition.crash === 'power cut'
        partition.crash = 'clean stop'
        partition.history.errors.length = 0
        for (const producer of partition.producers) {
          if (mayHaveLost) producer.beginAnew(this.#topics.nextProducerId())
          await producer.retryAll(log, this.#clock.now(), () => stage.disk.isAlive)
        }
      }
    }
  }

  /** A clean stop leaves nothing open. */
  async #stop(stage: Stage): Promise<void> {
    const isClean = await stage.manager.close()
    if (!isClean && stage.disk.isAlive && !stage.disk.hasFailed) {
      stage.problem('a stop with nothing wrong was not clean')
    }
    const left = stage.disk.openPaths
    if (stage.disk.isAlive && left.length > 0 && !stage.disk.hasFailed) {
      stage.problem(`files left open: ${left.join(', ')}`)
    }
    this.#tell('stopped')
  }

  #tell(sentence: string): void {
    this.#story.push(sentence)
  }
}
