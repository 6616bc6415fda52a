/**
 * Commits that arrive late, when others have come after them: a way that keeps what a consumer sends, so that
 * it can come once more. The broker, the group and the consumer are real.
 */

import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestBroker } from '../../../broker/testing.ts'
import type { CommitOffsets } from '../../../client/api/schemas/groups.ts'
import type { Client } from '../../../client/index.ts'
import { DOORS, NODE, newTopic, write } from '../reader/doors.ts'
import { committedOf, consume, Journal, newGroup, startGroupBroker } from './group-rig.ts'

/** Passes everything on, and keeps the commits. */
class Way implements AsyncDisposable {
  readonly commits: { readonly path: string; readonly body: Buffer }[] = []
  readonly #to: string
  readonly #server = createServer((incoming, answer) => {
    const { method, url: path = '/', headers } = incoming
    const passing = buffer(incoming).then((body) => {
      if (method === 'PUT' && path.endsWith('/offsets')) this.commits.push({ path, body })
      const onward = request(this.#to + path, { method, headers }, (reply) => {
        answer.writeHead(reply.statusCode ?? 500, reply.headers)
        reply.pipe(answer)
      })
      onward.on('error', () => answer.destroy())
      answer.on('close', () => onward.destroy())
      onward.end(body)
    })
    passing.catch(() => answer.destroy())
  })

  constructor(to: string) {
    this.#to = to
    this.#server.listen(0, '127.0.0.1')
  }

  async url(): Promise<string> {
    if (!this.#server.listening) await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get documents(): CommitOffsets[] {
    return this.commits.map(({ body }) => JSON.parse(body.toString()) as CommitOffsets)
  }

  /** `8+` is cumulative. */
  get said(): string[] {
    return this.documents.flatMap(({ offsets, cumulative }) =>
      offsets.map(({ offset }) => `${offset}${cumulative === true ? '+' : ''}`),
    )
  }

  /** One of them arrives again. */
  async again(index: number): Promise<number> {
    const { path, body } = this.commits[index]!
    const headers = { 'content-type': 'application/json' }
    return (await fetch(this.#to + path, { method: 'PUT', headers, body: new Uint8Array(body) }))
      .status
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

let broker: TestBroker
let writer: Client

beforeAll(async () => {
  broker = await startGroupBroker()
  writer = NODE.connect(broker.url)
})

afterAll(async () => {
  await writer.close()
  await broker[Symbol.asyncDispose]()
})

describe.each(DOORS)('over $name', ({ connect }) => {
  test('a commit that arrives late undoes none that came after it', async () => {
    await using way = new Way(broker.url)
    await using client = connect(await way.url())
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommit: false })
    const committed = () => committedOf(writer, group)
    for await (const record of consumer) {
      if (record.offset === 2 || record.offset === 7) await consumer.commit(record)
      if (record.offset < 7) continue
      expect(way.said).toEqual(['3+', '8+'])
      expect(await way.again(0)).toBe(200)
      expect(await committed()).toEqual([8])
      // What the program names is set as it says.
      await consumer.commit({ topic, partition: 0, offset: 4 })
      expect(await committed()).toEqual([4])
      expect(way.said).toEqual(['3+', '8+', '4'])
      break
    }
    await consumer.close()
  })

  test('after a seek back the first commit sets what is committed back, and the next go on from there', async () => {
    await using way = new Way(broker.url)
    await using client = connect(await way.url())
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommitIntervalMs: 20 })
    const committed = () => committedOf(writer, group)
    const seen: number[] = []
    let isSought = false
    for await (const { offset } of consumer) {
      seen.push(offset)
      if (offset === 9 && !isSought) {
        await expect.poll(committed).toEqual([9])
        isSought = true
        await consumer.seek(topic, 0, 3)
        // The place itself, before anything was read there.
        await expect.poll(committed).toEqual([3])
        continue
      }
      if (!isSought || offset < 6) continue
      await expect.poll(committed).toEqual([6])
      break
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 4, 5, 6])
    const said = way.said
    const set = said.indexOf('3')
    expect(said.filter((it) => !it.endsWith('+'))).toEqual(['3'])
    expect(said.slice(set + 1)).toContain('6+')
    await consumer.close()
    expect(await committed()).toEqual([6])
  })

  test('what was done of a topic is not committed for the one that was created under its name', async () => {
    // Both happen between two heartbeats.
    await using slow = await startGroupBroker({ groupHeartbeatMs: 1_500 })
    await using client = connect(slow.url)
    const topic = await newTopic(client)
    await write(client, topic, 10)
    const group = newGroup()
    const journal = new Journal()
    const options = { group, topics: [topic], autoCommitIntervalMs: 60_000 }
    const consumer = client.consumer({ ...options, ...journal.hooks })
    const reading = consume(consumer, journal)
    await expect.poll(() => journal.records, { timeout: 20_000 }).toHaveLength(10)
    await client.admin.deleteTopic(topic)
    await client.admin.createTopic({ name: topic, partitions: 1 })
    const given = () => journal.events.filter((event) => event.startsWith('assigned'))
    await expect.poll(given, { timeout: 20_000 }).toEqual(['assigned 0@0', 'assigned 0@0'])
    await consumer.close()
    await reading
    expect(await committedOf(client, group)).not.toContain(10)
    await using other = connect(slow.url)
    await write(other, topic, 3)
    const seen: number[] = []
    for await (const { offset } of other.consumer(options)) {
      seen.push(offset)
      if (offset === 2) break
    }
    expect(seen).toEqual([0, 1, 2])
  })
})
