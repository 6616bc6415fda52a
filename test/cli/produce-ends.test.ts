/**
 * How `spool produce` ends and what it says on the way: exit codes, reports, progress, a broker that is
 * away or slow, and lines of stdin that are there as soon as they are typed.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import {
  onTerminal,
  SpoolCommand,
  type SpoolOptions,
  spool,
  spoolLine,
} from '../rigs/spool-command.ts'

let broker: BrokerProcess
let client: Client
let directory: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'spool-ends-'))
  broker = await BrokerProcess.start({ dataDir: join(directory, 'data') })
  client = connect(broker.url)
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

let topics = 0
async function newTopic(partitions = 1) {
  const name = `topic-${++topics}`
  await client.admin.createTopic({ name, partitions })
  return name
}

function run(words: readonly string[], options: SpoolOptions = {}) {
  return spool(['produce', ...words], { url: broker.url, ...options })
}

async function recordsIn(topic: string): Promise<number> {
  const { partitions } = await client.admin.offsets(topic)
  return partitions.reduce((sum, { offset }) => sum + offset, 0)
}

async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** A file of so many lines. */
function fileOf(name: string, lines: number): string {
  const path = join(directory, name)
  writeFileSync(path, Array.from({ length: lines }, (_, at) => `{"n":${at}}\n`).join(''))
  return path
}

describe('exit codes', () => {
  test('an unknown topic is 7, with the command that makes it; --json says it as a document', async () => {
    const ended = await run(['absent'], { input: 'a\n' })
    expect(ended.code).toBe(7)
    expect(ended.stderr).toMatch(
      /^spool produce: there is no topic absent\n {2}create it with: spool topics create absent/,
    )
    const json = await run(['absent', '--json'], { input: 'a\n' })
    expect([json.code, json.stdout]).toEqual([7, ''])
    expect(JSON.parse(json.stderr)).toMatchObject({
      verb: 'produce',
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
  })

  test('a partition that is not there is 7', async () => {
    const topic = await newTopic(2)
    const ended = await run([topic, '-p', '2'], { input: 'a\n' })
    expect([ended.code, ended.stderr]).toEqual([
      7,
      expect.stringContaining('has no partition 2; it has 2 partitions, counted from 0'),
    ])
  })

  test('no broker is 6, at once', async () => {
    const ended = await run(['any'], { url: 'http://127.0.0.1:1', input: 'a\n' })
    expect(ended.code).toBe(6)
    expect(ended.stderr).toMatch(/no broker answers at http:\/\/127\.0\.0\.1:1 .*\n.*spool serve/)
  })

  test.each([
    [[], /which topic\? spool produce TOPIC/],
    [['t', '-t', 'u'], /two topics are given: t and -t u/],
    [['t', '-l', 'a', '-l', '-'], /-l - is stdin/],
    [['t', '-l', '/absent/file'], /"\/absent\/file": there is no such file/],
    [['t', '-l', '/tmp'], /"\/tmp": it is a directory/],
    [['t', '--value-file', 'a', '-l', 'b'], /--value-file .*leave out --from-file/],
    [['t', '--value-file', 'a', '-K', ':'], /--value-file .*leave out -K/],
    [['t', '--value-file', 'a', '--resume'], /--value-file .*leave out --resume/],
    [['t', '--content-type', 'text/plain'], /give --value-file/],
    [['t', '--value-file', 'a', '--content-type', 'nonsense'], /--content-type "nonsense"/],
    [['t', '--format', 'json', '-K', ':'], /--format json .*leave out -K/],
    [['t', '--format', 'json', '--key-from', '/a'], /leave out --key-from/],
    [['t', '--format', 'json', '-Z'], /leave out -Z/],
    [['t', '--format', 'csv'], /--format "csv": expected one of lines, json/],
    [['t', '-K', ':', '--key-from', '/a'], /leave out --key-from/],
    [['t', '--key-from', '/a', '-k', 'x'], /leave out -k/],
    [['t', '--key-from', 'user'], /--key-from "user" is no JSON Pointer/],
    [['t', '--timestamp-from', '/a~2'], /--timestamp-from "\/a~2" is no JSON Pointer/],
    [['t', '-H', 'novalue'], /-H "novalue": expected name=value/],
    [['t', '-D', ''], /-D is empty/],
    [['t', '-D', '\\q'], /-D "\\\\q": \\q is no escape/],
    [['t', '-p', '-1'], /--partition "-1": expected an integer from 0/],
    [['t', '-c', '0'], /--count "0": expected an integer of at least 1/],
    [['t', '-z', 'brotli'], /--compression "brotli": expected one of none/],
    [['t', '--acks', '2'], /--acks "2": expected one of all/],
    [['t', '--rate', '0'], /--rate "0": expected an integer from 1/],
    [['t', '--linger-ms', '-5'], /--linger-ms "-5": expected an integer from 0/],
    [['t', '--linger-ms', '500', '--delivery-timeout-ms', '500'], /--linger-ms 500 must be less/],
  ])('what was typed wrong is 2 and named: %j', async (words, why) => {
    const ended = await run(words, { input: 'a\n' })
    expect(ended.stderr).toMatch(why)
    expect([ended.code, ended.stdout]).toEqual([2, ''])
  })
})

describe('reports', () => {
  test('--json is one document with the members of the HTTP interface', async () => {
    const topic = await newTopic(2)
    const input = ['a:1', 'b:2', 'c:3', 'd:4'].join('\n')
    const ended = await run([topic, '-K', ':', '--json'], { input })
    const { elapsedMs, partitions, ...report } = JSON.parse(ended.stdout)
    expect(report).toEqual({
      topic,
      lines: 4,
      appended: 4,
      refused: 0,
      resumeAtLine: 5,
      durability: 'flushed',
      errors: [],
    })
    expect(elapsedMs).toBeGreaterThan(0)
    const count = partitions.reduce((sum: number, each: { count: number }) => sum + each.count, 0)
    expect(count).toBe(4)
    for (const { firstOffset, lastOffset, count } of partitions) {
      expect([firstOffset, lastOffset]).toEqual([0, count - 1])
    }
    expect(ended.stderr).toBe('')
  })

  test('--json names refused lines on stderr and in the document', async () => {
    const topic = await newTopic()
    const ended = await run([topic, '--key-from', '/k', '--skip-errors', '--json'], {
      input: '{"k":1}\nno\n{"k":2}\n',
    })
    expect(ended.code).toBe(10)
    expect(JSON.parse(ended.stderr)).toMatchObject({ verb: 'produce', line: 2, retriable: false })
    expect(JSON.parse(ended.stdout)).toMatchObject({
      lines: 3,
      appended: 2,
      refused: 1,
      errors: [{ line: 2, code: 'INVALID_REQUEST' }],
    })
  })

  test.each(['all', '-1', '1', '0'])('--acks %s: the records are there', async (acks) => {
    const topic = await newTopic()
    const ended = await run([topic, '--acks', acks, '--json'], { input: 'a\nb\n' })
    expect(ended.code).toBe(0)
    expect(JSON.parse(ended.stdout).appended).toBe(2)
    expect(JSON.parse(ended.stdout).durability).toBe(acks === '0' ? undefined : 'flushed')
    await until(async () => (await recordsIn(topic)) === 2)
  })

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('-z %s', async (codec) => {
    const topic = await newTopic()
    await run([topic, '-z', codec], { input: 'one line like another\n'.repeat(500) })
    expect(await recordsIn(topic)).toBe(500)
    const page = await fetch(`${broker.url}/v1/topics/${topic}/partitions/0/records?limit=1`)
    const { records } = (await page.json()) as { records: { value: string }[] }
    expect(records[0]?.value).toBe('one line like another')
  })

  test('-q says nothing but what went wrong', async () => {
    const topic = await newTopic()
    const ended = await run([topic, '-q'], { input: 'a\n' })
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })
})

describe('on the way', () => {
  test('a line of stdin is there as soon as it was typed, while stdin stays open', async () => {
    const topic = await newTopic()
    await using command = new SpoolCommand(['produce', topic], {
      url: broker.url,
      isInteractive: true,
    })
    for (let count = 1; count <= 3; count++) {
      command.type(`line ${count}\n`)
      await until(async () => (await recordsIn(topic)) === count)
    }
    command.type('no end')
    command.child.stdin?.end()
    expect((await command.ended).stdout).toBe(`4 records to ${topic}\n`)
  })

  test('lines of stdin that come one by one are spread over the partitions', async () => {
    const topic = await newTopic(3)
    await using command = new SpoolCommand(['produce', topic], {
      url: broker.url,
      isInteractive: true,
    })
    for (let count = 1; count <= 6; count++) {
      command.type(`line ${count}\n`)
      await until(async () => (await recordsIn(topic)) === count)
    }
    const { partitions } = await client.admin.offsets(topic)
    expect(partitions.map(({ offset }) => offset)).toEqual([2, 2, 2])
  })

  test('--progress says a line a second how much is acknowledged; as JSON with --json', async () => {
    const topic = await newTopic()
    const file = fileOf('progress.ndjson', 500)
    const words = [topic, '-l', file, '--rate', '200', '--progress']
    const text = await run(words)
    expect(text.stderr).toMatch(/^ {1,2}\d+% {2}[\d.]+ \S+ of [\d.]+ KiB {2}.*records\/s.*ndjson$/m)
    const json = await run([...words, '--json'])
    const [first] = json.stderr.trim().split('\n')
    const { progress } = JSON.parse(first!)
    expect(progress.records).toBeLessThanOrEqual(500)
    expect(progress.bytes).toBeLessThanOrEqual(progress.totalBytes)
  })

  test('on a terminal a file has a bar, which is gone at the end; refused lines stand above it', async () => {
    const topic = await newTopic()
    const file = join(directory, 'bar.ndjson')
    writeFileSync(file, `${'{"k":1}\n'.repeat(100)}no\n${'{"k":1}\n'.repeat(100)}`)
    const words = [
      'produce',
      topic,
      '-l',
      file,
      '--rate',
      '150',
      '--key-from',
      '/k',
      '--skip-errors',
    ]
    await using command = onTerminal(spoolLine(words), { url: broker.url })
    await command.until(({ stdout }) => /█+░+ +\d+% {2}/.test(stdout))
    const { code, stdout } = await command.ended
    expect(code).toBe(10)
    expect(stdout).toMatch(/bar\.ndjson:101: not JSON/)
    // The cursor is shown again, the line cleared, and the result stands there.
    expect(stdout).toMatch(new RegExp(`\\x1b\\[\\?25h[^█]*200 records to ${topic}`))
  })

  test('a person at a terminal is told how to end', async () => {
    const topic = await newTopic()
    await using command = onTerminal(spoolLine(['produce', topic]), { url: broker.url })
    await command.until(({ stdout }) => stdout.includes('one record a line; Ctrl-D ends'))
    command.type('typed\n\x04')
    const { code, stdout } = await command.ended
    expect(code).toBe(0)
    expect(stdout).toContain(`1 record to ${topic}: ${topic}/0/0`)
  })

  test('Ctrl-C on a terminal', async () => {
    const topic = await newTopic()
    const file = fileOf('typed.ndjson', 5_000)
    const words = ['produce', topic, '-l', file, '--rate', '500']
    await using command = onTerminal(spoolLine(words), { url: broker.url })
    await until(async () => (await recordsIn(topic)) > 100)
    command.type('\x03')
    const { code, stdout } = await command.ended
    expect(code).toBe(130)
    expect(stdout).toMatch(/acknowledged: \d+ records, up to line \d+ of /)
    expect(stdout).toContain('--resume')
  })
})

describe('a broker that is away or slow', () => {
  test('does not stop an upload if it is back in time; if not, it says how far it got', async () => {
    const topic = await newTopic(2)
    const file = fileOf('away.ndjson', 6_000)
    const dataDir = join(directory, 'data')
    const words = ['produce', topic, '-l', file, '--rate', '3000', '--resume']
    await using patient = new SpoolCommand(words, { url: broker.url })
    await until(async () => (await recordsIn(topic)) > 500)
    const { port } = broker
    await broker.kill()
    broker = await BrokerProcess.start({ dataDir, port })
    expect(await patient.ended).toMatchObject({ code: 0, stderr: '' })
    expect(await recordsIn(topic)).toBe(6_000)

    const other = await newTopic()
    await using hasty = new SpoolCommand(
      ['produce', other, '-l', file, '--rate', '3000', '--delivery-timeout-ms', '700'],
      { url: broker.url },
    )
    await until(async () => (await recordsIn(other)) > 500)
    await broker.kill()
    const ended = await hasty.ended
    broker = await BrokerProcess.start({ dataDir, port })
    expect(ended.code).toBe(6)
    expect(ended.stderr).toMatch(/was not acknowledged within 700 ms/)
    expect(ended.stderr).toMatch(/acknowledged: [\d,]+ records?, up to line|nothing was acknowl/)
    expect(ended.stderr).toContain('to go on: spool produce')
    expect((await run([other, '-l', file, '--resume'])).code).toBe(0)
    expect(await recordsIn(other)).toBe(6_000)
  })

  test('stops the reading of stdin: what is held has a bound', async () => {
    const topic = await newTopic()
    await using command = new SpoolCommand(['produce', topic], {
      url: broker.url,
      isInteractive: true,
    })
    command.type('first\n')
    await until(async () => (await recordsIn(topic)) === 1)
    broker.signal('SIGSTOP')
    try {
      const stdin = command.child.stdin!
      const piece = Buffer.from(`${'x'.repeat(1_023)}\n`.repeat(1_024))
      let taken = 0
      let isFull = false
      while (!isFull && taken < 400) {
        if (stdin.write(piece)) {
          taken += 1
          continue
        }
        taken += 1
        isFull = await Promise.race([
          new Promise<boolean>((resolve) => stdin.once('drain', () => resolve(false))),
          new Promise<boolean>((resolve) => setTimeout(resolve, 3_000, true)),
        ])
      }
      expect(isFull).toBe(true)
      // 64 MiB in the producer's buffer, and what pipes hold.
      expect(taken).toBeLessThan(100)
    } finally {
      broker.signal('SIGCONT')
    }
  })
})
