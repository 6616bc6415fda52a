/** Appending once: idempotent producers over HTTP, and the expected offset without one. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { send, TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

describe('once only', () => {
  const stamp = (producerId: number, sequence: number) => ({
    'content-type': 'application/json',
    'spool-producer-id': String(producerId),
    'spool-producer-epoch': '0',
    'spool-sequence': String(sequence),
  })

  async function newProducer(): Promise<number> {
    const { json } = await send(broker, '/v1/producers', { method: 'POST' })
    return json.producerId
  }

  test('a repeat is the first offsets and no second copy', async () => {
    const topic = await TestTopic.create(broker)
    const id = await newProducer()
    const body = '{"records":[{"value":"a"},{"value":"b"}]}'
    const first = await topic.post(body, '?partition=0', stamp(id, 0))
    const again = await topic.post(body, '?partition=0', stamp(id, 0))
    expect(first.json.duplicate).toBeUndefined()
    expect(again.status).toBe(200)
    expect(again.json.duplicate).toBe(true)
    // Without a timestamp: that of the repeat is not the one that is stored.
    expect(again.json.offsets).toEqual([0, 1].map((offset) => ({ partition: 0, offset })))
    const next = await topic.post('{"value":"c"}', '?partition=0', stamp(id, 2))
    expect(next.json.offsets[0].offset).toBe(2)
    const repeat = await topic.post('{"value":"c"}', '?partition=0', stamp(id, 2))
    expect(repeat.json).toMatchObject({ duplicate: true })
    expect(repeat.json.offsets).toEqual([{ partition: 0, offset: 2 }])
    expect((await topic.stored()).map(({ value }) => value)).toEqual(['a', 'b', 'c'])
  })

  test('a gap is refused', async () => {
    const topic = await TestTopic.create(broker)
    const id = await newProducer()
    await topic.post('{"value":"a"}', '?partition=0', stamp(id, 0))
    const gap = await topic.post('{"value":"b"}', '?partition=0', stamp(id, 5))
    expect(gap.json).toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', outcome: 'refused' })
    expect(topic.count()).toBe(1)
  })

  test('needs partition=, all three headers, one batch, and a body that ends', async () => {
    const topic = await TestTopic.create(broker, { config: { 'max.message.bytes': 5_000 } })
    const id = await newProducer()
    const value = '{"value":"a"}'
    expect((await topic.post(value, '', stamp(id, 0))).status).toBe(400)
    const { 'spool-sequence': _, ...without } = stamp(id, 0)
    expect((await topic.post(value, '?partition=0', without)).status).toBe(400)
    const ndjson = { ...stamp(id, 0), 'content-type': 'application/x-ndjson' }
    expect((await topic.post(value, '?partition=0', ndjson)).status).toBe(400)
    const two = JSON.stringify({ records: Array(2).fill({ value: 'x'.repeat(4_000) }) })
    expect((await topic.post(two, '?partition=0', stamp(id, 0))).status).toBe(400)
    expect((await topic.post(value, '?partition=0&expectOffset=0', stamp(id, 0))).status).toBe(400)
    expect(topic.count()).toBe(0)
  })

  test('expectOffset appends only there, else 412 with the actual one', async () => {
    const topic = await TestTopic.create(broker)
    expect((await topic.produce({ value: 'a' }, '?partition=0&expectOffset=0')).status).toBe(200)
    const late = await topic.produce({ value: 'b' }, '?partition=0&expectOffset=0')
    expect(late.status).toBe(412)
    expect(late.json).toMatchObject({
      code: 'OFFSET_MISMATCH',
      outcome: 'refused',
      logEndOffset: 1,
    })
    expect((await topic.produce({ value: 'b' }, '?expectOffset=1')).status).toBe(400)
    expect(topic.count()).toBe(1)
  })
})
