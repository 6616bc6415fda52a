/**
 * The one broker process all cases run against: with limits small enough to meet quickly, topics to aim
 * at, and a witness on a connection of its own that goes on producing and remembers every record it was
 * told is safe. It owns the questions asked after each group: is all as it was, but for what was allowed?
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { TOPICS } from './hostile-case.ts'

const MIB = 1 << 20

/** In bytes and milliseconds, as `docs/configuration.md` has them. */
export const LIMITS = {
  'connections.max': 1_500,
  'waiting.requests.max': 100,
  'queued.max.bytes': 64 * MIB,
  'http.body.bytes.max': MIB,
  'decompressed.bytes.max': 16 * MIB,
  'fetch.max.bytes': 32 * MIB,
  'http.headers.ms.max': 1_500,
  'http.idle.ms.max': 1_200,
  'http.request.ms.max': 1_800,
  'http.keep.alive.ms.max': 800,
  'stream.max.bytes': 64 * MIB,
  'stream.stalled.ms.max': 600,
  'topics.max': 30,
  'partitions.max': 100,
  'producer.ids.per.partition.max': 500,
  'groups.max': 400,
  'disk.reserve.bytes': 0,
} as const

/**
 * The most the process may grow by during a flood. What it may hold of clients' bytes is 64 MiB and a batch;
 * the rest is what the collector has not seen yet, and what the allocator keeps: floods repeated come to
 * rest below this. Without a bound they reach gigabytes.
 */
export const MEMORY_PEAK_MIB_MAX = 800
/** The most it may still refer to at the end, code and caches included. */
export const MEMORY_HELD_MIB_MAX = 200

/** Gauges that are 0 when nobody asks for anything. */
const HELD = [
  'spool_queued_bytes',
  'spool_waiting_requests',
  'spool_streams',
  'spool_stream_feeds',
  'spool_stream_bytes',
]

const COLLECTED = 'collected'
/** Lets a test ask for a collection: an idle process does none, and what is dead would pass for held. */
const COLLECTS_ON_SIGUSR2 = [
  '--expose-gc',
  '--import',
  `data:text/javascript,process.on('SIGUSR2', () => { gc(); console.error('${COLLECTED}') })`,
]

const WITNESS = 'witness'
/** What floods read from. */
export const FLOOD_TOPICS: readonly string[] = ['bulk', 'bloated']
const WITNESS_PAUSE_MS = 20
const JSON_HEADERS = { 'content-type': 'application/json' }

export class BrokerUnderAttack implements AsyncDisposable {
  readonly dataDir: string
  #process: BrokerProcess
  readonly #agent = new Agent({ connections: 2 })
  readonly #acknowledged: string[] = []
  readonly #witnessErrors: string[] = []
  #isWatching = true
  #witness: Promise<void> = Promise.resolve()
  #memoryBeforeMiB = 0
  #peakMiB = 0

  private constructor(dataDir: string, process: BrokerProcess) {
    this.dataDir = dataDir
    this.#process = process
  }

  static async start(): Promise<BrokerUnderAttack> {
    const dataDir = await mkdtemp(join(tmpdir(), 'spool-hostile-'))
    const attacked = new BrokerUnderAttack(dataDir, await launch(dataDir))
    await attacked.#prepare()
    // So that there is a leader epoch before the present one.
    await attacked.#process.stop()
    attacked.#process = await launch(dataDir)
    attacked.#memoryBeforeMiB = attacked.memoryMiB()
    attacked.#witness = attacked.#produceUntilTold()
    return attacked
  }

  get port(): number {
    return this.#process.port
  }

  get memoryBeforeMiB(): number {
    return this.#memoryBeforeMiB
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length
  }

  get log(): string {
    return this.#process.log
  }

  memoryMiB(): number {
    return this.#process.memoryMiB()
  }

  /** What is still referred to, inside and outside V8's heap: not what is dead, nor what the allocator keeps. */
  async heldMemoryMiB(): Promise<number> {
    this.#process.signal('SIGUSR2')
    const isCollected = () => this.log.includes(COLLECTED)
    const problems: string[] = []
    await eventually(isCollected, 'the broker did not collect', problems)
    if (problems.length > 0) throw new Error(problems[0])
    const heap = await this.metric('nodejs_heap_size_used_bytes')
    return (heap + (await this.metric('nodejs_external_memory_bytes'))) / MIB
  }

  /** One request on an honest connection. */
  async ask(path: string, sent: { method?: string; body?: string } = {}) {
    const { statusCode, body } = await request(`${this.#process.url}${path}`, {
      method: (sent.method ?? 'GET') as 'GET',
      headers: sent.body === undefined ? {} : JSON_HEADERS,
      body: sent.body ?? null,
      dispatcher: this.#agent,
    })
    return { status: statusCode, text: await body.text() }
  }

  async metric(name: string): Promise<number> {
    const { text } = await this.ask('/metrics')
    return Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1])
  }

  /** What is not as it must be, in sentences. */
  async problems(): Promise<string[]> {
    if (!this.#process.isRunning) return [`the broker ended; its log:\n${this.log}`]
    const problems: string[] = []
    const before = this.#acknowledged.length
    const ready = await this.ask('/health/ready')
    if (ready.status !== 200) problems.push(`/health/ready is ${ready.status}`)
    await eventually(
      () => this.#acknowledged.length > before,
      'the witness does not get on',
      problems,
    )
    await this.#checkUntouched(problems)
    for (const held of HELD) {
      await eventually(async () => (await this.metric(held)) === 0, `${held} is not 0`, problems)
    }
    // Whatever a client does is no error of the broker's.
    const errors = this.log.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line))
    if (errors.length > 0) problems.push(`logged: ${errors[0]}`)
    return problems
  }

  async #checkUntouched(problems: string[]): Promise<void> {
    const { text } = await this.ask('/v1/topics?limit=1000')
    const names = JSON.parse(text).topics.map((topic: { name: string }) => topic.name)
    const strangers = names.filter(
      (name: string) =>
        name !== WITNESS && !Object.hasOwn(TOPICS, name) && !FLOOD_TOPICS.includes(name),
    )
    if (strangers.length > 0) problems.push(`topics nobody made: ${strangers}`)
    const { text: described } = await this.ask('/v1/topics/untouched')
    for (const { partition, logEndOffset } of JSON.parse(described).partitions) {
      if (logEndOffset !== 0) problems.push(`untouched-${partition} ends at ${logEndOffset}`)
    }
  }

  /** The most memory seen while `work` runs. */
  async peakDuring<Result>(
    work: () => Promise<Result>,
  ): Promise<{ result: Result; peakMiB: number }> {
    this.#peakMiB = this.memoryMiB()
    const sampling = setInterval(() => {
      if (this.#process.isRunning) this.#peakMiB = Math.max(this.#peakMiB, this.memoryMiB())
    }, 25)
    try {
      return { result: await work(), peakMiB: this.#peakMiB }
    } finally {
      clearInterval(sampling)
    }
  }

  /** Ends the witness and reads all it was promised, before and after the broker is killed and started again. */
  async lostRecords(): Promise<string[]> {
    this.#isWatching = false
    await this.#witness
    const lost = await this.#missing('on the running broker')
    await this.#process.kill()
    this.#process = await launch(this.dataDir)
    const lostLater = await this.#missing('after kill -9')
    const errors = this.#witnessErrors.map((error) => `the witness was told ${error}`)
    return [...errors, ...lost, ...lostLater]
  }

  async #missing(when: string): Promise<string[]> {
    const found = new Set<string>()
    for (let from = 0; ; ) {
      const path = `/v1/topics/${WITNESS}/partitions/0/records?limit=10000&from=${from}`
      const page = JSON.parse((await this.ask(path)).text)
      for (const { value } of page.records) found.add(value)
      if (page.nextOffset === page.highWatermark) break
      from = page.nextOffset
    }
    const missing = this.#acknowledged.filter((value) => !found.has(value))
    return missing.length === 0 ? [] : [`${missing.length} acknowledged records missing ${when}`]
  }

  async #prepare(): Promise<void> {
    for (const [name, topic] of Object.entries({ ...TOPICS, [WITNESS]: { partitions: 1 } })) {
      const { status, text } = await this.ask(`/v1/topics/${name}`, {
        method: 'PUT',
        body: JSON.stringify(topic),
      })
      if (status !== 201) throw new Error(`topic ${name} could not be made: ${text}`)
    }
    const records = Array.from({ length: 10 }, (_, i) => ({ value: i }))
    const body = JSON.stringify({ records })
    await this.ask('/v1/topics/trimmed/records', { method: 'POST', body })
    await this.ask('/v1/topics/trimmed/partitions/0/records?before=4', { method: 'DELETE' })
  }

  async #produceUntilTold(): Promise<void> {
    for (let i = 0; this.#isWatching; i++) {
      const value = `witness ${i}`
      try {
        const { status, text } = await this.ask(`/v1/topics/${WITNESS}/records`, {
          method: 'POST',
          body: JSON.stringify({ value }),
        })
        if (status === 200) this.#acknowledged.push(value)
        // To be told that there is no room for more bytes or connections now is an honest answer.
        else if (status !== 503 || !/queued\.max\.bytes|connections\.max/.test(text))
          this.#witnessErrors.push(text)
      } catch (error) {
        this.#witnessErrors.push(String(error))
        if (!this.#process.isRunning) return
      }
      await delay(WITNESS_PAUSE_MS)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isWatching = false
    await this.#witness
    await this.#process[Symbol.asyncDispose]()
    await this.#agent.destroy()
    await rm(this.dataDir, { recursive: true, force: true })
  }
}

function launch(dataDir: string): Promise<BrokerProcess> {
  const flags = Object.entries(LIMITS).flatMap(([key, value]) => [
    `--${key.replaceAll('.', '-')}`,
    String(value),
  ])
  return BrokerProcess.start({
    dataDir,
    flags: [...flags, '--log-level', 'warn'],
    nodeFlags: COLLECTS_ON_SIGUSR2,
  })
}

const EVENTUALLY_MS = 8_000

async function eventually(
  isTrue: () => boolean | Promise<boolean>,
  otherwise: string,
  problems: string[],
): Promise<void> {
  const deadline = performance.now() + EVENTUALLY_MS
  while (!(await isTrue())) {
    if (performance.now() > deadline) {
      problems.push(otherwise)
      return
    }
    await delay(50)
  }
}
