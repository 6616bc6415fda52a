/**
 * How `spool replay` ends before its end, and what it shows on the way: Ctrl-C and the command that goes on
 * from there, a broker that dies, bytes that are broken, bars and lines of progress.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { type Ended, onTerminal, SpoolCommand, spool, spoolLine } from '../rigs/spool-command.ts'

const MINUTE_MS = 60_000
const PARTITIONS = 3
const RECORDS = 3_000
const MIB = 1024 * 1024

let directory: string
let broker: BrokerProcess
let client: Client
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'spool-replay-'))
  broker = await BrokerProcess.start({ dataDir: join(directory, 'data') })
  client = connect(broker.url)
  await client.admin.createTopic({ name: 'many', partitions: PARTITIONS })
  await using producer = client.producer({ topic: 'many' })
  const values = Array.from({ length: RECORDS }, (_, at) => at)
  await producer.sendMany(
    values.map((at) => ({ key: `key-${at}`, value: `value ${at}`, timestamp: 1_000 + at * 10 })),
  )
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

function replay(...words: string[]): SpoolCommand {
  return new SpoolCommand(['replay', ...words], { url: broker.url })
}

/** A line of bash with `spool` in it. */
function inShell(line: string): Promise<Ended> {
  const command = ['bash', '-c', `spool() { ${spoolLine([])} "$@"; }; ${line}`]
  return new SpoolCommand(command.slice(1), { url: broker.url }, command.slice(0, 1)).ended
}

/** All values in a topic, sorted as they were made. */
async function valuesIn(topic: string): Promise<number[]> {
  const values: number[] = []
  for await (const { value } of client.reader(topic, { until: 'latest' })) {
    values.push(Number(String(value).slice('value '.length)))
  }
  return values.sort((one, other) => one - other)
}

const ALL = Array.from({ length: RECORDS }, (_, at) => at)

function goOnOf(stderr: string): string {
  return /^to go on: (.*)$/m.exec(stderr)?.[1] ?? ''
}

describe('Ctrl-C', () => {
  test('of printing: what was printed, and what the command prints that goes on, are the whole', async () => {
    const words = ['many', '--rate', '2000/s', '-f', "it's %s\\n", '--contains', 'value']
    await using command = replay(...words)
    await command.until(({ stdout }) => stdout.split('\n').length > 300)
    command.signal('SIGINT')
    const first = await command.ended
    expect(first).toMatchObject({ code: 130, signal: 'SIGINT' })
    const goOn = goOnOf(first.stderr)
    expect(goOn).toMatch(
      /^spool replay many --from 0:\d+,1:\d+,2:\d+ --until 0:\d+,1:\d+,2:\d+ --contains value --rate 2000\/s -f 'it'\\''s %s\\n'$/,
    )
    // What comes meanwhile was not part of it.
    await using producer = client.producer({ topic: 'many' })
    await producer.send({ value: 'value late' })
    const rest = await inShell(goOn.replace('--rate 2000/s', ''))
    const values = `${first.stdout}${rest.stdout}`.split('\n').slice(0, -1)
    expect(values).toEqual(ALL.map((at) => `it's value ${at}`))
  })

  test('of copying: what is acknowledged is said, and going on repeats and misses nothing', async () => {
    await client.admin.createTopic({ name: 'copy', partitions: 2 })
    const range = ['--until', '@999999']
    await using command = replay('many', ...range, '--into', 'copy', '--rate', '1500')
    await waitFor(async () => (await endOf('copy')) > 200)
    command.signal('SIGINT')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(stderr).toMatch(/^[\d,]+ records? safely in copy\nto go on: .*\n$/)
    const safely = Number(/^([\d,]+)/.exec(stderr)?.[1]?.replaceAll(',', ''))
    expect(await endOf('copy')).toBe(safely)
    expect(safely).toBeLessThan(RECORDS)
    const rest = await inShell(goOnOf(stderr).replace('--rate 1500', ''))
    expect(rest.code).toBe(0)
    expect(await valuesIn('copy')).toEqual(ALL)
  })

  test('with --json it is a document', async () => {
    await client.admin.createTopic({ name: 'copy-json' })
    await using command = replay('many', '--into', 'copy-json', '--rate', '100/m', '--json')
    await waitFor(async () => (await endOf('copy-json')) > 0)
    command.signal('SIGTERM')
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(143)
    const { records, recordsAfterNext, durability } = JSON.parse(stdout)
    expect({ records, recordsAfterNext, durability }).toEqual({
      records: await endOf('copy-json'),
      recordsAfterNext: 0,
      durability: 'flushed',
    })
    const document = JSON.parse(stderr)
    expect(document).toMatchObject({
      verb: 'replay',
      code: 'INTERRUPTED',
      detail: 'ended by SIGTERM',
      nextStep: expect.stringContaining(' --rate 100/m --into copy-json --json'),
    })
    const next = Object.values<number>(document.nextOffsets).reduce((sum, offset) => sum + offset)
    expect(next).toBe(records)
  })
})

async function endOf(topic: string): Promise<number> {
  const { partitions } = await client.admin.offsets(topic)
  return partitions.reduce((sum, { offset }) => sum + offset, 0)
}

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + MINUTE_MS
  while (!(await isSo())) {
    if (Date.now() > until) throw new Error('not in time')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('progress', () => {
  test('on a terminal there is a bar with records, rate and the time left, gone at the end', async () => {
    await client.admin.createTopic({ name: 'barred' })
    const words = ['replay', 'many', '--from', '-50', '--into', 'barred', '--rate', '60']
    await using command = onTerminal(spoolLine(words), { url: broker.url })
    const bar =
      /█+░+ +\d+% {2}\d+ of 150 records {2}\d+ records\/s {2}[\d.]+ s left {2}many → barred/
    await command.until(({ stdout }) => bar.test(stdout))
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the cursor is shown again
    expect(stdout).toMatch(/\x1b\[\?25h[^█]*150 records of many into barred/)
  })

  test('records on a terminal have none between them; elsewhere --progress says a line a second', async () => {
    const words = ['many', '--from', '-30', '--rate', '45']
    await using shown = onTerminal(spoolLine(['replay', ...words]), { url: broker.url })
    expect((await shown.ended).stdout).not.toContain('█')
    const [text, json] = await Promise.all([
      replay(...words, '--progress').ended,
      replay(...words, '--progress', '--json').ended,
    ])
    expect(text.stderr).toMatch(
      /^ {1,2}\d+% {2}\d+ of 90 records {2}\d+ records\/s {2}.* left {2}many$/m,
    )
    const { progress } = JSON.parse(json.stderr.split('\n')[0]!)
    expect(progress).toMatchObject({ total: 90, read: progress.records })
  })
})

test('the broker is killed with -9 on the way, twice: each record arrives once, in order per key', {
  timeout: 3 * MINUTE_MS,
}, async () => {
  const dataDir = join(directory, 'killed')
  let server = await BrokerProcess.start({ dataDir })
  const { url, port } = server
  await using other = connect(url)
  try {
    await other.admin.createTopic({ name: 'source', partitions: 3 })
    await other.admin.createTopic({ name: 'sink', partitions: 4 })
    await using producer = other.producer({ topic: 'source' })
    const count = 30_000
    await producer.sendMany(
      Array.from({ length: count }, (_, at) => ({
        key: `key-${at % 50}`,
        value: String(at),
        timestamp: 1_000 + at,
      })),
    )
    const words = ['replay', 'source', '--into', 'sink', '--rate', '10000', '--json']
    await using command = new SpoolCommand(words, { url })
    for (let kill = 1; kill <= 2; kill++) {
      await waitFor(async () => {
        const { partitions } = await other.admin.offsets('sink')
        return partitions.reduce((sum, { offset }) => sum + offset, 0) > kill * 5_000
      })
      await server.kill()
      server = await BrokerProcess.start({ dataDir, port })
    }
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ records: count, recordsAfterNext: 0 })
    const lastOf = new Map<string, number>()
    let seen = 0
    for await (const { key, value } of other.reader('sink', { until: 'latest' })) {
      const number = Number(value)
      expect(number).toBeGreaterThan(lastOf.get(String(key)) ?? -1)
      lastOf.set(String(key), number)
      seen += 1
    }
    expect(seen).toBe(count)
  } finally {
    await server.kill()
  }
})

test('bytes that are broken on the disk are named, with the command that goes on after them', async () => {
  await client.admin.createTopic({ name: 'broken', partitions: 2 })
  for (const [at, value] of ['first', 'second', 'third'].entries()) {
    await using producer = client.producer({ topic: 'broken' })
    await producer.send({ partition: 0, value, timestamp: at })
    await producer.send({ partition: 1, value: `${value} of 1`, timestamp: at })
  }
  const file = join(directory, 'data/broken-0/00000000000000000000.log')
  const bytes = readFileSync(file)
  bytes[bytes.indexOf('second')]! ^= 1
  writeFileSync(file, bytes)
  const { code, stdout, stderr } = await replay('broken').ended
  expect(code).toBe(1)
  const [sentence, nextStep] = stderr.split('\n')
  expect(sentence).toContain(
    'spool replay: the batch of partition 0 with offsets 1 to 1 can not be read: ',
  )
  const rest = await inShell(nextStep!.slice('  to go on after it: '.length))
  expect(`${stdout}${rest.stdout}`.split('\n').sort()).toEqual([
    '',
    'first',
    'first of 1',
    'second of 1',
    'third',
    'third of 1',
  ])
})

test('a reader of its output that is slow is waited for, in bounded memory', {
  timeout: 3 * MINUTE_MS,
}, async () => {
  await client.admin.createTopic({ name: 'heavy', partitions: 4 })
  await using producer = client.producer({ topic: 'heavy', compression: 'none' })
  for (let round = 0; round < 128; round++) {
    const value = Buffer.alloc(MIB - 1_000, round)
    await producer.sendMany([{ value, partition: round % 4, timestamp: round }])
  }
  await using command = new SpoolCommand(['replay', 'heavy', '-D', ''], {
    url: broker.url,
    isRead: false,
  })
  const seen: number[] = []
  // Until it has stood still for a while: it has filled what it may fill.
  while (seen.length < 10 || seen.at(-1)! > seen.at(-5)! + 1) {
    await new Promise((resolve) => setTimeout(resolve, 200))
    const status = readFileSync(`/proc/${command.child.pid!}/status`, 'utf8')
    seen.push(Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024)
  }
  // 128 MiB are to be read. 32 may lie ready, an answer or two more in each of 4 connections.
  expect(Math.max(...seen)).toBeLessThan(150)
  command.read()
  const { code, stdoutBytes } = await command.ended
  expect(code).toBe(0)
  expect(stdoutBytes).toHaveLength(128 * (MIB - 1_000))
  for (let round = 0; round < 128; round++) expect(stdoutBytes[round * (MIB - 1_000)]).toBe(round)
})

test('a reader that leaves is a quiet end', async () => {
  const { stdout, stderr } = await inShell(
    'spool replay many | head -1; echo $' + '{PIPESTATUS[0]}',
  )
  expect({ stdout, stderr }).toEqual({ stdout: 'value 0\n0\n', stderr: '' })
  expect((await spool(['replay', 'many'], { url: broker.url })).code).toBe(0)
})
