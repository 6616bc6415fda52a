/**
 * The memory of large requests and answers is used again while others are still being sent, written and
 * read slowly: no byte of one may ever show up in another.
 */

import { createHash } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { Packr, Unpackr } from 'msgpackr'
import { expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { BatchBuilder } from '../../../../storage/record/batch-builder.ts'
import { readRecords } from '../../../../storage/record/batch-reader.ts'
import { peekBatchSize, RecordBatch } from '../../../../storage/record/record-batch.ts'
import { SeededRandom } from '../../../rigs/random.ts'
import { TestTopic } from './topic-client.ts'

const PARTITIONS = 3
const BATCHES = 60
const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' })

/** A batch of one random record whose first 32 bytes are the digest of the rest. */
function sealed(random: SeededRandom, bytes: number): Buffer {
  const content = random.bytes(bytes)
  const builder = new BatchBuilder({ compression: 'none' })
  const digest = createHash('sha256').update(content).digest()
  builder.append(Date.now(), null, Buffer.concat([digest, content]))
  return builder.build()
}

function frame(envelope: unknown, body: Buffer = Buffer.alloc(0)): Buffer<ArrayBuffer> {
  const packed = packr.pack(envelope)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(packed.length)
  return Buffer.concat([length, packed, body])
}

const post = (broker: TestBroker, path: string, body: Buffer<ArrayBuffer>) =>
  fetch(`${broker.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.spool.batches' },
    body,
  })

/** Reads an answer in pieces, with pauses, and returns the batches in it. */
async function slowly(response: Response, random: SeededRandom): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of response.body!) {
    pieces.push(piece)
    if (random.chance(0.1)) await delay(random.below(5))
  }
  const bytes = Buffer.concat(pieces)
  return bytes.subarray(4 + bytes.readUInt32BE(0))
}

/** Checks every batch; returns the offset after the last. */
function checked(bytes: Buffer, from: number): number {
  let next = from
  for (let at = 0; at < bytes.length; ) {
    const batch = new RecordBatch(bytes.subarray(at, at + peekBatchSize(bytes, at)))
    for (const { offset, value } of readRecords(batch, { maxDecompressedBytes: 1 << 24 })) {
      expect(offset).toBe(next)
      const digest = createHash('sha256').update(value!.subarray(32)).digest()
      expect(digest.equals(value!.subarray(0, 32)), `offset ${offset}`).toBe(true)
      next = offset + 1
    }
    at += batch.sizeBytes
  }
  return next
}

test('no byte of one request or answer is ever seen in another', async () => {
  await using broker = await startBroker()
  const topic = await TestTopic.create(broker, { partitions: PARTITIONS })
  const seed = 20_260_101
  const produce = async (partition: number) => {
    const random = new SeededRandom(seed + partition)
    for (let sent = 0; sent < BATCHES; sent++) {
      const bytes = sealed(random, random.between(200_000, 1_500_000))
      const batches = [{ topic: topic.name, partition, bytes: bytes.length }]
      const reply = await post(
        broker,
        '/v1/produce',
        frame({ acks: 'all', timeoutMs: 30_000, batches }, bytes),
      )
      const answer = Buffer.from(await reply.arrayBuffer())
      expect(unpackr.unpack(answer.subarray(4)).results[0].error).toBeUndefined()
    }
  }
  const consume = async (reader: number) => {
    const random = new SeededRandom(seed + 100 + reader)
    const partition = reader % PARTITIONS
    for (let next = 0; next < BATCHES; ) {
      const maxBytes = random.between(300_000, 4_000_000)
      const partitions = [{ topic: topic.name, partition, offset: next, maxBytes }]
      const envelope = frame({ maxWaitMs: 500, minBytes: 1, maxBytes, partitions })
      next = checked(await slowly(await post(broker, '/v1/fetch', envelope), random), next)
    }
  }
  await Promise.all([
    ...Array.from({ length: PARTITIONS }, (_, partition) => produce(partition)),
    ...Array.from({ length: 2 * PARTITIONS }, (_, reader) => consume(reader)),
  ])
})

/** Sends a fetch and leaves its answer unread: most of it stays with the broker. */
function unread(broker: TestBroker, envelope: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/vnd.spool.batches' }
    const options = { method: 'POST', headers, agent: false }
    request(`${broker.url}/v1/fetch`, options, resolve).on('error', reject).end(envelope)
  })
}

test('an answer nobody reads yet is not overwritten by the next ones', async () => {
  await using broker = await startBroker()
  const topic = await TestTopic.create(broker, { partitions: PARTITIONS })
  const random = new SeededRandom(7)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const sent = Array.from({ length: 14 }, () => sealed(random, 1_000_000))
    const batches = sent.map(({ length }) => ({ topic: topic.name, partition, bytes: length }))
    const body = frame({ acks: 'all', timeoutMs: 30_000, batches }, Buffer.concat(sent))
    expect((await post(broker, '/v1/produce', body)).status).toBe(200)
  }
  const maxBytes = 14 * 1024 * 1024
  const answers: IncomingMessage[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const partitions = [{ topic: topic.name, partition, offset: 0, maxBytes }]
    const envelope = frame({ maxWaitMs: 0, minBytes: 1, maxBytes, partitions })
    answers.push(await unread(broker, envelope))
  }
  for (const answer of answers) {
    const pieces: Uint8Array[] = []
    for await (const piece of answer) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    expect(checked(bytes.subarray(4 + bytes.readUInt32BE(0)), 0)).toBe(14)
  }
})
