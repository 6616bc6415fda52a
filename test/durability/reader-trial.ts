/**
 * The trial of the client's readers: they follow a topic while producers write to it, the broker is killed
 * with -9 and started again on the same port and directory, and, where it is asked for, a proxy cuts the
 * readers' connections. In the end what each was given is compared with the log: each record once, in
 * order, and nothing that was seen is gone.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../client/index.ts'
import { connect as connectWeb } from '../../client/web.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { CuttingProxy } from '../rigs/cutting-proxy.ts'
import { SeededRandom } from '../rigs/random.ts'
import { CampaignProducer } from './campaign-producers.ts'
import { CampaignReader, READER_WAYS } from './campaign-readers.ts'
import { checkReading, noAnomalies, type ReadAnomaly, type ReadVerdict } from './read-history.ts'
import { SendHistory } from './send-history.ts'
import { readPartition } from './trial-verdict.ts'

const TOPIC = 'campaign'
const PARTITIONS = 3
/** Small, so that logs roll while the broker is killed. */
const SEGMENT_BYTES = 256 * 1024
const KILL_AFTER_MS_MAX = 600
const POLL_MS = 50
/** The patient ways of `campaign-producers`. */
const PRODUCERS = 4
/** A lost answer is given up soon, so that there are many. */
const QUICK = { requestTimeoutMs: 2_000, retryBackoffMs: 10, retryBackoffMsMax: 200 }

export interface ReaderTrialOptions {
  readonly seed: number
  readonly kills: number
  /** Cuts of the proxy before the trial ends; 0 is without a proxy. */
  readonly cuts: number
  readonly report?: (sentence: string) => void
}

export interface ReaderTrialVerdict extends ReadVerdict {
  readonly inLog: number
  readonly readers: number
  readonly cuts: number
}

export async function runReaderTrial(options: ReaderTrialOptions): Promise<ReaderTrialVerdict> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-readers-'))
  const random = new SeededRandom(options.seed)
  let broker = await BrokerProcess.start({ dataDir })
  const { port } = broker
  try {
    await using proxy =
      options.cuts > 0
        ? await CuttingProxy.start({ targetPort: port, random: random.fork() })
        : undefined
    await using writing = connect({ url: broker.url, ...QUICK })
    const through = { url: proxy?.url ?? broker.url, ...QUICK }
    await using reading = connect(through)
    await using readingOverFetch = connectWeb(through)
    await writing.admin.createTopic({
      name: TOPIC,
      partitions: PARTITIONS,
      config: { 'segment.bytes': SEGMENT_BYTES },
    })
    const place = { topic: TOPIC, partitions: PARTITIONS }
    const history = new SendHistory(PARTITIONS)
    const producers = Array.from(
      { length: PRODUCERS },
      (_, index) =>
        new CampaignProducer(writing, { ...place, index, history, random: random.fork() }),
    )
    const readers = READER_WAYS.map(
      (way) =>
        new CampaignReader(way.isOverFetch === true ? readingOverFetch : reading, {
          ...place,
          way,
          random: random.fork(),
        }),
    )
    const writers = Promise.all(producers.map((producer) => producer.run()))
    const reads = Promise.all(readers.map((reader) => reader.run()))
    for (const work of [writers, reads]) work.catch(() => {}) // awaited below, after the faults
    for (let kill = 1; kill <= options.kills; kill++) {
      await sleep(random.below(KILL_AFTER_MS_MAX))
      await broker.kill()
      broker = await BrokerProcess.start({ dataDir, port })
      const given = readers.map(({ logs }) => logs.reduce((sum, { length }) => sum + length, 0))
      options.report?.(
        `kill ${kill} of ${options.kills}: ready again after ${broker.readyAfterMs.toFixed(0)} ms; ${history.records.length} sent, read by the slowest ${Math.min(...given)}, by the fastest ${Math.max(...given)}`,
      )
    }
    while (proxy !== undefined && proxy.total < options.cuts) await sleep(POLL_MS)
    proxy?.calm()
    for (const producer of producers) producer.finish()
    await writers
    const problems: string[] = []
    const logs = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, partition) =>
        readPartition(broker.url, TOPIC, partition, problems),
      ),
    )
    for (const reader of readers) reader.finish(logs.map(({ length }) => length))
    await reads
    const verdicts = readers.map(({ way, logs: given }) => checkReading(way.name, given, logs))
    const verdict = {
      counts: sumOf(verdicts),
      examples: [...problems, ...verdicts.flatMap(({ examples }) => examples)],
      inLog: logs.reduce((sum, { length }) => sum + length, 0),
      readers: readers.length,
      cuts: proxy?.total ?? 0,
    }
    await broker.stop()
    if (isCleanReading(verdict)) rmSync(dataDir, { recursive: true })
    else options.report?.(`the data directory is kept: ${dataDir}`)
    return verdict
  } finally {
    await broker[Symbol.asyncDispose]()
  }
}

/** A run in which nothing was written proves nothing. */
export function isCleanReading({ counts, examples, inLog }: ReaderTrialVerdict): boolean {
  return inLog > 0 && examples.length === 0 && Object.values(counts).every((count) => count === 0)
}

function sumOf(verdicts: readonly ReadVerdict[]): Record<ReadAnomaly, number> {
  const sum = noAnomalies()
  for (const { counts } of verdicts) {
    for (const [name, count] of Object.entries(counts)) sum[name as ReadAnomaly] += count
  }
  return sum
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
