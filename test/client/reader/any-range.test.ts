/**
 * What is read is what was written: random records in batches of random sizes and compressions, read from
 * random places to random ends, in loops that break off and go on, as records and as batches.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import {
  bytes,
  type Client,
  type CompressionName,
  type Reader,
  type ReadHeader,
  type ReadPosition,
} from '../../../client/index.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { DOORS, NODE, newTopic } from './doors.ts'

/** Keys and values as latin1 text: bytes that can be compared and shown. */
interface Full {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly ReadHeader[]
}

const PARTITIONS = 4
const COMPRESSIONS: readonly CompressionName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const READINGS = 40

let broker: TestBroker
let writer: Client

beforeAll(async () => {
  broker = await startBroker()
  writer = NODE.connect(broker.url)
})

afterAll(async () => {
  await writer.close()
  await broker[Symbol.asyncDispose]()
})

describe.each(DOORS)('over $name', ({ connect }) => {
  test('any range, read in any way', async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`ranges seed ${seed} (SEED=${seed} repeats it)`)
    const random = new SeededRandom(seed)
    const topic = await newTopic(writer, PARTITIONS)
    const logs = await writeRandomly(topic, random)
    await using client = connect(broker.url)
    for (let reading = 0; reading < READINGS; reading++) {
      const from = randomPosition(logs, random)
      const until = randomPosition(logs, random)
      const reader = client.reader(topic, {
        key: bytes,
        value: bytes,
        from,
        until,
        prefetchBytes: random.pick([1, 1_000, 100_000, 16_000_000]),
        maxWaitMs: random.pick([0, 1_000]),
      })
      const found = await readInPieces(reader, random)
      const expected = logs.map((log, partition) =>
        log.slice(offsetOf(from, partition, log), offsetOf(until, partition, log)),
      )
      expect(found, `${JSON.stringify({ from, until })} of seed ${seed}`).toEqual(expected)
    }
  })
})

async function writeRandomly(topic: string, random: SeededRandom): Promise<Full[][]> {
  const logs: Full[][] = Array.from({ length: PARTITIONS }, () => [])
  for (let round = 0; round < 30; round++) {
    await using producer = writer.producer({
      topic,
      key: bytes,
      value: bytes,
      compression: random.pick(COMPRESSIONS),
      batchBytes: random.pick([100, 2_000, 100_000]),
    })
    // One partition stays empty in most rounds, the last one in all.
    const partition = random.below(PARTITIONS - 1)
    const records = Array.from({ length: random.between(1, 60) }, () => {
      const headerCount = random.below(10) === 0 ? random.between(1, 4) : 0
      return {
        partition,
        key: random.below(3) === 0 ? null : random.bytes(random.below(20)),
        value: random.below(10) === 0 ? null : randomValue(random),
        headers: Array.from({ length: headerCount }, (_, at): ReadHeader => {
          return [`h${at % 2}`, random.pick(['text', null, Uint8Array.of(0xff, at)])]
        }),
      }
    })
    const sent = await producer.sendMany(records)
    records.forEach(({ key, value, headers }, at) => {
      const { offset, timestamp } = sent.at(at)!
      logs[partition]!.push({ offset, timestamp, key: shown(key), value: shown(value), headers })
    })
  }
  for (const log of logs) expect(log.map(({ offset }) => offset)).toEqual([...log.keys()])
  return logs
}

function randomValue(random: SeededRandom): Uint8Array {
  const size = random.pick([0, 10, 100, 3_000])
  return random.below(2) === 0
    ? random.bytes(size)
    : new TextEncoder().encode('compressible '.repeat(Math.ceil(size / 13)).slice(0, size))
}

/** Of each partition another, or one for all. */
function randomPosition(logs: readonly Full[][], random: SeededRandom): ReadPosition {
  const kind = random.below(6)
  if (kind === 0) return 'earliest'
  if (kind === 1) return 'latest'
  if (kind === 2) return `-${random.between(1, 500)}`
  return Object.fromEntries(
    logs.map(({ length }, partition) => [partition, random.between(0, length)]),
  )
}

function offsetOf(position: ReadPosition, partition: number, { length }: readonly Full[]): number {
  if (position === 'earliest') return 0
  if (position === 'latest') return length
  if (typeof position === 'string') return Math.max(0, length + Number(position))
  return (position as Record<number, number>)[partition]!
}

/** Loops of records and of batches in turns, each broken off after a while, until there is no more. */
async function readInPieces(
  reader: Reader<Uint8Array, Uint8Array>,
  random: SeededRandom,
): Promise<Full[][]> {
  const found: Full[][] = Array.from({ length: PARTITIONS }, () => [])
  for (let isOver = false; !isOver; ) {
    let left = random.pick([1, 10, 300, Number.POSITIVE_INFINITY])
    isOver = true
    if (random.below(2) === 0) {
      for await (const record of reader) {
        found[record.partition]!.push(full(record))
        isOver = --left > 0
        if (!isOver) break
      }
    } else {
      for await (const batch of reader.batches()) {
        for (const record of batch) found[batch.partition]!.push(full(record))
        isOver = --left > 0
        if (!isOver) break
      }
    }
  }
  return found
}

function full(record: {
  offset: number
  timestamp: number
  key: Uint8Array | null
  value: Uint8Array | null
  headers: readonly ReadHeader[]
}): Full {
  const { offset, timestamp, key, value, headers } = record
  return { offset, timestamp, key: shown(key), value: shown(value), headers }
}

function shown(given: Uint8Array | null): string | null {
  return given === null ? null : Buffer.from(given).toString('latin1')
}
