/** Very many streams at once: more than there may be, of readers that do not read, that go away, that all want something else. */

import { setTimeout as delay } from 'node:timers/promises'
import { batchOf } from './bad-batches.ts'
import { produceBody } from './binary-requests.ts'
import { type BrokerUnderAttack, LIMITS } from './broker-under-attack.ts'
import { answersInWords, answersOf, countOf, flood, floodMany, hangUp } from './flood-client.ts'
import {
  allCut,
  deafPipelineOf,
  deafReaders,
  expectOnly,
  type Flood,
  get,
  HEAD,
  MIB,
  PAGE,
  post,
  within,
} from './flood-rig.ts'

const EVENTS = 'text/event-stream'
const SLOTS = LIMITS['waiting.requests.max']
const STREAMS = SLOTS * 12

const events = get(PAGE, EVENTS)
const bloatedEvents = get('/v1/topics/bloated/partitions/0/records', EVENTS)

const tooMany: Flood = {
  name: `${STREAMS} event streams`,
  run: async (broker) => {
    const idle = get('/v1/topics/untouched/records', EVENTS)
    const streams = await floodMany(STREAMS, broker.port, () => idle)
    await within(() => countOf(answersOf(streams)) >= STREAMS)
    const open = await broker.metric('spool_streams')
    hangUp(streams)
    const answers = answersOf(streams)
    const problems = expectOnly(answers, 200, 429)
    if (answers.get(200) !== SLOTS) problems.push(`${answers.get(200)} were let in`)
    if (open !== SLOTS) problems.push(`${open} were open`)
    return { answer: answersInWords(answers), problems }
  },
}

/** Appends so many MiB to `bulk`, as an honest client does. */
async function appendTo(broker: BrokerUnderAttack, mebibytes: number): Promise<void> {
  const batch = batchOf({ values: Array.from({ length: 9 }, (_, i) => String(i).repeat(100_000)) })
  const count = Math.ceil((mebibytes * MIB) / batch.length)
  const body = post('/v1/produce', produceBody(batch, { topic: 'bulk' }))
  const producer = await flood(broker.port, Buffer.concat(Array<Buffer>(count).fill(body)))
  await within(() => countOf(producer.statuses) >= count)
  producer.socket.destroy()
}

const deafTail: Flood = {
  name: '90 readers of what comes that do not read, while 24 MiB come',
  run: async (broker) => {
    const latest = get(`${PAGE}?from=latest`, EVENTS)
    const readers = await floodMany(90, broker.port, () => latest, { isDeaf: true })
    const deadline = performance.now() + 15_000
    while ((await broker.metric('spool_streams')) < 90 && performance.now() < deadline) {
      await delay(20)
    }
    const before = await broker.metric('spool_stream_read_batches_total')
    await appendTo(broker, 24)
    const read = (await broker.metric('spool_stream_read_batches_total')) - before
    const problems = await allCut(broker)
    for (const { socket } of readers) socket.resume()
    await within(() => readers.every(({ socket }) => socket.closed))
    hangUp(readers)
    // 28 batches, which each of them would have had to read up to what its connection holds.
    if (read > 28 * 10) problems.push(`${read} batches were read`)
    return { answer: `${read} batches read; cut`, problems }
  },
}

const FILTERS = 90

const manyFilters: Flood = {
  name: `${FILTERS} event streams, each with a filter of its own that finds nothing in 40 MiB`,
  run: async (broker) => {
    const streams = await floodMany(FILTERS, broker.port, (i) =>
      get(`${PAGE}?until=latest&contains=nothing-${i}`, EVENTS),
    )
    const before = broker.acknowledgedCount
    const deadline = performance.now() + 60_000
    while (
      (countOf(answersOf(streams)) < FILTERS || (await broker.metric('spool_streams')) > 0) &&
      performance.now() < deadline
    ) {
      await delay(50)
    }
    const meanwhile = broker.acknowledgedCount - before
    hangUp(streams)
    const answers = answersOf(streams)
    const problems = expectOnly(answers, 200, 503)
    if (performance.now() >= deadline) problems.push('they did not come to their end')
    if (meanwhile < 3) problems.push(`only ${meanwhile} others were served meanwhile`)
    return { answer: `${answersInWords(answers)}; ended`, problems }
  },
}

const comeAndGo: Flood = {
  name: '1,000 event streams whose clients hang up at once',
  run: async ({ port }) => {
    for (let round = 0; round < 20; round++) {
      const query = ['', '?from=latest', '?key=nobody', '?as=base64'][round % 4]
      const streams = await floodMany(50, port, () => get(`${PAGE}${query}`, EVENTS))
      if (round % 2 === 0) await delay(20)
      for (const { socket } of streams) socket.resetAndDestroy()
    }
    return { answer: 'nobody is there to be answered', problems: [] }
  },
}

const behindOne: Flood = {
  name: '200 pages behind an event stream that does not end, in one pipeline',
  run: async (broker) => {
    const idle = get('/v1/topics/untouched/records', EVENTS)
    const pages = `GET /v1/topics/taken ${HEAD}\r\n`.repeat(200)
    const connection = await flood(broker.port, Buffer.concat([idle, Buffer.from(pages)]))
    await within(() => countOf(connection.statuses) >= 1)
    await delay(300)
    const problems = expectOnly(connection.statuses, 200)
    if (countOf(connection.statuses) > 1) problems.push('answers overtook the stream')
    connection.socket.destroy()
    return { answer: answersInWords(connection.statuses), problems }
  },
}

export const STREAM_FLOODS: readonly Flood[] = [
  tooMany,
  deafReaders('an event stream', 90, events),
  deafReaders('an event stream of batches that decompress to 12 MiB', 90, bloatedEvents),
  deafTail,
  deafPipelineOf('an event stream', 90, events),
  manyFilters,
  comeAndGo,
  behindOne,
]
