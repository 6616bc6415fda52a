/**
 * The trial of the client's producers: they write while the broker is killed with -9 and started again,
 * on the same port and directory, and while a proxy between them cuts connections. In the end everything
 * is read back and compared with what they were told.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { CuttingProxy, type Fault } from '../rigs/cutting-proxy.ts'
import { SeededRandom } from '../rigs/random.ts'
import { CampaignProducer, WAYS, type Way } from './campaign-producers.ts'
import { checkHistory, SendHistory, type SendVerdict } from './send-history.ts'
import { readPartition } from './trial-verdict.ts'

const TOPIC = 'campaign'
const PARTITIONS = 3
/** Small, so that logs roll while the broker is killed. */
const SEGMENT_BYTES = 256 * 1024
const KILL_AFTER_MS_MAX = 600
const POLL_MS = 50

export interface ProducerTrialOptions {
  readonly seed: number
  readonly kills: number
  /** Cuts of the proxy before the trial ends; 0 is without a proxy. */
  readonly cuts: number
  readonly report?: (sentence: string) => void
}

export interface ProducerTrialVerdict extends SendVerdict {
  readonly cuts: Readonly<Record<Fault, number>> | undefined
}

export async function runProducerTrial(
  options: ProducerTrialOptions,
): Promise<ProducerTrialVerdict> {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-producers-'))
  const random = new SeededRandom(options.seed)
  let broker = await BrokerProcess.start({ dataDir })
  const { port } = broker
  try {
    await createTopic(broker.url)
    await using proxy =
      options.cuts > 0
        ? await CuttingProxy.start({ targetPort: port, random: random.fork() })
        : undefined
    const history = new SendHistory(PARTITIONS)
    await using client = connect({ url: proxy?.url ?? broker.url, requestTimeoutMs: 2_000 })
    const producers = WAYS.map(
      (_, index) =>
        new CampaignProducer(client, {
          index,
          topic: TOPIC,
          partitions: PARTITIONS,
          history,
          random: random.fork(),
        }),
    )
    const work = Promise.all(producers.map((producer) => producer.run()))
    work.catch(() => {}) // awaited below, after the faults
    for (let kill = 1; kill <= options.kills; kill++) {
      await sleep(random.below(KILL_AFTER_MS_MAX))
      await broker.kill()
      broker = await BrokerProcess.start({ dataDir, port })
      options.report?.(
        `kill ${kill} of ${options.kills}: ready again after ${broker.readyAfterMs.toFixed(0)} ms, ${history.records.length} records sent`,
      )
    }
    while (proxy !== undefined && proxy.total < options.cuts) await sleep(POLL_MS)
    proxy?.calm()
    for (const producer of producers) producer.finish()
    await work
    const problems: string[] = []
    const logs = await Promise.all(
      Array.from({ length: PARTITIONS }, (_, partition) =>
        readPartition(broker.url, TOPIC, partition, problems),
      ),
    )
    const verdict = checkHistory(history.records, logs, (index) => WAYS[index] as Way)
    await broker.stop()
    if (isClean(verdict)) rmSync(dataDir, { recursive: true })
    else options.report?.(`the data directory is kept: ${dataDir}`)
    return { ...verdict, cuts: proxy?.counts }
  } finally {
    await broker[Symbol.asyncDispose]()
  }
}

/** A run in which nothing succeeded proves nothing. */
export function isClean({ counts, told }: SendVerdict): boolean {
  return told.acknowledged > 0 && Object.values(counts).every((count) => count === 0)
}

async function createTopic(url: string): Promise<void> {
  await using client = connect(url)
  await client.admin.createTopic({
    name: TOPIC,
    partitions: PARTITIONS,
    config: { 'segment.bytes': SEGMENT_BYTES },
  })
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
