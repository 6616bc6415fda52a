/**
 * The page of `examples/browser` as its README says: served by a static server, in a real browser, against
 * a broker that was told of its origin, was killed, or was not told.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { connect } from '../../../client/index.ts'
import { BrokerProcess } from '../../rigs/broker-process.ts'
import { Chromium, chromiumProblem, type OpenPage } from '../../rigs/chromium.ts'
import { StaticPages } from '../../rigs/static-pages.ts'

const INDEX = join(import.meta.dirname, '../../../examples/browser/index.html')
const SHOWN_MS_MAX = 30_000

const problem = chromiumProblem()
if (problem !== undefined) console.log(`the example page is not tried in a browser: ${problem}`)

const dataDir = mkdtempSync(join(tmpdir(), 'spool-browser-'))
let chromium: Chromium
let pages: StaticPages
let strangers: StaticPages
let broker: BrokerProcess

async function startBroker(port = 0): Promise<void> {
  const flags = ['--cors-allowed-origins', pages.origin]
  broker = await BrokerProcess.start({ dataDir, port, flags })
}

beforeAll(async () => {
  if (problem !== undefined) return
  const index = readFileSync(INDEX, 'utf8')
  const fileAt = (path: string) => (path === '/index.html' ? index : undefined)
  pages = await StaticPages.start(fileAt)
  strangers = await StaticPages.start(fileAt)
  await startBroker()
  chromium = await Chromium.launch()
}, 120_000)

afterAll(async () => {
  await chromium?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
  await pages?.[Symbol.asyncDispose]()
  await strangers?.[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true })
})

beforeEach((context) => context.skip(problem !== undefined, problem))

// What runs in the page is text here: this project's own code has no DOM, and its types have none either.

function fill(page: Page, selector: string, text: string): Promise<unknown> {
  const [to, value] = [selector, text].map((it) => JSON.stringify(it))
  return page.evaluate(`document.querySelector(${to}).value = ${value}`)
}

/** Waits until an element of the page has this text, and takes it away if it is the status. */
async function shows(page: Page, selector: string, text: RegExp): Promise<void> {
  const element = `document.querySelector(${JSON.stringify(selector)})`
  const shown = `new RegExp(${JSON.stringify(text.source)}).test(${element}.textContent)`
  await page.waitForFunction(shown, { timeout: SHOWN_MS_MAX })
  if (selector === '#status') await page.evaluate(`${element}.textContent = ''`)
}

const rows = (page: Page) =>
  page.evaluate(
    `[...document.querySelectorAll('#records tr')].map((row) => [...row.children].map((it) => it.textContent))`,
  ) as Promise<string[][]>
const values = async (page: Page) => (await rows(page)).map((cells) => cells[4])

/** The page with a topic of its own. */
async function openedOn(topic: string): Promise<OpenPage> {
  const opened = await chromium.open(`${pages.origin}/`)
  const { page } = opened
  await fill(page, '#url', broker.url)
  await fill(page, '#topic', topic)
  await page.click('#place button')
  await shows(page, '#status', new RegExp(`^${topic} has 2 partitions$`))
  return opened
}

async function send(page: Page, key: string, value: string): Promise<void> {
  await fill(page, '#key', key)
  await fill(page, '#value', value)
  await page.click('#record button')
  await shows(page, '#status', /^stored in partition \d as offset \d+, flushed$/)
}

test('sends, and pages through a topic', async () => {
  await using opened = await openedOn('paged')
  const { page } = opened
  await send(page, 'k', '<b>not markup</b>')
  await page.click('#first')
  await shows(page, '#status', /^1 records$/)
  expect((await rows(page))[0]?.slice(3)).toEqual(['k', '<b>not markup</b>'])

  await using client = connect(broker.url)
  const more = Array.from({ length: 24 }, (_, index) => ({ key: `k${index}`, value: `v${index}` }))
  await client.producer({ topic: 'paged' }).sendMany(more)
  const read = new Set<unknown>()
  for (const [button, count] of Object.entries({ first: 10, next: 10 })) {
    await page.click(`#${button}`)
    await shows(page, '#status', new RegExp(`^${count} records$`))
    for (const value of await values(page)) read.add(value)
  }
  expect(read.size).toBe(20)
  await page.click('#next')
  await shows(page, '#status', /^5 records$/)
  for (const value of await values(page)) read.add(value)
  expect(read.size).toBe(25)
  expect(opened.errors).toEqual([])
})

test('follows, also over a broker that is killed and started again', async () => {
  await using opened = await openedOn('followed')
  const { page } = opened
  await send(page, 'k', 'before')
  await page.click('#follow')
  await shows(page, '#status', /^following$/)
  await send(page, 'k', 'first')
  await shows(page, '#records', /first/)

  const { port } = broker
  await broker.kill()
  await shows(page, '#status', /^connecting again$/)
  await startBroker(port)
  await using client = connect(broker.url)
  await client.producer({ topic: 'followed' }).send({ key: 'k', value: 'second' })
  await shows(page, '#records', /second/)
  await send(page, 'k', 'third')
  await shows(page, '#records', /third/)
  expect(await values(page)).toEqual(['first', 'second', 'third'])
  await page.click('#follow')
  await shows(page, '#status', /^stopped$/)
  expect(opened.errors).toEqual([])
})

test('says what may be wrong where it may not ask', async () => {
  await using opened = await chromium.open(`${strangers.origin}/`)
  await fill(opened.page, '#url', broker.url)
  await opened.page.click('#place button')
  await shows(opened.page, '#status', /^no answer: is the broker there, and may http:\S+ ask it\?$/)
})
