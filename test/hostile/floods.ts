/**
 * Much of something at once, bounded in count and time: pipelines, connections, long polls, readers that
 * do not read, bodies that do not end, bombs. Each says what it got and what is wrong with that; memory is
 * measured by who runs them.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { zstdCompressSync } from 'node:zlib'
import { encodeLz4Frame } from '../../storage/record/lz4-frame.ts'
import { batchOf, producedBy, withStored } from './bad-batches.ts'
import { fetchBody, frame, produceBody } from './binary-requests.ts'
import { type BrokerUnderAttack, FLOOD_TOPICS, LIMITS } from './broker-under-attack.ts'
import { answersInWords, answersOf, countOf, flood, floodMany, hangUp } from './flood-client.ts'
import {
  allClosed,
  allCut,
  BATCHES_TYPE,
  deafPipelineOf,
  deafReaders,
  expectOnly,
  type Flood,
  get,
  HEAD,
  LIVE,
  MIB,
  PAGE,
  post,
  within,
} from './flood-rig.ts'
import { GROUP_FLOODS } from './group-floods.ts'

const PIPELINED = 10_000
const POLLS = LIMITS['waiting.requests.max'] * 12

const pipelines: Flood = {
  name: `${PIPELINED} requests in one pipeline`,
  run: async ({ port }) => {
    const connection = await flood(port, LIVE.repeat(PIPELINED))
    await within(() => countOf(connection.statuses) >= PIPELINED)
    connection.socket.destroy()
    const { statuses } = connection
    const isWhole = statuses.get(200) === PIPELINED
    return { answer: answersInWords(statuses), problems: isWhole ? [] : ['not all answered'] }
  },
}

const deafPipeline: Flood = {
  name: `${PIPELINED} requests in one pipeline whose answers nobody reads`,
  run: async (broker) => {
    const get = `GET /v1/topics/taken ${HEAD}\r\n`
    const connection = await flood(broker.port, get.repeat(PIPELINED), { isDeaf: true })
    const problems = await allCut(broker)
    connection.socket.destroy()
    return { answer: 'cut', problems }
  },
}

const FETCH_LARGE = post(
  '/v1/fetch',
  fetchBody([{ topic: 'bulk', offset: 0, maxBytes: 32 * MIB }], { maxBytes: 32 * MIB }),
)

const connectionFlood: Flood = {
  name: `${LIMITS['connections.max'] + 300} connections`,
  run: async ({ port }) => {
    const connections = await floodMany(LIMITS['connections.max'] + 300, port, () => LIVE)
    await within(() => countOf(answersOf(connections)) >= connections.length)
    hangUp(connections)
    const answers = answersOf(connections)
    const problems = expectOnly(answers, 200, 503)
    if ((answers.get(503) ?? 0) < 300) problems.push(`only ${answers.get(503)} refused`)
    await within(() => connections.every(({ socket }) => socket.closed))
    return { answer: answersInWords(answers), problems }
  },
}

const longPolls: Flood = {
  name: `${POLLS} long polls`,
  run: async ({ port }) => {
    const poll = `GET /v1/topics/untouched/partitions/0/records?waitMs=30000 ${HEAD}\r\n`
    const fetch = post(
      '/v1/fetch',
      fetchBody([{ topic: 'untouched', offset: 0 }], { maxWaitMs: 30_000 }),
    )
    const polls = await floodMany(POLLS, port, (i) => (i % 2 === 0 ? poll : fetch))
    const refused = POLLS - LIMITS['waiting.requests.max']
    await within(() => countOf(answersOf(polls)) >= refused)
    await delay(200)
    hangUp(polls)
    const answers = answersOf(polls)
    const isRight = answers.get(429) === refused && countOf(answers) === refused
    return {
      answer: answersInWords(answers),
      problems: isRight ? [] : ['not those above the limit refused'],
    }
  },
}

function slowBodies(count: number): Flood {
  const begun = `POST /v1/topics/untouched/records ${HEAD}Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n{"value":"${'x'.repeat(300_000)}`
  return {
    name: `${count} bodies that stop after 300 KB`,
    run: async ({ port }) => {
      const bodies = await floodMany(count, port, () => begun)
      const problems = await allClosed(bodies)
      const answers = answersOf(bodies)
      return {
        answer: answersInWords(answers),
        problems: [...problems, ...expectOnly(answers, 408, 503)],
      }
    },
  }
}

const slowloris: Flood = {
  name: '500 connections that send a header a second',
  run: async ({ port }) => {
    const slow = await floodMany(500, port, () => `GET /health/live ${HEAD}`)
    const sending = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write('X-A: b\r\n')
    }, 500)
    const problems = await allClosed(slow)
    clearInterval(sending)
    const answers = answersOf(slow)
    return { answer: answersInWords(answers), problems: [...problems, ...expectOnly(answers, 408)] }
  },
}

const hangUps: Flood = {
  name: '500 clients that hang up in the middle',
  run: async ({ port }) => {
    const begun = [
      `POST /v1/topics/untouched/records ${HEAD}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
      `POST /v1/topics/untouched/records ${HEAD}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"val`,
      `GET /v1/topics/untouched/partitions/0/records?waitMs=30000 ${HEAD}\r\n`,
      FETCH_LARGE,
      'GET /v1/to',
    ]
    const connections = await floodMany(500, port, (i) => begun[i % begun.length]!, {
      isDeaf: true,
    })
    for (const { socket } of connections) socket.resetAndDestroy()
    return { answer: 'nobody is there to be answered', problems: [] }
  },
}

const ONE_CONNECTION = 'Connection: close\r\n'

/** As many bombs as the envelope and the body's limit allow, in one request. */
function bombs(name: string, batch: Buffer): Flood {
  return {
    name: `${name}, 20 requests at once`,
    run: async ({ port }) => {
      const body = produceBody(batch)
      const head = `POST /v1/produce ${HEAD}${ONE_CONNECTION}${BATCHES_TYPE}Content-Length: ${body.length}\r\n\r\n`
      const sent = await floodMany(20, port, () => Buffer.concat([Buffer.from(head), body]))
      const problems = await allClosed(sent)
      const answers = answersOf(sent)
      return {
        answer: answersInWords(answers),
        problems: [...problems, ...expectOnly(answers, 200, 503)],
      }
    },
  }
}

const BOMBS_IN_ONE = 80

/** Each within the limit and none of them records: work for the broker, and nothing it may hold others up with. */
const bombsInOneRequest: Flood = {
  name: `${BOMBS_IN_ONE} batches that decompress to 15 MiB, in one request`,
  run: async (broker) => {
    const batch = withStored(zstdCompressSync(Buffer.alloc(15 * MIB)), 'zstd')
    const place = { topic: 'untouched', partition: 0, bytes: batch.length }
    const batches = Array(BOMBS_IN_ONE).fill(place)
    const all = frame(
      { acks: 'all', timeoutMs: 10_000, batches },
      ...Array<Buffer>(BOMBS_IN_ONE).fill(batch),
    )
    const before = broker.acknowledgedCount
    const connection = await flood(broker.port, post('/v1/produce', all))
    await within(() => countOf(connection.statuses) > 0)
    connection.socket.destroy()
    const meanwhile = broker.acknowledgedCount - before
    const problems = expectOnly(connection.statuses, 200)
    if (meanwhile < 1) problems.push('nobody else was served meanwhile')
    return { answer: answersInWords(connection.statuses), problems }
  },
}

const manyNames: Flood = {
  name: '2,000 paths and topics nobody knows, and the labels of the metrics',
  run: async (broker) => {
    const before = (await broker.ask('/metrics')).text.split('\n').length
    const ask = (i: number) => `GET /v1/topics/evil-${i} ${HEAD}\r\nGET /evil-${i} ${HEAD}\r\n`
    const connection = await floodMany(20, broker.port, (i) =>
      Array.from({ length: 50 }, (_, j) => ask(i * 50 + j)).join(''),
    )
    await within(() => countOf(answersOf(connection)) >= 2_000)
    hangUp(connection)
    const grown = (await broker.ask('/metrics')).text.split('\n').length - before
    const answers = answersOf(connection)
    const problems = expectOnly(answers, 404)
    if (grown > 40) problems.push(`${grown} lines of metrics more`)
    return { answer: `${answersInWords(answers)}; ${grown} lines of metrics more`, problems }
  },
}

const manyTopics: Flood = {
  name: `${LIMITS['topics.max'] + 20} topics`,
  run: async (broker) => {
    const answers = new Map<number, number>()
    const note = (status: number) => answers.set(status, (answers.get(status) ?? 0) + 1)
    const names = Array.from({ length: LIMITS['topics.max'] + 20 }, (_, i) => `flood-${i}`)
    await Promise.all(
      names.map(async (name) =>
        note((await broker.ask(`/v1/topics/${name}`, { method: 'PUT' })).status),
      ),
    )
    const kept = JSON.parse((await broker.ask('/v1/topics?limit=1000')).text).topics.length
    for (const name of names) await broker.ask(`/v1/topics/${name}`, { method: 'DELETE' })
    const problems = expectOnly(answers, 201, 429)
    if (kept !== LIMITS['topics.max']) problems.push(`${kept} topics`)
    return { answer: answersInWords(answers), problems }
  },
}

const manyProducers: Flood = {
  name: '1,500 producer ids in one partition',
  run: async ({ port }) => {
    const bodies = Array.from({ length: 1_500 }, (_, i) =>
      post('/v1/produce', produceBody(producedBy(100_000 + i, 0, 0), { topic: 'taken' })),
    )
    const senders = await floodMany(10, port, (i) =>
      Buffer.concat(bodies.slice(i * 150, (i + 1) * 150)),
    )
    await within(() => countOf(answersOf(senders)) >= 1_500)
    hangUp(senders)
    const answers = answersOf(senders)
    return { answer: answersInWords(answers), problems: expectOnly(answers, 200) }
  },
}

const zeros = Buffer.alloc(16 * MIB)
const ndjson = get(PAGE, 'application/x-ndjson')
const bloated = get('/v1/topics/bloated/partitions/0/records', 'application/x-ndjson')
const page = get(`${PAGE}?maxBytes=${16 * MIB}&limit=10000`, 'application/json')
const packedPage = get(`${PAGE}?maxBytes=${16 * MIB}&limit=10000`, 'application/msgpack')
const oneRecord = get('/v1/topics/bloated/partitions/0/records/0', '*/*')

export const FLOODS: readonly Flood[] = [
  pipelines,
  deafPipeline,
  connectionFlood,
  longPolls,
  slowloris,
  slowBodies(400),
  hangUps,
  deafReaders('a stream of batches that decompress to 12 MiB', 90, bloated),
  deafReaders('a fetch of 32 MiB', 60, FETCH_LARGE),
  deafReaders('a page of 16 MiB', 60, page),
  deafPipelineOf('a page of 16 MiB', 300, page),
  deafPipelineOf('a fetch of 32 MiB', 100, FETCH_LARGE),
  bombs('zstd bombs', withStored(zstdCompressSync(Buffer.concat([zeros, zeros])), 'zstd')),
  bombs('lz4 bombs', withStored(encodeLz4Frame(Buffer.concat([zeros, zeros])), 'lz4')),
  bombsInOneRequest,
  manyNames,
  manyTopics,
  manyProducers,
  ...GROUP_FLOODS,
]

/** More of the same kinds, for the campaign. */
export const MORE_FLOODS: readonly Flood[] = [
  deafReaders('a stream', 90, ndjson),
  deafReaders('a page of 16 MiB in MessagePack', 60, packedPage),
  deafReaders('a record of 4 MiB', 60, oneRecord),
  deafPipelineOf('a record of 4 MiB', 300, oneRecord),
]

/** Topics that floods read from: 40 MiB in `bulk`, and 8 batches of 12 MiB each in `bloated` that take 50 KB. */
export async function prepareFloods(broker: BrokerUnderAttack): Promise<void> {
  for (const topic of FLOOD_TOPICS) await broker.ask(`/v1/topics/${topic}`, { method: 'PUT' })
  const large = batchOf({ values: Array.from({ length: 9 }, (_, i) => String(i).repeat(100_000)) })
  const small = batchOf({ values: Array(3).fill(Buffer.alloc(4 * MIB, 'a')), compression: 'lz4' })
  const send = async (topic: string, batch: Buffer, count: number) => {
    const body = post('/v1/produce', produceBody(batch, { topic }))
    const connection = await flood(broker.port, Buffer.concat(Array(count).fill(body)))
    await within(() => countOf(connection.statuses) >= count)
    connection.socket.destroy()
  }
  await send('bulk', large, 45)
  await send('bloated', small, 8)
}
