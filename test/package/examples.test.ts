/**
 * The projects of `examples/`, as their READMEs say: beside a packed package, installed, their types
 * checked and their scripts run, under vitest and node:test and against a broker of their own.
 */

import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker } from '../../broker/testing.ts'
import { Chromium, chromiumProblem } from '../rigs/chromium.ts'
import { StaticPages } from '../rigs/static-pages.ts'
import { Consumer, type Packed, pack, ROOT, registryProblem } from './consumer.ts'

const directory = mkdtempSync(join(tmpdir(), 'spool-packed-'))
let packed: Packed
let problem: string | undefined

beforeAll(async () => {
  packed = await pack(directory)
  problem = await registryProblem()
  if (problem !== undefined) console.log(`the examples are not run: ${problem}`)
}, 180_000)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What `npm pack` in a checkout and `npm install` in one of its examples leave. */
async function installed(name: string): Promise<Consumer> {
  const checkout = mkdtempSync(join(tmpdir(), 'spool-examples-'))
  const consumer = new Consumer(checkout, join('examples', name))
  cpSync(join(ROOT, 'examples', name), consumer.directory, { recursive: true })
  cpSync(packed.tarball, join(checkout, basename(packed.tarball)))
  await consumer.npm('install')
  return consumer
}

/** As the examples' readers would have it: strict, libraries checked too. */
async function checkTypes(consumer: Consumer): Promise<void> {
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    // Other people's declarations need not be as clean as ours.
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  }
  consumer.write({
    'tsconfig.json': JSON.stringify({
      compilerOptions,
      include: ['**/*.ts'],
      exclude: ['node_modules'],
    }),
  })
  await consumer.run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.')
}

test('tests of a service, with vitest and with node:test', async (context) => {
  context.skip(problem !== undefined, problem)
  using consumer = await installed('testing')
  await checkTypes(consumer)
  const vitest = await consumer.run('npm', 'run', 'test:vitest')
  expect(vitest.stdout).toMatch(/2 passed/)
  const node = await consumer.run('npm', 'run', 'test:node')
  expect(node.stdout).toMatch(/pass 2\b/)
}, 300_000)

/** What a program prints until it has said this and was interrupted; it must end well. */
async function untilSaid(consumer: Consumer, last: string, ...words: string[]): Promise<string> {
  const program = consumer.start(process.execPath, ...words)
  let printed = ''
  let isOver = false
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    if (isOver || !printed.includes(last)) return
    isOver = true
    program.kill('SIGINT')
  })
  const [code] = (await once(program, 'close')) as [number | null]
  expect(code).toBe(0)
  return printed
}

test('the small programs', async (context) => {
  context.skip(problem !== undefined, problem)
  using consumer = await installed('programs')
  await checkTypes(consumer)
  await using broker = await startBroker()
  consumer.environment.SPOOL_URL = broker.url
  const outputOf = async (...words: string[]) =>
    (await consumer.run(process.execPath, ...words)).stdout

  consumer.write({ 'three.txt': 'one\ntwo\nthree\n' })
  expect(await outputOf('produce.ts', 'three.txt')).toBe("3 records are on the broker's disk\n")
  expect(await outputOf('typed-orders.ts')).toMatch(
    /^stored as offset 0 of partition \d\nSERIALIZATION_FAILED: .*cents.*\nada spent 250 cents\n$/s,
  )

  expect(await untilSaid(consumer, 'three\n', 'worker.ts')).toMatch(
    /^mine now: 0 from 0\n0 0 one\n0 1 two\n0 2 three\ngiven back: 0 from 3\n$/,
  )
  consumer.write({ 'bad.txt': 'poison\nfour\n' })
  await outputOf('produce.ts', 'bad.txt')
  expect(await untilSaid(consumer, 'four\n', 'worker.ts')).toMatch(
    /^mine now: 0 from 3\n3 is now lines.dlq\n0 4 four\ngiven back: 0 from 5\n$/,
  )
  const printed = await untilSaid(consumer, 'three\n', 'read.ts', 'earliest')
  expect(printed).toMatch(/^0 0 one\n0 1 two\n0 2 three\n.*read up to .*5/s)
}, 300_000)

test('the client in a page, with an import map and no bundler', async (context) => {
  context.skip(problem !== undefined, problem)
  const noBrowser = chromiumProblem()
  context.skip(noBrowser !== undefined, noBrowser)
  using consumer = await installed('browser')
  await using pages = await StaticPages.start((path) => {
    const file = join(consumer.directory, path)
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  })
  await using broker = await startBroker({ corsAllowedOrigins: [pages.origin] })
  await using chromium = await Chromium.launch()
  const { page, errors } = await chromium.open(`${pages.origin}/client.html?broker=${broker.url}`)
  const text = (selector: string) =>
    page.$eval(selector, (element) => (element as { textContent: string }).textContent)
  const shows = async (selector: string, pattern: RegExp) => {
    await expect.poll(() => text(selector), { timeout: 60_000 }).toMatch(pattern)
  }
  await shows('#records', /^\d \d+ 1\n\d \d+ 2\n/)
  await page.click('#stop')
  await shows('#status', /^stopped, after \d+ records$/)
  expect(errors).toEqual([])
}, 300_000)
