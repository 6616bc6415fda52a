/** The README's table of acknowledgements, row by row: what the reply says for each setting and word. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

async function write(topic: string, config: object, acks: string | undefined) {
  const headers = { 'content-type': 'application/json' }
  const url = `${broker.url}/v1/topics/${topic}`
  const created = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ config }) })
  expect(created.status).toBeLessThan(300)
  const query = acks === undefined ? '' : `?acks=${acks}`
  const body = '{"value":"x"}'
  const reply = await fetch(`${url}/records${query}`, { method: 'POST', headers, body })
  const text = (await reply.text()) || '{}'
  const document = JSON.parse(text) as { durability?: string; offsets?: unknown[] }
  return {
    status: reply.status,
    durability: document.durability,
    offsets: document.offsets?.length,
  }
}

test.each([
  [{}, undefined, 'flushed'],
  [{}, 'all', 'flushed'],
  [{}, '1', 'flushed'],
  [{ 'flush.messages': 1 }, 'all', 'flushed'],
  [{ 'flush.messages': 100 }, undefined, 'written'],
  [{ 'flush.messages': 100 }, '1', 'written'],
] as const)('%j with acks=%s is acknowledged as %s', async (config, acks, durability) => {
  const topic = `acks-${acks ?? 'unsaid'}-${'flush.messages' in config ? config['flush.messages'] : 0}`
  expect(await write(topic, config, acks)).toEqual({ status: 200, durability, offsets: 1 })
})

test('acks=0 is answered at once, without a promise', async () => {
  expect(await write('acks-0', {}, '0')).toEqual({
    status: 202,
    durability: undefined,
    offsets: undefined,
  })
})
