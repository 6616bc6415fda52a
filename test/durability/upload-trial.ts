/**
 * The trial of `spool produce --resume`: the command loads a file and is killed with -9 over and over, the
 * broker too, and a proxy between them cuts connections; each time it is run again. In the end every line
 * of the file is in the log once, and the lines of a key stand in their order.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, string } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { CuttingProxy, type Fault } from '../rigs/cutting-proxy.ts'
import { SeededRandom } from '../rigs/random.ts'
import { SpoolCommand } from '../rigs/spool-command.ts'

const PARTITIONS = 4
const KEYS = 300
/** Small, so that logs roll while the broker is killed. */
const SEGMENT_BYTES = 1024 * 1024
/** The command takes some 300 ms to begin: some kills come before that, most once it appends. */
const LIFE_MS_MAX = 1_500
const APPENDING_MS_MAX = 600
const BROKER_LIFE_MS_MAX = 2_500
/** A few requests, which hold up to a batch of each partition. */
const PROXY_BYTES_MAX = 16 * 1024 * 1024
const PROBLEMS_SHOWN_MAX = 20
/** Of one file, from the first try to its end: whatever takes longer hangs. */
const TRIES_MAX = 500

export interface UploadTrialOptions {
  readonly seed: number
  /** Of the command. */
  readonly kills: number
  readonly brokerKills: number
  readonly hasProxy: boolean
  readonly linesPerFile: number
  readonly report?: (sentence: string) => void
}

export interface UploadVerdict {
  readonly files: number
  readonly lines: number
  readonly kills: number
  /** Those that came while records were being appended, or after some were. */
  readonly killsUnderWay: number
  readonly brokerKills: number
  readonly cuts: Readonly<Record<Fault, number>> | undefined
  /** Every broken promise, or the first of many. */
  readonly problems: readonly string[]
}

export async function runUploadTrial(options: UploadTrialOptions): Promise<UploadVerdict> {
  const trial = new UploadTrial(options)
  await trial.run()
  return trial.verdict()
}

/** When it is killed: so long after it was started, or after its first record has arrived. */
interface Death {
  readonly isEarly: boolean
  readonly afterMs: number
}

class UploadTrial {
  readonly #options: UploadTrialOptions
  readonly #random: SeededRandom
  readonly #directory = mkdtempSync(join(tmpdir(), 'spool-upload-'))
  #broker!: BrokerProcess
  #proxy: CuttingProxy | undefined
  #files = 0
  #kills = 0
  #brokerKills = 0
  #killsUnderWay = 0
  readonly #problems: string[] = []

  constructor(options: UploadTrialOptions) {
    this.#options = options
    this.#random = new SeededRandom(options.seed)
  }

  verdict(): UploadVerdict {
    return {
      files: this.#files,
      lines: this.#files * this.#options.linesPerFile,
      kills: this.#kills,
      brokerKills: this.#brokerKills,
      killsUnderWay: this.#killsUnderWay,
      cuts: this.#proxy?.counts,
      problems: this.#problems,
    }
  }

  async run(): Promise<void> {
    const { hasProxy, kills, brokerKills } = this.#options
    const dataDir = join(this.#directory, 'data')
    this.#broker = await BrokerProcess.start({ dataDir })
    const { port } = this.#broker
    if (hasProxy) {
      this.#proxy = await CuttingProxy.start({
        targetPort: port,
        random: this.#random.fork(),
        bytesBeforeFaultMax: PROXY_BYTES_MAX,
      })
    }
    const ending = new AbortController()
    const killing = this.#killBrokers(dataDir, port, ending.signal)
    try {
      do await this.#loadOneFile()
      while (
        this.#problems.length === 0 &&
        (this.#kills < kills || this.#brokerKills < brokerKills)
      )
    } finally {
      ending.abort()
      await killing
      await this.#proxy?.[Symbol.asyncDispose]()
      await this.#broker[Symbol.asyncDispose]()
      if (this.#problems.length === 0) rmSync(this.#directory, { recursive: true })
      else this.#options.report?.(`files and data are kept: ${this.#directory}`)
    }
  }

  async #killBrokers(dataDir: string, port: number, ending: AbortSignal): Promise<void> {
    const random = this.#random.fork()
    while (!ending.aborted && this.#brokerKills < this.#options.brokerKills) {
      await sleep(random.below(BROKER_LIFE_MS_MAX))
      if (ending.aborted) return
      await this.#broker.kill()
      this.#brokerKills += 1
      await sleep(random.below(300))
      this.#broker = await BrokerProcess.start({ dataDir, port })
    }
  }

  async #loadOneFile(): Promise<void> {
    const random = this.#random.fork()
    const topic = `upload-${this.#files++}`
    const isKeyed = random.chance(0.7)
    const lines = fileLines(this.#options.linesPerFile, random)
    const file = join(this.#directory, `${topic}.ndjson`)
    writeFileSync(file, lines.join('\n'))
    await this.#createTopic(topic)
    const words = [
      ...['produce', topic, '-l', file, '--resume', '--json'],
      ...(isKeyed ? ['--key-from', '/k'] : []),
      ...['--linger-ms', String(random.below(10)), '-z', random.pick(['lz4', 'none', 'zstd'])],
    ]
    for (let tries = 1; ; tries++) {
      if (tries > TRIES_MAX) throw new Error(`${topic} was not loaded in ${TRIES_MAX} tries`)
      const isKilled = this.#kills < this.#options.kills && random.chance(0.9)
      const rate = isKilled ? ['--rate', String(Math.ceil(lines.length * random.next() + 1))] : []
      const death = random.chance(0.3)
        ? { isEarly: true, afterMs: random.below(LIFE_MS_MAX) }
        : { isEarly: false, afterMs: random.below(APPENDING_MS_MAX) }
      if (await this.#load(topic, [...words, ...rate], isKilled ? death : undefined)) break
    }
    await this.#check(topic, lines, isKeyed)
    this.#options.report?.(
      `${topic}: ${lines.length} lines, ${isKeyed ? 'by key' : 'without keys'}; ${this.#kills} kills, ${this.#brokerKills} of the broker`,
    )
  }

  /** True when it was loaded to its end. */
  async #load(topic: string, words: readonly string[], death: Death | undefined): Promise<boolean> {
    const countBefore = await this.#recordCount(topic)
    const url = this.#proxy?.url ?? this.#broker.url
    await using command = new SpoolCommand(words, { url })
    const killing = death === undefined ? undefined : this.#kill(command, topic, countBefore, death)
    const { code, signal, stderr } = await command.ended
    await killing
    if (signal === 'SIGKILL') {
      if ((await this.#recordCount(topic)) > countBefore) this.#killsUnderWay += 1
      return false
    }
    // Nobody there, for now: a broker that is being killed, or a connection that was cut.
    if (code === 6) return false
    if (code !== 0) this.#problems.push(`it ended with ${code}: ${stderr.slice(-1_000)}`)
    return true
  }

  async #kill(
    command: SpoolCommand,
    topic: string,
    countBefore: number,
    { isEarly, afterMs }: Death,
  ): Promise<void> {
    while (!isEarly && command.isRunning && (await this.#recordCount(topic)) === countBefore) {
      await sleep(10)
    }
    await sleep(afterMs)
    if (!command.isRunning) return
    this.#kills += 1
    command.signal('SIGKILL')
  }

  async #recordCount(topic: string): Promise<number> {
    for (;;) {
      try {
        await using client = connect(this.#broker.url)
        const { partitions } = await client.admin.offsets(topic)
        return partitions.reduce((sum, { offset }) => sum + offset, 0)
      } catch {
        // The broker may be on its way back.
        await sleep(50)
      }
    }
  }

  async #createTopic(name: string): Promise<void> {
    for (;;) {
      try {
        await using client = connect(this.#broker.url)
        await client.admin.ensureTopic({
          name,
          partitions: PARTITIONS,
          config: { 'segment.bytes': SEGMENT_BYTES },
        })
        return
      } catch {
        await sleep(100)
      }
    }
  }

  async #check(topic: string, lines: readonly string[], isKeyed: boolean): Promise<void> {
    // The broker may be on its way back.
    await using client = connect(this.#broker.url)
    await client.ready()
    const reader = client.reader(topic, { key: string, value: string, until: 'latest' })
    const seen = new Map<string, number>()
    const lastOf = new Map<string, number>()
    const places = new Map(lines.map((line, at) => [line, at]))
    for await (const { partition, offset, key, value } of reader) {
      const line = value ?? ''
      const at = places.get(line)
      if (at === undefined) this.#problem(`${partition}/${offset} is no line: ${line}`)
      seen.set(line, (seen.get(line) ?? 0) + 1)
      const order = isKeyed ? String(key) : `partition ${partition}`
      const last = lastOf.get(order) ?? -1
      if (at !== undefined && at <= last) {
        this.#problem(`${topic}: line ${at + 1} stands after line ${last + 1} of ${order}`)
      }
      lastOf.set(order, at ?? last)
    }
    for (const [at, line] of lines.entries()) {
      const count = seen.get(line) ?? 0
      if (count !== 1) this.#problem(`${topic}: line ${at + 1} is there ${count} times`)
    }
  }

  #problem(sentence: string): void {
    if (this.#problems.length < PROBLEMS_SHOWN_MAX) this.#problems.push(sentence)
  }
}

/** No two alike, and some long. */
function fileLines(count: number, random: SeededRandom): string[] {
  return Array.from({ length: count }, (_, at) =>
    JSON.stringify({
      n: at,
      k: `key-${random.below(KEYS)}`,
      text: random.bytes(random.chance(0.01) ? 6_000 : random.below(120)).toString('base64'),
    }),
  )
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
