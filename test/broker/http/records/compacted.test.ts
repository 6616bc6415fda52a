/** A compacted topic over HTTP: what it takes, what is left to read, and how it tells of its compaction. */

import { Packr } from 'msgpackr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { BatchBuilder } from '../../../../storage/record/batch-builder.ts'
import { send, TestTopic } from './topic-client.ts'

const CONFIG = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': 0,
  'segment.bytes': 1_024,
}
const packr = new Packr({ useRecords: false, variableMapSize: true })

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ cleanerBackoffMs: 100 })
})
afterAll(() => broker[Symbol.asyncDispose]())

const create = () => TestTopic.create(broker, { config: CONFIG })

/** Overwrites a key until its segment is closed, and waits until the first of it is gone. */
async function overwritten(topic: TestTopic): Promise<void> {
  const first = topic.count()
  for (let at = 0; at < 20; at++) {
    await topic.produce({ key: 'a', value: `${at} ${'x'.repeat(100)}` })
  }
  for (;;) {
    const { json } = await topic.read(`?from=${first}&limit=1`)
    if (json.records[0]?.offset > first) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('a record without a key', () => {
  const NO_KEY = /the record has no key, which topic topic-\S+ needs: its cleanup.policy is compact/

  test('is refused with 422, and nothing of its request is appended', async () => {
    const topic = await create()
    const one = await topic.produce({ value: 1 })
    expect(one.status).toBe(422)
    expect(one.json).toMatchObject({
      code: 'INVALID_RECORD',
      outcome: 'refused',
      detail: expect.stringMatching(NO_KEY),
    })
    const second = await topic.produce({ records: [{ key: 'a', value: 1 }, { value: 2 }] })
    expect(second.status).toBe(422)
    expect(second.json.errors).toMatchObject([{ index: 1, code: 'INVALID_RECORD' }])
    const raw = await topic.post('value', '', { 'content-type': 'text/plain' })
    expect(raw.status).toBe(422)
    const packed = packr.pack({ records: [{ value: 'x' }] }) as Buffer
    const msgpack = await topic.post(packed, '', { 'content-type': 'application/msgpack' })
    expect(msgpack.status).toBe(422)
    expect(topic.count()).toBe(0)
  })

  test('is refused in an upload, line by line; its neighbours are taken', async () => {
    const topic = await create()
    const lines = ['{"key":"a","value":1}', '{"value":2}', '{"key":"b","value":3}'].join('\n')
    const reply = await topic.post(lines, '?onError=skip', {
      'content-type': 'application/x-ndjson',
    })
    expect(reply.json).toMatchObject({ appended: 2, refused: 1 })
    expect(reply.json.errors).toMatchObject([
      { line: 2, code: 'INVALID_RECORD', detail: expect.stringMatching(NO_KEY) },
    ])
    expect((await topic.stored()).map(({ key }) => key)).toEqual(['a', 'b'])
  })

  test('is refused in a batch, whoever built it', async () => {
    const topic = await create()
    const builder = new BatchBuilder({ compression: 'lz4' })
    builder.append(Date.now(), Buffer.from('a'), Buffer.from('1'))
    builder.append(Date.now(), null, Buffer.from('2'))
    const bytes = builder.build()
    const envelope = packr.pack({
      acks: 'all',
      timeoutMs: 5_000,
      batches: [{ topic: topic.name, partition: 0, bytes: bytes.length }],
    })
    const length = Buffer.alloc(4)
    length.writeUInt32BE(envelope.length)
    const reply = await send(broker, '/v1/produce', {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.spool.batches' },
      body: Buffer.concat([length, envelope, bytes]),
    })
    expect(reply.text).toContain('INVALID_RECORD')
    expect(topic.count()).toBe(0)
  })

  test('is taken with key= or spool-key, which give it one', async () => {
    const topic = await create()
    expect((await topic.produce({ value: 1 }, '?key=k')).status).toBe(200)
    const raw = await topic.post('v', '', { 'content-type': 'text/plain', 'spool-key': 'k' })
    expect(raw.status).toBe(200)
    const tombstone = { 'spool-key': 'k', 'spool-tombstone': 'true' }
    expect((await topic.post('', '', tombstone)).status).toBe(200)
  })
})

describe('what compaction left', () => {
  test('is read page by page: each goes on where the one before it ended, over what is gone', async () => {
    const topic = await create()
    await topic.produce({ key: 'first', value: 'stays' })
    await overwritten(topic)
    const offsets: number[] = []
    let next = 0
    for (;;) {
      const { status, json } = await topic.read(`?from=${next}&limit=1`)
      expect(status).toBe(200)
      offsets.push(...json.records.map(({ offset }: { offset: number }) => offset))
      if (json.nextOffset === json.highWatermark && json.records.length === 0) break
      expect(json.nextOffset).toBeGreaterThan(next)
      next = json.nextOffset
    }
    expect(offsets[0]).toBe(0)
    expect(offsets.at(-1)).toBe(20)
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b))
    expect(offsets.length).toBeLessThan(21)
  })

  test('is read by cursor, over all partitions', async () => {
    const topic = await create()
    await overwritten(topic)
    const all = `/v1/topics/${topic.name}/records`
    const first = await send(broker, `${all}?limit=1`)
    const rest = await send(broker, `${all}?cursor=${first.json.cursor}&limit=100`)
    expect(rest.status).toBe(200)
    expect(rest.json.records.at(-1)).toMatchObject({ key: 'a', offset: 19 })
  })

  test('a single record that was compacted away is 410, and says why', async () => {
    const topic = await create()
    await overwritten(topic)
    const path = `/v1/topics/${topic.name}/partitions/0/records`
    const gone = await send(broker, `${path}/0`)
    expect(gone.status).toBe(410)
    expect(gone.json).toMatchObject({
      code: 'RECORD_GONE',
      detail: expect.stringContaining('offset 0 was removed by compaction'),
      logStartOffset: 0,
      highWatermark: 20,
    })
    expect((await send(broker, `${path}/19`)).status).toBe(200)
  })
})

describe('how it is told', () => {
  test('the topic says its policy, how much is dirty, and that nothing failed', async () => {
    const topic = await create()
    await overwritten(topic)
    const { json } = await send(broker, `/v1/topics/${topic.name}`)
    expect(json.config['cleanup.policy']).toMatchObject({ value: 'compact', source: 'topic' })
    expect(json.config['min.cleanable.dirty.ratio']).toMatchObject({ value: 0 })
    expect(json.partitions[0].compaction).toEqual({
      dirtyRatio: expect.any(Number),
      failure: null,
    })
    const other = await TestTopic.create(broker)
    const described = await send(broker, `/v1/topics/${other.name}`)
    expect(described.json.partitions[0].compaction).toBeUndefined()
  })

  test('a fraction is taken as a number and as text, and refused beyond its bounds by name', async () => {
    const name = (await create()).name
    const alter = (ratio: unknown) =>
      send(broker, `/v1/topics/${name}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ config: { 'min.cleanable.dirty.ratio': ratio } }),
      })
    expect((await alter(0.25)).json.config['min.cleanable.dirty.ratio'].value).toBe(0.25)
    expect((await alter('0.5')).json.config['min.cleanable.dirty.ratio'].value).toBe(0.5)
    const refused = await alter(1.5)
    expect(refused.status).toBe(400)
    expect(refused.json.detail).toBe(
      'min.cleanable.dirty.ratio is 1.5, which is not a number from 0 to 1 (ratio)',
    )
  })

  test('metrics count what was done', async () => {
    await overwritten(await create())
    const { text } = await send(broker, '/metrics')
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    for (const name of ['s', '_read_bytes', '_written_bytes', '_removed_records']) {
      expect(value(`spool_compaction${name}_total`), name).toBeGreaterThan(0)
    }
    expect(value('spool_compaction_failures_total')).toBe(0)
    expect(text).toMatch(/^spool_compaction_dirty_ratio_max /m)
    expect(text).toMatch(/^spool_uncompacted_partitions\{topic="topic-/m)
  })
})

test('a topic that becomes compacted refuses from then on what it took before', async () => {
  const topic = await TestTopic.create(broker)
  expect((await topic.produce({ value: 1 })).status).toBe(200)
  await broker.context.topics.alter(topic.name, { config: CONFIG })
  expect((await topic.produce({ value: 2 })).status).toBe(422)
  expect((await topic.read()).json.records).toMatchObject([{ key: null, value: '1' }])
})
