/**
 * The trial of kill -9: producers write over HTTP while the broker is killed and started again, and in the
 * end everything is read back and compared with what was acknowledged. Values are unique, so
 * that a lost, repeated or foreign record is seen as what it is.
 *
 * Half of the producers are plain: they never send a value twice, and forget one whose request failed.
 * The other half are idempotent: they repeat the same request, across the death of the broker, until it
 * is acknowledged, and so nothing of theirs may be missing or there twice.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SeededRandom } from '../rigs/random.ts'
import { IdempotentProducer, PlainProducer, type TrialProducer } from './trial-producers.ts'
import { compareLogs, type Verdict } from './trial-verdict.ts'

const BIN = join(import.meta.dirname, '../../cli/bin.js')
const TOPIC = 'kills'
const PARTITIONS = 4
const PRODUCERS = 8
/** Small, so that the log rolls many times while it is killed. */
const SEGMENT_BYTES = 64 * 1024
const KILL_AFTER_MS_MAX = 500
/** How often the broker is killed again before it has finished its recovery. */
const KILLED_STARTING = 0.2
const STARTING_MS_MAX = 200

export interface TrialOptions {
  readonly kills: number
  readonly seed: number
  /** The topic's `flush.messages`; above 1 acknowledgements come before the sync, and must survive too. */
  readonly flushMessages?: number
  /** Hears one sentence per kill. */
  readonly report?: (sentence: string) => void
}

/** Where producers find the broker that runs now; they wait while there is none. */
export class Address {
  #up = Promise.withResolvers<string>()

  current(): Promise<string> {
    return this.#up.promise
  }

  isUp(url: string): void {
    this.#up.resolve(url)
  }

  isDown(): void {
    this.#up = Promise.withResolvers()
  }
}

/** Runs the trial in a directory of its own, which is removed unless something was lost. */
export async function runKillTrial(options: TrialOptions): Promise<Verdict> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-kills-'))
  const random = new SeededRandom(options.seed)
  const address = new Address()
  let broker = await BrokerProcess.start({ dataDir })
  try {
    const { flushMessages = 1 } = options
    const durability = flushMessages === 1 ? 'flushed' : 'written'
    await createTopic(broker.url, flushMessages)
    const producers = Array.from({ length: PRODUCERS }, (_, index): TrialProducer => {
      const Kind = index % 2 === 0 ? PlainProducer : IdempotentProducer
      const partition = Math.floor(index / 2) % PARTITIONS
      return new Kind({
        index,
        topic: TOPIC,
        partition,
        address,
        durability,
        random: random.fork(),
      })
    })
    address.isUp(broker.url)
    const work = Promise.all(producers.map((producer) => producer.run()))
    work.catch(() => {}) // awaited below, after the kills
    for (let kill = 1; kill <= options.kills; kill++) {
      await sleep(random.below(KILL_AFTER_MS_MAX))
      address.isDown()
      await broker.kill()
      broker = await startAgain(dataDir, random)
      address.isUp(broker.url)
      const acknowledged = producers.reduce((sum, it) => sum + it.acknowledged.size, 0)
      options.report?.(
        `kill ${kill} of ${options.kills}: ready again after ${broker.readyAfterMs.toFixed(0)} ms, ${acknowledged} records acknowledged so far`,
      )
    }
    for (const producer of producers) producer.finish()
    await work
    const compared = await compareLogs(broker.url, TOPIC, PARTITIONS, producers)
    await broker.stop()
    const verdict = { ...compared, problems: [...compared.problems, ...filesProblems(dataDir)] }
    if (verdict.problems.length === 0) rmSync(dataDir, { recursive: true })
    else options.report?.(`the data directory is kept: ${dataDir}`)
    return verdict
  } finally {
    await broker[Symbol.asyncDispose]()
  }
}

/** Starts the broker, which now and then dies once more while it recovers. */
async function startAgain(dataDir: string, random: SeededRandom): Promise<BrokerProcess> {
  while (random.chance(KILLED_STARTING)) {
    const starting = BrokerProcess.launch({ dataDir })
    await sleep(random.below(STARTING_MS_MAX))
    await starting.kill()
  }
  return BrokerProcess.start({ dataDir })
}

/** What `spool log dump --verify` says of the files once the broker has stopped in order. */
export function filesProblems(dataDir: string): string[] {
  const words = [BIN, 'log', 'dump', dataDir, '--verify', '--json']
  const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  if (status === 0) return []
  return stdout.split('\n').filter((line) => line.includes('"kind":"problem"'))
}

async function createTopic(url: string, flushMessages: number): Promise<void> {
  const response = await fetch(`${url}/v1/topics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name: TOPIC,
      partitions: PARTITIONS,
      config: { 'segment.bytes': SEGMENT_BYTES, 'flush.messages': flushMessages },
    }),
  })
  if (response.status !== 201) throw new Error(`no topic: ${await response.text()}`)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
