/**
 * Commits that arrive late, when others have come after them: a way that keeps what a consumer sends, so that
 * it can come once more. The broker, the group and the consumer are real.
 */

import { describe, expect, test } from 'vitest'
import type { CommitOffsets } from '../../../client/api/schemas/groups.ts'
import { DOORS, newTopic, write } from '../reader/doors.ts'
import {
  committedOf,
  consume,
  GroupSuite,
  Journal,
  newGroup,
  startGroupBroker,
} from './group-rig.ts'
import { MeddlingProxy } from './meddling-proxy.ts'

/** Passes everything on, and keeps the commits. */
class Way implements AsyncDisposable {
  readonly documents: CommitOffsets[] = []
  readonly #paths: string[] = []
  readonly #to: string
  readonly #proxy: MeddlingProxy

  private constructor(to: string, proxy: MeddlingProxy) {
    this.#to = to
    this.#proxy = proxy
    proxy.meddle = ({ method, path }, body) => {
      if (method === 'PUT' && path.endsWith('/offsets')) {
        this.#paths.push(path)
        this.documents.push(body() as CommitOffsets)
      }
      return undefined
    }
  }

  static async to(url: string): Promise<Way> {
    return new Way(url, await MeddlingProxy.start(url))
  }

  get url(): string {
    return this.#proxy.url
  }

  /** `8+` is cumulative. */
  get said(): string[] {
    return this.documents.flatMap(({ offsets, cumulative }) =>
      offsets.map(({ offset }) => `${offset}${cumulative === true ? '+' : ''}`),
    )
  }

  /** One of them arrives again. */
  async again(index: number): Promise<number> {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(this.documents[index])
    return (await fetch(this.#to + this.#paths[index], { method: 'PUT', headers, body })).status
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#proxy[Symbol.asyncDispose]()
  }
}

const suite = GroupSuite.serve()

describe.each(DOORS)('over $name', ({ connect }) => {
  test('a commit that arrives late undoes none that came after it', async () => {
    await using way = await Way.to(suite.broker.url)
    await using client = connect(way.url)
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommit: false })
    const committed = () => committedOf(suite.writer, group)
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
    await using way = await Way.to(suite.broker.url)
    await using client = connect(way.url)
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommitIntervalMs: 20 })
    const committed = () => committedOf(suite.writer, group)
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
