/** The body of a produce request: the same bytes whether batches are copied or sent where they lie. */

import { expect, test } from 'vitest'
import { readFrame } from '../../../client/api/batch-frame.ts'
import { BuilderPool, NodeOpenBatch } from '../../../client/node/open-batch.ts'
import { produceBody } from '../../../client/node/produce-frame.ts'
import { SpareMemory } from '../../../client/node/spare-memory.ts'
import type { ProduceCall, SealedBatch } from '../../../client/transport.ts'

const TOPIC = 'a-topic'

function callOf(topic: string, batches: readonly SealedBatch[]): ProduceCall {
  return {
    acks: 'all',
    timeoutMs: 1_000,
    batches: batches.map((batch, partition) => ({
      topic,
      topicId: 'x'.repeat(36),
      partition,
      batch,
    })),
  }
}

function sealed(pool: BuilderPool, value: string): NodeOpenBatch {
  const batch = new NodeOpenBatch(pool, { compression: 'none', sizeBytes: 100 })
  batch.append(0, null, Buffer.from(value), [])
  return batch
}

test.each([
  ['one', ['a'.repeat(50)], TOPIC],
  ['one large one', ['b'.repeat(200_000)], TOPIC],
  ['several', ['a', 'b'.repeat(70_000), 'c'], TOPIC],
  ['one of a topic with the longest name', ['a'], 't'.repeat(249)],
  ['one with an envelope too large to stand in front of it', ['a'], 't'.repeat(2_000)],
])('%s', (_, values, topic) => {
  const memory = new SpareMemory()
  const pool = new BuilderPool(memory)
  const batches = values.map((value) => sealed(pool, value).seal(undefined))
  const copies = batches.map(({ body }) => Buffer.from(body as Uint8Array))
  const { envelope, batches: bytes } = readFrame(produceBody(callOf(topic, batches), memory.take))
  expect(envelope).toMatchObject({
    acks: 'all',
    timeoutMs: 1_000,
    batches: copies.map(({ length }, partition) => ({ topic, partition, bytes: length })),
  })
  expect(bytes.equals(Buffer.concat(copies))).toBe(true)
  // Sealed batches are as they were: they may be sent again.
  for (const [at, { body }] of batches.entries())
    expect(copies[at]!.equals(body as Buffer)).toBe(true)
})

test('a batch that is not needed any more lends its memory to the next', async () => {
  const pool = new BuilderPool(new SpareMemory())
  const first = sealed(pool, 'a'.repeat(100_000))
  const body = first.seal(undefined).body as Buffer
  const second = sealed(pool, 'b'.repeat(100_000)).seal(undefined).body as Buffer
  expect(second.buffer).not.toBe(body.buffer)
  first.release()
  first.release()
  expect([first.recordCount, first.sizeBytes > 100_000]).toEqual([1, true])
  expect(() => first.seal(undefined)).toThrow('released')
  const third = sealed(pool, 'c'.repeat(100_000)).seal(undefined).body as Buffer
  expect(third.buffer).toBe(body.buffer)
  const fourth = sealed(pool, 'd'.repeat(100_000)).seal(undefined).body as Buffer
  expect(fourth.buffer).not.toBe(body.buffer)
})

test('one released while it is still compressed elsewhere stays released', async () => {
  const pool = new BuilderPool(new SpareMemory())
  const batch = new NodeOpenBatch(pool, { compression: 'lz4', sizeBytes: 100 })
  batch.append(0, null, Buffer.alloc(200_000, 'ab'), [])
  const prepared = batch.prepare()
  expect(batch.seal(undefined).recordCount).toBe(1)
  batch.release()
  await prepared
  expect(() => batch.seal(undefined)).toThrow('released')
})
