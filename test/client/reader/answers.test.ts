/**
 * Whatever answers a reader over Node, it does not crash, hang on nothing, fill memory or give records
 * that are none: the reader fails with a typed error, or asks again where that may help.
 */

import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { connect, type ReaderOptions } from '../../../client/index.ts'
import { RECORD_COUNT_AT } from '../../../storage/record/record-batch.ts'
import { collect, DOORS, failure } from './doors.ts'
import {
  batchOf,
  changed,
  fetchAnswer,
  type Script,
  StandInBroker,
  send,
  TOPIC,
} from './stand-in-broker.ts'

const QUICK = { retryBackoffMs: 1, retryBackoffMsMax: 5 }

const whole: Script = ({ offset }, response) =>
  send(response, fetchAnswer(batchOf(offset, 10 - offset)))

/** The script's answers in turn, then a whole one. */
const inTurn = (...scripts: readonly Script[]): Script => {
  const left = [...scripts]
  return (...call) => (left.shift() ?? whole)(...call)
}

async function readAll(script: Script, options: ReaderOptions = {}, connecting = {}) {
  await using broker = await StandInBroker.start(script)
  await using client = connect({ url: broker.url, ...QUICK, ...connecting })
  const records = collect(client.reader(TOPIC, { until: 'latest', ...options }))
  const found = await records.then(
    (them) => ({ offsets: them.map(({ offset }) => offset), error: undefined }),
    (error: unknown) => ({ offsets: [], error }),
  )
  return { ...found, asked: broker.asked }
}

const TEN = { offsets: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], error: undefined }

describe('what is no answer to a fetch ends the reader', () => {
  const good = fetchAnswer(batchOf(0, 10))
  const bodies: [string, Buffer, string][] = [
    ['nothing', Buffer.alloc(0), 'UNKNOWN_SERVER_ERROR'],
    ['text', Buffer.from('hello there, this is no broker'), 'UNKNOWN_SERVER_ERROR'],
    ['half an envelope', good.subarray(0, 20), 'UNKNOWN_SERVER_ERROR'],
    ['half a batch', good.subarray(0, good.length - 5), 'UNKNOWN_SERVER_ERROR'],
    ['bytes behind the batches', Buffer.concat([good, Buffer.alloc(3)]), 'UNKNOWN_SERVER_ERROR'],
    [
      'another topic',
      fetchAnswer(Buffer.alloc(0), { topic: 'other', bytes: 0 }),
      'UNKNOWN_SERVER_ERROR',
    ],
    ['another partition', fetchAnswer(Buffer.alloc(0), { partition: 7 }), 'UNKNOWN_SERVER_ERROR'],
    [
      'an error that is none',
      fetchAnswer(Buffer.alloc(0), { error: null }),
      'UNKNOWN_SERVER_ERROR',
    ],
    ['a negative size', fetchAnswer(Buffer.alloc(0), { bytes: -1 }), 'UNKNOWN_SERVER_ERROR'],
    ['an endless size', fetchAnswer(Buffer.alloc(0), { bytes: 2 ** 40 }), 'UNKNOWN_SERVER_ERROR'],
    ['a batch that is none', fetchAnswer(Buffer.alloc(100, 0xff)), 'CORRUPT_MESSAGE'],
    ['less than a header', fetchAnswer(batchOf(0, 10).subarray(0, 30)), 'CORRUPT_MESSAGE'],
    [
      'a batch of a size beyond the answer',
      fetchAnswer(changed(batchOf(0, 10), (bytes) => bytes.writeInt32BE(2 ** 30, 8))),
      'CORRUPT_MESSAGE',
    ],
    [
      'batches out of order',
      fetchAnswer(Buffer.concat([batchOf(5, 5), batchOf(0, 5)])),
      'CORRUPT_MESSAGE',
    ],
  ]
  test.each(bodies)('%s', async (_, body, code) => {
    const { error } = await readAll((_asked, response) => send(response, body))
    expect(error).toMatchObject({ name: 'SpoolError', code })
  })

  test('a batch from before the place that was asked for', async () => {
    const script: Script = (_, response) => send(response, fetchAnswer(batchOf(0, 5)))
    const { error } = await readAll(script, { from: 5 })
    expect(error).toMatchObject({ code: 'CORRUPT_MESSAGE', extensions: { offset: 5 } })
  })

  const replies: [string, (response: ServerResponse) => void, string][] = [
    [
      'a page',
      (it) => it.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      'UNKNOWN_SERVER_ERROR',
    ],
    ['a redirect', (it) => it.writeHead(302, { location: '/x' }).end(), 'UNKNOWN_SERVER_ERROR'],
    ['no room for us', (it) => it.writeHead(403).end('go away'), 'UNKNOWN_SERVER_ERROR'],
    ['no HTTP', (it) => it.socket?.end('what?\r\n\r\n'), 'UNKNOWN_SERVER_ERROR'],
    [
      'more than we hold',
      (it) => it.writeHead(200, { 'content-length': 2 ** 40 }).flushHeaders(),
      'INVALID_FETCH_SIZE',
    ],
  ]
  test.each(replies)('%s', async (_, reply, code) => {
    const { error } = await readAll((_asked, response) => reply(response))
    expect(error).toMatchObject({ code })
  })

  test('an answer without end, which is not kept beyond the bound', async () => {
    let sentBytes = 0
    const endless: Script = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/vnd.spool.batches' })
      const piece = Buffer.alloc(64 * 1024)
      const more = () => {
        while (!response.destroyed) {
          sentBytes += piece.length
          if (!response.write(piece)) return
        }
      }
      response.on('drain', more)
      more()
    }
    const { error } = await readAll(endless, {}, { responseBytesMax: 1024 * 1024 })
    expect(error).toMatchObject({ code: 'INVALID_FETCH_SIZE' })
    // What was on its way comes on top.
    expect(sentBytes).toBeLessThan(32 * 1024 * 1024)
  })
})

describe.each(DOORS)('offsets that are none, over $name', ({ connect }) => {
  const partition = { partition: 0, offset: 10, logStartOffset: 0, highWatermark: 10 }
  const documents: [string, unknown][] = [
    ['nothing', {}],
    ['a list', []],
    ['null', 'null'],
    ['no partitions', { topicId: 'x', partitions: [] }],
    ['no topic id', { partitions: [partition] }],
    ['a text for an offset', { topicId: 'x', partitions: [{ ...partition, offset: '10' }] }],
    ['a negative one', { topicId: 'x', partitions: [{ ...partition, logStartOffset: -1 }] }],
    ['no partition in a list', { topicId: 'x', partitions: [null] }],
  ]
  test.each(documents)('%s', async (_, document) => {
    await using broker = await StandInBroker.start(whole)
    broker.offsetsDocument = document
    await using client = connect({ url: broker.url, ...QUICK })
    const error = await failure(collect(client.reader(TOPIC)))
    expect(error).toMatchObject({ name: 'SpoolError', code: 'UNKNOWN_SERVER_ERROR' })
  })
})

describe('what may pass is asked again, and nothing comes twice', () => {
  const passing: [string, Script][] = [
    ['a connection that breaks', (_, response) => response.socket?.destroy()],
    [
      'one that breaks in the middle',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1_000 })
        response.write(Buffer.alloc(500), () => response.socket?.destroy())
      },
    ],
    [
      'a broker that is busy',
      (_, response) => {
        response.writeHead(503, { 'content-type': 'application/problem+json' })
        response.end(JSON.stringify({ code: 'BROKER_BUSY', detail: 'later' }))
      },
    ],
    ['what stands between', (_, response) => response.writeHead(502).end('bad gateway')],
    [
      'a partition without a leader',
      (_, response) => {
        const error = { code: 'LEADER_NOT_AVAILABLE' }
        send(response, fetchAnswer(Buffer.alloc(0), { error }))
      },
    ],
    ['an empty answer at once', (_, response) => send(response, fetchAnswer(Buffer.alloc(0)))],
    ['broken batches, once', (_, response) => send(response, fetchAnswer(Buffer.alloc(99, 1)))],
  ]
  test.each(passing)('%s', async (_, script) => {
    const first: Script = ({ offset }, response) =>
      send(response, fetchAnswer(batchOf(offset, 4), { highWatermark: 10 }))
    const { asked, ...found } = await readAll(inTurn(script, first, script, script))
    expect(found).toEqual(TEN)
    expect(asked).toEqual([0, 0, 4, 4, 4])
  })

  test('an answer that does not come in time', async () => {
    const { asked, ...found } = await readAll(
      inTurn(() => {}),
      { maxWaitMs: 0 },
      { requestTimeoutMs: 200 },
    )
    expect(found).toEqual(TEN)
    expect(asked).toEqual([0, 0])
  })

  test('less at a time, of a broker that allows less', async () => {
    const sizes: number[] = []
    const modest: Script = (asked, response, { maxBytes }) => {
      sizes.push(maxBytes)
      if (maxBytes <= 4_096) return whole(asked, response, {} as never)
      response.writeHead(400, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ code: 'INVALID_REQUEST', detail: `maxBytes is ${maxBytes}` }))
    }
    const { asked: _, ...found } = await readAll(modest)
    expect(found).toEqual(TEN)
    expect(sizes.at(-1)).toBeGreaterThanOrEqual(1_024)
  })

  test('a request that is wrong stays wrong', async () => {
    const { error, asked } = await readAll((_, response) => {
      response.writeHead(400, { 'content-type': 'application/problem+json' })
      response.end(JSON.stringify({ code: 'INVALID_REQUEST', detail: 'something else' }))
    })
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', detail: 'something else' })
    expect(asked.length).toBeLessThan(10)
  })

  test('an empty answer at once is not asked for as fast as it comes', async () => {
    await using broker = await StandInBroker.start((_, response) =>
      send(response, fetchAnswer(Buffer.alloc(0))),
    )
    await using client = connect({ url: broker.url, retryBackoffMs: 100 })
    const reading = collect(client.reader(TOPIC, { signal: AbortSignal.timeout(500) }))
    await failure(reading)
    // 100, 200 … ms apart, each between its half and its whole.
    expect(broker.asked.length).toBeLessThanOrEqual(6)
  })
})

describe('a batch that can not be read', () => {
  const broken = changed(batchOf(3, 4), (bytes) => bytes.writeUInt8(0xee, bytes.length - 2))
  const miscounted = changed(batchOf(3, 4), (bytes) => bytes.writeInt32BE(3, RECORD_COUNT_AT), {
    isBelieved: true,
  })
  const huge = batchOf(3, ['x'.repeat(3_000_000)], 'lz4')
  const cases: [string, Buffer, string, number][] = [
    ['whose checksum is wrong', broken, 'CORRUPT_MESSAGE', 7],
    ['that miscounts its records', miscounted, 'INVALID_RECORD', 7],
    ['that becomes too large', huge, 'MESSAGE_TOO_LARGE', 4],
  ]
  test.each(cases)('%s says where it is, and can be passed over', async (_, bad, code, next) => {
    const script: Script = ({ offset }, response) => {
      const parts = [batchOf(0, 3), bad, batchOf(next, 10 - next)]
      const wanted = offset === 0 ? parts : offset < next ? parts.slice(1) : parts.slice(2)
      send(response, fetchAnswer(Buffer.concat(wanted)))
    }
    await using broker = await StandInBroker.start(script)
    await using client = connect({ url: broker.url, ...QUICK, decompressedBytesMax: 1_000_000 })

    const reader = client.reader(TOPIC, { until: 'latest' })
    const seen: number[] = []
    const reading = (async () => {
      for await (const { offset } of reader) seen.push(offset)
    })()
    const error = (await failure(reading)) as { extensions: { offset: number } }
    const extensions = { topic: TOPIC, partition: 0, nextOffset: next }
    expect(error).toMatchObject({ code, extensions })
    expect(String(error)).toContain(`partition 0 of ${TOPIC}, offset`)
    expect(error.extensions.offset).toBe(seen.length)
    expect(reader.position()).toEqual({ 0: seen.length })
    // It is still so.
    expect(await failure(collect(reader))).toMatchObject({ code })
    const rest = client.reader(TOPIC, { from: { 0: next }, until: 'latest' })
    expect((await collect(rest)).map(({ offset }) => offset)[0]).toBe(next)

    const results: string[] = []
    for await (const batch of client.reader(TOPIC, { until: 'latest' }).batches()) {
      try {
        results.push([...batch].map(({ offset }) => offset).join(' '))
      } catch (reason) {
        results.push((reason as { code: string }).code)
      }
    }
    const last = Array.from({ length: 10 - next }, (_, at) => next + at).join(' ')
    expect(results).toEqual(['0 1 2', code, last])
  })
})
