/**
 * Very many readers of one topic at once, some of them stalled, while records come steadily. What must
 * hold: every reader that reads gets every record once and in order, down to the last byte; a stalled one
 * is cut; the broker's memory stays flat; a batch is read from the log as often with a thousand readers as
 * with one; and a client that has nothing to do with any of it is served as before.
 *
 *     broker (a process) ◄── producers, prober (this process)
 *         └──► readers (a process of their own): tail · history · stalled tail · stalled history
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SeededRandom } from '../rigs/random.ts'
import { type Latencies, Prober, StreamLoad } from './stream-load.ts'
import type { Order, ReaderKind, Standing } from './stream-readers.ts'

export interface StreamTrialOptions {
  readonly minutes: number
  readonly readers: number
  readonly stalled: number
  readonly seed: number
  /** 1: read as a partition, whose every event has its id; more: as a topic. */
  readonly partitions: number
  readonly recordsPerSecond: number
  /** The broker's `stream.stalled.ms.max`. */
  readonly stalledMsMax: number
  /** Rows of the table come so often. */
  readonly reportMs: number
  readonly report?: (line: string) => void
}

/** One row of the table. */
export interface Sample {
  readonly seconds: number
  readonly memoryMiB: number
  readonly records: number
  readonly readers: number
  /** Stalled readers that the broker has cut. */
  readonly stalledCut: number
  /** Records that the slowest reader at the tail is behind. */
  readonly lag: number
  /** Batches read from logs for each batch appended, since the row before. */
  readonly readsPerBatch: number
  readonly probe: Latencies
}

export interface StreamVerdict {
  readonly problems: readonly string[]
  readonly samples: readonly Sample[]
  /** Records handed to readers that read. */
  readonly delivered: number
  readonly appended: number
  readonly stalledCut: number
  readonly probeBefore: Latencies
}

const TOPIC = 'feed'
const PROBED = 'probed'
const VALUE_BYTES = 512
const RECORDS_PER_REQUEST = 10
/** What lies in the topic before: more than sockets hold, so that a reader of it who stalls is noticed. */
const HISTORY_BYTES = 16 * 1024 * 1024
const HISTORY_VALUE_BYTES = 64 * 1024
/** One of so many readers begins with the history. */
const HISTORY_SHARE = 50
/** What the system and Node hold for a connection, both sides: until then nobody knows that a reader stalled. */
const SOCKET_BYTES = 8 * 1024 * 1024
/** How long one that was cut may take to see it, once it reads again. */
const DRAIN_MS_MAX = 30_000
const CONNECT_MS_MAX = 60_000
const CATCH_UP_MS_MAX = 120_000
const PROBE_EVERY_MS = 50

/** Batches that streams read from logs, for whomever. */
const READ_BATCHES = 'spool_stream_read_batches_total'
/** Streams cut because their readers took nothing. */
const STALLED = 'spool_stream_stalled_total'
const BASELINE_MS = 3_000

export async function runStreamTrial(options: StreamTrialOptions): Promise<StreamVerdict> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-streams-'))
  const flags = ['--stream-stalled-ms-max', String(options.stalledMsMax), '--log-level', 'warn']
  await using broker = await BrokerProcess.start({ dataDir, flags })
  const trial = new Trial(broker, options)
  try {
    return await trial.run()
  } finally {
    await trial.close()
    rmSync(dataDir, { recursive: true })
  }
}

class Trial {
  readonly #broker: BrokerProcess
  readonly #options: StreamTrialOptions
  readonly #random: SeededRandom
  readonly #load: StreamLoad
  readonly #prober: Prober
  readonly #child = fork(join(import.meta.dirname, 'stream-readers.ts'))
  readonly #stop = new AbortController()
  readonly #samples: Sample[] = []
  readonly #problems: string[] = []
  #opened = 0
  /** At the last row: when, batches read from logs, batches appended. */
  #before = { readBatches: 0, appendedBatches: 0 }
  #startedAt = 0

  constructor(broker: BrokerProcess, options: StreamTrialOptions) {
    this.#broker = broker
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    this.#load = new StreamLoad({
      url: broker.url,
      topic: TOPIC,
      partitions: options.partitions,
      random: this.#random,
      valueBytes: VALUE_BYTES,
    })
    this.#prober = new Prober(broker.url, PROBED)
  }

  async run(): Promise<StreamVerdict> {
    const { minutes, reportMs, recordsPerSecond } = this.#options
    await this.#prepare()
    const { signal } = this.#stop
    const probing = this.#prober.run(PROBE_EVERY_MS, signal)
    await delay(BASELINE_MS)
    const probeBefore = this.#prober.latencies()
    const tailFrom = this.#load.ends
    const joining = await this.#connect(tailFrom)
    const producing = this.#load.run({
      recordsPerSecond,
      recordsPerRequest: RECORDS_PER_REQUEST,
      signal,
    })
    producing.catch((error) => this.#problems.push((error as Error).message))
    this.#startedAt = performance.now()
    await this.#remember()
    const rows = Math.max(3, Math.round((minutes * 60_000) / reportMs))
    for (let row = 0; row < rows; row++) {
      for (const join of joining.splice(0, Math.ceil(joining.length / 3))) join()
      await delay(reportMs)
      await this.#sample(tailFrom)
    }
    this.#stop.abort()
    await Promise.all([probing, producing.catch(() => {})])
    const last = await this.#caughtUp(tailFrom)
    this.#judgeReaders(last, tailFrom)
    const stalledCut = await this.#judgeStalled(tailFrom)
    this.#judgeBroker()
    const { records: delivered } = last
    return {
      problems: [...this.#problems, ...last.problems, ...this.#prober.failures.slice(0, 10)],
      samples: this.#samples,
      delivered,
      appended: this.#load.count,
      stalledCut,
      probeBefore,
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    if (this.#child.connected) {
      this.#child.send({ type: 'leave' } satisfies Order)
      await once(this.#child, 'exit')
    }
    await this.#load.close()
    await this.#prober.close()
  }

  /** Topics, and what is in them before anybody reads. */
  async #prepare(): Promise<void> {
    for (const [name, partitions] of [
      [TOPIC, this.#options.partitions],
      [PROBED, 1],
    ] as const) {
      const reply = await fetch(`${this.#broker.url}/v1/topics`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name, partitions }),
      })
      if (reply.status !== 201) throw new Error(await reply.text())
    }
    for (let bytes = 0; bytes < HISTORY_BYTES; bytes += HISTORY_VALUE_BYTES) {
      await this.#load.append(1, HISTORY_VALUE_BYTES)
    }
  }

  /** Lets most readers in and waits for them; returns the calls that let the others in while records come. */
  async #connect(tailFrom: readonly number[]): Promise<(() => void)[]> {
    const { readers, stalled } = this.#options
    const history = Math.max(1, Math.floor(readers / HISTORY_SHARE))
    const later = Math.floor(readers / 4)
    const stalledHistory = Math.ceil(stalled / 2)
    const cursor = await this.#cursorOfEnd()
    const open = (kind: ReaderKind, count: number) => this.#open(kind, count, cursor, tailFrom)
    open('stalled history', stalledHistory)
    open('stalled tail', stalled - stalledHistory)
    open('tail', readers - history - later)
    open('history', history)
    const deadline = performance.now() + CONNECT_MS_MAX
    for (;;) {
      const { connected } = await this.#ask()
      if (connected === this.#opened) break
      if (performance.now() > deadline) {
        throw new Error(`${connected} of ${this.#opened} readers were let in; ${this.#broker.log}`)
      }
      await delay(200)
    }
    const groups: (() => void)[] = []
    for (let left = later; left > 0; ) {
      const count = Math.min(left, 1 + (this.#random.next32() % 50))
      groups.push(() => open('tail', count))
      left -= count
    }
    return groups
  }

  #open(kind: ReaderKind, count: number, cursor: string, tailFrom: readonly number[]): void {
    const isTail = kind.endsWith('tail')
    this.#opened += count
    this.#child.send({
      type: 'open',
      kind,
      count,
      port: this.#broker.port,
      path: `${this.#path}${isTail ? `?cursor=${cursor}` : ''}`,
      from: isTail ? tailFrom : tailFrom.map(() => 0),
    } satisfies Order)
  }

  get #path(): string {
    const part = this.#options.partitions === 1 ? '/partitions/0' : ''
    return `/v1/topics/${TOPIC}${part}/records`
  }

  async #cursorOfEnd(): Promise<string> {
    const reply = await fetch(`${this.#broker.url}/v1/topics/${TOPIC}/records?from=latest`)
    return ((await reply.json()) as { cursor: string }).cursor
  }

  async #ask(): Promise<Standing> {
    this.#child.send({ type: 'ask' } satisfies Order)
    const [standing] = (await once(this.#child, 'message')) as [Standing]
    return standing
  }

  async #metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.#broker.url}/metrics`)).text()
    return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1])
  }

  async #remember(): Promise<{ readBatches: number; appendedBatches: number }> {
    const now = {
      readBatches: await this.#metric(READ_BATCHES),
      appendedBatches: this.#load.batches,
    }
    const { readBatches, appendedBatches } = this.#before
    this.#before = now
    return {
      readBatches: now.readBatches - readBatches,
      appendedBatches: now.appendedBatches - appendedBatches,
    }
  }

  async #sample(tailFrom: readonly number[]): Promise<void> {
    const own = this.#load.count - sum(tailFrom)
    const { connected, stalledOpen, least } = await this.#ask()
    const { readBatches, appendedBatches } = await this.#remember()
    const sample: Sample = {
      seconds: Math.round((performance.now() - this.#startedAt) / 1_000),
      memoryMiB: this.#broker.memoryMiB(),
      records: own,
      readers: connected - stalledOpen,
      stalledCut: await this.#metric(STALLED),
      lag: Math.max(0, own - least),
      readsPerBatch: readBatches / appendedBatches,
      probe: this.#prober.latencies(),
    }
    this.#samples.push(sample)
    this.#options.report?.(rowOf(sample))
  }

  /** Waits until every reader has everything, or nothing changes any more. */
  async #caughtUp(tailFrom: readonly number[]): Promise<Standing> {
    const deadline = performance.now() + CATCH_UP_MS_MAX
    for (;;) {
      const standing = await this.#ask()
      const isDone = standing.groups.every(({ nextOffsets }) =>
        nextOffsets.every((next, partition) => next === this.#load.ends[partition]),
      )
      if (isDone || performance.now() > deadline || standing.problems.length > 0) return standing
      this.#options.report?.(
        `waiting for ${this.#load.count - sum(tailFrom) - standing.least} records`,
      )
      await delay(500)
    }
  }

  /** Everybody stands at the end, with the checksums of what was acknowledged. */
  #judgeReaders({ groups }: Standing, tailFrom: readonly number[]): void {
    const { readers } = this.#options
    const ends = JSON.stringify(this.#load.ends)
    const ofTail = JSON.stringify(this.#load.checksums(tailFrom))
    const ofHistory = JSON.stringify(this.#load.checksums(tailFrom.map(() => 0)))
    let right = 0
    for (const { kind, nextOffsets, checksums, count } of groups) {
      const expected = kind === 'tail' ? ofTail : ofHistory
      const isThere = JSON.stringify(nextOffsets) === ends
      if (isThere && JSON.stringify(checksums) === expected) right += count
      else {
        const what = isThere ? 'read other bytes' : `stand at ${nextOffsets}, not ${ends}`
        this.#problems.push(`${count} readers (${kind}) ${what}`)
      }
    }
    if (right !== readers) this.#problems.push(`${right} of ${readers} readers have everything`)
  }

  /** Returns how many stalled readers the broker had cut before they read again. */
  async #judgeStalled(tailFrom: readonly number[]): Promise<number> {
    const { stalled } = this.#options
    const cut = await this.#metric(STALLED)
    const hasFilledAll = (this.#load.count - sum(tailFrom)) * VALUE_BYTES > SOCKET_BYTES
    const due = hasFilledAll ? stalled : Math.ceil(stalled / 2)
    if (!(cut >= due)) this.#problems.push(`${cut} stalled readers were cut, not ${due}`)
    if (cut > stalled) this.#problems.push(`${cut} readers were cut; only ${stalled} stalled`)
    this.#child.send({ type: 'resume' } satisfies Order)
    const deadline = performance.now() + DRAIN_MS_MAX
    let left = stalled
    while (left > stalled - cut && performance.now() < deadline) {
      await delay(200)
      left = (await this.#ask()).stalledOpen
    }
    if (left > stalled - cut) {
      this.#problems.push(`${left} stalled readers think they are connected; ${cut} were cut`)
    }
    return cut
  }

  /** Memory is flat once all are connected, and reading is shared. */
  #judgeBroker(): void {
    const memory = this.#samples.map(({ memoryMiB }) => memoryMiB)
    const half = Math.ceil(memory.length / 2)
    const [early, late] = [Math.max(...memory.slice(0, half)), Math.max(...memory.slice(half))]
    if (late > early * GROWTH_MAX + GROWTH_MIB_MAX) {
      this.#problems.push(`memory grew from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`)
    }
    // While readers join, each reads for itself what it missed.
    const reads = this.#samples.slice(half).map(({ readsPerBatch }) => readsPerBatch)
    const least = Math.min(...reads)
    if (!(least <= READS_PER_BATCH_MAX)) {
      this.#problems.push(
        `each batch was read ${least.toFixed(1)} times, by ${this.#options.readers}`,
      )
    }
  }
}

/** What a garbage collector may be late by. */
const GROWTH_MAX = 1.1
const GROWTH_MIB_MAX = 32
/** One would do; a reader that lagged a little reads a batch for itself now and then. */
const READS_PER_BATCH_MAX = 3

export const TABLE_HEAD = [
  '| seconds | RssAnon MiB | records | readers | stalled cut | slowest lags | reads/batch | probe p50 ms | p99 | max |',
  '|---|---|---|---|---|---|---|---|---|---|',
].join('\n')

function rowOf(sample: Sample): string {
  const { seconds, memoryMiB, records, readers, stalledCut, lag, readsPerBatch, probe } = sample
  const cells = [
    seconds,
    memoryMiB.toFixed(0),
    records,
    readers,
    stalledCut,
    lag,
    readsPerBatch.toFixed(2),
    probe.p50.toFixed(1),
    probe.p99.toFixed(1),
    probe.max.toFixed(0),
  ]
  return `| ${cells.join(' | ')} |`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
