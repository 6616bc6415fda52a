/**
 * Appends to one topic while another is compacted, beside the same appends when nothing is: what a compaction
 * costs those who wait. And how fast it is, by the broker's own count. The topic is filled first, and becomes a
 * compacted one when the measuring begins.
 */

import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { BrokerProcess } from '../../test/rigs/broker-process.ts'
import { createTopic, TOPIC } from '../broker-under-test.ts'
import { runClient } from '../child.ts'
import { encodeEnvelope } from '../clients/envelope.ts'
import type { SmallPostsAnswer, SmallPostsTask } from '../clients/small-posts.ts'
import type { Measure, Scenario, TrialContext } from '../scenario.ts'

const KEYED = 'keyed'
/** Written twice. */
const KEYS = 2_000_000
const BATCH_RECORDS = 500
const REQUEST_BATCHES = 4
const VALUE_BYTES = 100
const CONNECTIONS = 4
const WARM_UP_SECONDS_MAX = 1
const MIB = 1024 * 1024
/** Of the whole; a few segments are closed also where there is little. */
const SEGMENT_BYTES = 64 * MIB
const SEGMENT_BYTES_MIN = MIB / 8
const FLAGS = [
  ...['--log-level', 'warn', '--disk-reserve-bytes', '0'],
  ...['--log-cleaner-backoff-ms', '100'],
]
/** Bytes that do not compress much, to cut values from. */
const TEXT = Buffer.from(Array.from({ length: MIB }, () => Math.floor(Math.random() * 94) + 33))

async function filled(url: string, scale: number): Promise<void> {
  const keys = Math.max(BATCH_RECORDS * REQUEST_BATCHES, Math.round(KEYS * scale))
  for (let first = 0; first < 2 * keys; first += BATCH_RECORDS * REQUEST_BATCHES) {
    const batches = Array.from({ length: REQUEST_BATCHES }, (_, index) =>
      keyedBatch(first + index * BATCH_RECORDS, keys),
    )
    const envelope = encodeEnvelope({
      acks: 'all',
      timeoutMs: 60_000,
      batches: batches.map(({ length }) => ({ topic: KEYED, partition: 0, bytes: length })),
    })
    const reply = await fetch(`${url}/v1/produce`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.spool.batches' },
      body: Buffer.concat([envelope, ...batches]),
    })
    if (!reply.ok) throw new Error(`not filled: ${reply.status}`)
    await reply.arrayBuffer()
  }
}

/** In the second half every key comes again, in another order. */
function keyedBatch(first: number, keys: number): Buffer {
  const builder = new BatchBuilder({ compression: 'lz4' })
  for (let at = first; at < first + BATCH_RECORDS; at++) {
    const key = at < keys ? at : (at * 7_919) % keys
    const from = Math.floor(Math.random() * (TEXT.length - VALUE_BYTES))
    const value = TEXT.subarray(from, from + VALUE_BYTES)
    builder.append(Date.now(), Buffer.from(`key-${key}`), value)
  }
  return builder.build()
}

async function setPolicy(
  url: string,
  method: string,
  policy: string,
  scale: number,
): Promise<void> {
  const segmentBytes = Math.max(SEGMENT_BYTES_MIN, Math.round(SEGMENT_BYTES * scale))
  const reply = await fetch(`${url}/v1/topics/${KEYED}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ config: { 'cleanup.policy': policy, 'segment.bytes': segmentBytes } }),
  })
  if (!reply.ok) throw new Error(`no topic: ${reply.status} ${await reply.text()}`)
}

async function appends(port: number, seconds: number): Promise<SmallPostsAnswer> {
  const task: SmallPostsTask = {
    port,
    path: `/v1/topics/${TOPIC}/records`,
    contentType: 'application/json',
    body: JSON.stringify({ value: 'x'.repeat(VALUE_BYTES) }),
    connections: CONNECTIONS,
    warmUpSeconds: Math.min(seconds, WARM_UP_SECONDS_MAX),
    seconds,
  }
  return await runClient<SmallPostsAnswer>('clients/small-posts.ts', task)
}

/** The broker's own count, once it has compacted the log. */
async function compacted(
  url: string,
): Promise<{ seconds: number; readBytes: number; writtenBytes: number }> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text()
    const value = (name: string) =>
      Number(new RegExp(`^spool_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
    if (value('compactions_total') > 0 && value('compactions_running') === 0) {
      return {
        seconds: value('compaction_seconds_total'),
        readBytes: value('compaction_read_bytes_total'),
        writtenBytes: value('compaction_written_bytes_total'),
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function latencies(prefix: string, answer: SmallPostsAnswer): Measure[] {
  return [
    { name: `${prefix}: appends`, value: answer.requests / answer.seconds, unit: '1/s' },
    { name: `${prefix}: median`, value: answer.latencyMsMedian, unit: 'ms' },
    { name: `${prefix}: 99 %`, value: answer.latencyMs99, unit: 'ms' },
  ]
}

async function run({ directory, seconds, scale }: TrialContext): Promise<Measure[]> {
  await using broker = await BrokerProcess.start({ dataDir: directory, flags: FLAGS })
  const { url, port } = broker
  await createTopic(url, 1)
  await setPolicy(url, 'PUT', 'delete', scale)
  await filled(url, scale)
  const alone = await appends(port, seconds)
  const memoryBefore = broker.memoryMiB()
  await setPolicy(url, 'PATCH', 'compact', scale)
  let memoryPeak = 0
  const watch = setInterval(() => {
    memoryPeak = Math.max(memoryPeak, broker.memoryMiB())
  }, 100)
  const beside = await appends(port, seconds)
  const { seconds: compactionSeconds, readBytes, writtenBytes } = await compacted(url)
  clearInterval(watch)
  await broker.stop()
  return [
    ...latencies('nothing else', alone),
    ...latencies('beside compaction', beside),
    { name: 'compaction', value: compactionSeconds, unit: 's' },
    { name: 'read', value: readBytes / MIB / compactionSeconds, unit: 'MiB/s' },
    { name: 'written', value: writtenBytes / MIB / compactionSeconds, unit: 'MiB/s' },
    { name: 'more memory', value: Math.max(0, memoryPeak - memoryBefore), unit: 'MiB' },
  ]
}

export const scenario: Scenario = {
  name: 'compaction',
  sentence: `${KEYS.toLocaleString('en')} keys written twice become compacted, beside appends on ${CONNECTIONS} connections`,
  roundsMax: 3,
  trials: [{ name: 'spool', run }],
}
