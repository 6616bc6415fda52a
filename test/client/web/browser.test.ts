/**
 * The client in a real browser: a page of another origin than the broker's, the web entry as a bundler
 * makes it, a broker process that is killed and comes back. And what a page that the broker was not told
 * of gets: nothing.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Client, connect, type Producer } from '../../../client/index.ts'
import { BrokerProcess } from '../../rigs/broker-process.ts'
import { Chromium, chromiumProblem, type OpenPage } from '../../rigs/chromium.ts'
import { StaticPages } from '../../rigs/static-pages.ts'
import { webBundle } from './web-bundle.ts'

const SEEN_MS_MAX = 30_000

/** What the page's own script leaves for the tests to work with. */
type InPage = {
  readonly spool: typeof import('../../../client/web.ts')
  /** Values that a reader in the page has seen, why it ended, and how to end it. */
  readonly seen: unknown[]
  readonly ended?: string
  stop?: () => void
  producer?: Producer
}

const PAGE = `<!doctype html><title>a page</title>
<script type="module">
  import * as spool from '/client.js'
  Object.assign(globalThis, { spool, seen: [] })
</script>`

const problem = chromiumProblem()
if (problem !== undefined) console.log(`the client is not tested in a browser: ${problem}`)

const dataDir = mkdtempSync(join(tmpdir(), 'spool-browser-'))
let chromium: Chromium
let pages: StaticPages
let strangers: StaticPages
let broker: BrokerProcess
let node: Client
let topics = 0

async function startBroker(port = 0): Promise<void> {
  const flags = ['--cors-allowed-origins', pages.origin]
  broker = await BrokerProcess.start({ dataDir, port, flags })
}

async function newTopic(): Promise<string> {
  const name = `topic-${topics++}`
  await node.admin.createTopic({ name, partitions: 2 })
  return name
}

beforeAll(async () => {
  if (problem !== undefined) return
  const files: Record<string, string> = {
    '/index.html': PAGE,
    '/client.js': await webBundle(),
  }
  pages = await StaticPages.start((path) => files[path])
  strangers = await StaticPages.start((path) => files[path])
  await startBroker()
  node = connect(broker.url)
  chromium = await Chromium.launch()
}, 120_000)

afterAll(async () => {
  await chromium?.[Symbol.asyncDispose]()
  await node?.close()
  await broker?.[Symbol.asyncDispose]()
  await pages?.[Symbol.asyncDispose]()
  await strangers?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true })
})

beforeEach((context) => context.skip(problem !== undefined, problem))

/** Follows a topic in the page, from its beginning: what comes is `seen`, and why it stopped `ended`. */
function follow(page: Page, topic: string): Promise<void> {
  return page.evaluate(
    (url, topic) => {
      const inPage = globalThis as unknown as InPage
      const client = inPage.spool.connect(url)
      const stop = new AbortController()
      inPage.stop = () => stop.abort(new Error('seen enough'))
      const reader = client.reader(topic, { signal: stop.signal })
      const readOn = async () => {
        for await (const { value } of reader) inPage.seen.push(value)
      }
      readOn()
        .then(
          () => 'the end',
          (error: Error) => error.message,
        )
        .then((ended) => Object.assign(inPage, { ended }))
    },
    broker.url,
    topic,
  )
}

/** Waits until the page has seen so many. */
async function seen(page: Page, count: number): Promise<unknown[]> {
  await page.waitForFunction(
    (count) => (globalThis as unknown as InPage).seen.length >= count,
    { timeout: SEEN_MS_MAX },
    count,
  )
  return page.evaluate(() => (globalThis as unknown as InPage).seen)
}

describe('a page of an origin the broker was told of', () => {
  let opened: OpenPage
  beforeEach(async () => {
    opened = await chromium.open(`${pages.origin}/`)
    return async () => {
      expect(opened.errors).toEqual([])
      await opened[Symbol.asyncDispose]()
    }
  })

  test('makes a topic, writes to it and reads it: text, JSON, bytes, headers, tombstones', async () => {
    const topic = `topic-${topics++}`
    const read = await opened.page.evaluate(
      async (url, topic) => {
        const { connect } = (globalThis as unknown as InPage).spool
        const client = connect(url)
        await client.admin.createTopic({ name: topic, partitions: 1 })
        const producer = client.producer({ topic })
        const sent = await producer.send({
          key: 'ключ',
          value: 'text',
          headers: { name: 'wert ✓' },
        })
        await producer.sendMany([
          { key: 'k', value: { id: 1 } },
          { value: Uint8Array.of(0, 255, 254) },
          { key: 'k', value: null },
        ])
        const records: unknown[] = []
        for await (const record of client.reader(topic, { until: 'latest' })) {
          const { offset, key, value, headers } = record
          const shown = value instanceof Uint8Array ? `bytes ${[...value]}` : value
          records.push([offset, key, shown, headers])
        }
        await client.close()
        return { sent: [sent.partition, sent.offset], records }
      },
      broker.url,
      topic,
    )
    expect(read).toEqual({
      sent: [0, 0],
      records: [
        [0, 'ключ', 'text', [['name', 'wert ✓']]],
        [1, 'k', { id: 1 }, []],
        [2, null, 'bytes 0,255,254', []],
        [3, 'k', null, []],
      ],
    })
    const inNode: unknown[] = []
    for await (const { value } of node.reader(topic, { until: 'latest' })) inNode.push(value)
    expect(inNode).toEqual(['text', { id: 1 }, Uint8Array.of(0, 255, 254), null])
  })

  test('puts each key where the client in Node puts it', async () => {
    const topic = await newTopic()
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    const send = (url: string, topic: string, keys: readonly string[]) =>
      opened.page.evaluate(
        async (url, topic, keys) => {
          const client = (globalThis as unknown as InPage).spool.connect(url)
          const producer = client.producer({ topic })
          const sent = await Promise.all(keys.map((key) => producer.send({ key, value: key })))
          await client.close()
          return sent.map(({ partition }) => partition)
        },
        url,
        topic,
        keys,
      )
    const producer = node.producer({ topic })
    const sent = await Promise.all(keys.map((key) => producer.send({ key, value: key })))
    expect(await send(broker.url, topic, keys)).toEqual(sent.map(({ partition }) => partition))
    await producer.close()
  })

  test('follows: records arrive as they are written, until the page has enough', async () => {
    const topic = await newTopic()
    const producer = node.producer({ topic })
    await follow(opened.page, topic)
    const values = ['one', 'two', 'three', 'four', 'five']
    for (const [before, value] of values.entries()) {
      // Each is written only after the one before was seen: nothing waits for a page to fill.
      await producer.send({ value })
      expect(await seen(opened.page, before + 1)).toEqual(values.slice(0, before + 1))
    }
    const ended = await opened.page.evaluate(async () => {
      const inPage = globalThis as unknown as InPage
      inPage.stop?.()
      while (inPage.ended === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
      return inPage.ended
    })
    expect(ended).toBe('seen enough')
    await producer.close()
  })

  test('goes on over a broker that is killed and started again: each record once, in order', async () => {
    const topic = await newTopic()
    await follow(opened.page, topic)
    const send = (...values: string[]) =>
      opened.page.evaluate(
        async (url, topic, values) => {
          const inPage = globalThis as unknown as InPage
          inPage.producer ??= inPage.spool.connect(url).producer({ topic })
          const { producer } = inPage
          await Promise.all(values.map((value) => producer.send({ value, partition: 0 })))
        },
        broker.url,
        topic,
        values,
      )
    await send('1', '2', '3')
    expect(await seen(opened.page, 3)).toEqual(['1', '2', '3'])
    const { port } = broker
    await broker.kill()
    const whileAway = send('4', '5')
    await startBroker(port)
    await whileAway
    expect(await seen(opened.page, 5)).toEqual(['1', '2', '3', '4', '5'])
    await send('6')
    expect(await seen(opened.page, 6)).toEqual(['1', '2', '3', '4', '5', '6'])
  })
})

test('a broker that asks for a token lets in the page that has it, streams too', async () => {
  const token = 'open-sesame-0123456789'
  const tokenFile = join(dataDir, 'token')
  writeFileSync(tokenFile, token, { mode: 0o600 })
  await using guarded = await BrokerProcess.start({
    dataDir: join(dataDir, 'guarded'),
    flags: ['--cors-allowed-origins', pages.origin, '--auth-token-file', tokenFile],
  })
  await using opened = await chromium.open(`${pages.origin}/`)
  const answers = await opened.page.evaluate(
    async (url, token) => {
      const { connect } = (globalThis as unknown as InPage).spool
      const stranger = connect(url)
      const refused = await stranger.admin.cluster().catch((error) => error.code)
      const client = connect({ url, token })
      await client.admin.createTopic({ name: 'guarded', partitions: 1 })
      await client.producer({ topic: 'guarded' }).send({ value: 'inside' })
      for await (const { value } of client.reader('guarded')) return [refused, value]
      return []
    },
    guarded.url,
    token,
  )
  expect(answers).toEqual(['UNAUTHORIZED', 'inside'])
})

describe('a page the broker was not told of', () => {
  test('is refused, and told where to look', async () => {
    await using opened = await chromium.open(`${strangers.origin}/`)
    const failed = await opened.page.evaluate(async (url) => {
      const { connect, SpoolError } = (globalThis as unknown as InPage).spool
      const client = connect({ url, requestTimeoutMs: 500 })
      try {
        await client.admin.cluster()
        return 'it was answered'
      } catch (error) {
        return error instanceof SpoolError ? `${error.code}: ${error.detail}` : String(error)
      }
    }, broker.url)
    expect(failed).toMatch(/^NETWORK_EXCEPTION: .*cors\.allowed\.origins/)
  })

  test('stores nothing by a request that needs no preflight, and opens no stream', async () => {
    const topic = await newTopic()
    await using opened = await chromium.open(`${strangers.origin}/`)
    const answers = await opened.page.evaluate(
      async (url, topic) => {
        const records = `${url}/v1/topics/${topic}/records`
        const body = new Blob(['smuggled'], { type: 'text/plain' })
        const posted = await fetch(records, { method: 'POST', mode: 'no-cors', body })
        const { promise, resolve } = Promise.withResolvers<string>()
        const source = new EventSource(records)
        source.onopen = () => resolve('open')
        source.onerror = () => resolve(source.readyState === 2 ? 'closed' : 'trying again')
        return [posted.type, await promise]
      },
      broker.url,
      topic,
    )
    expect(answers).toEqual(['opaque', 'closed'])
    const { partitions } = await node.admin.offsets(topic)
    expect(partitions.map(({ highWatermark }) => highWatermark)).toEqual([0, 0])
  })
})
