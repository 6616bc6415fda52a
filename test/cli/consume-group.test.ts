/**
 * `spool consume -G` against a real broker: what members print together, what is committed and when, what
 * is said of partitions that come and go, and how each way of ending leaves the group.
 */

import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { type Client, connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { type Ended, SpoolCommand, spool, spoolLine } from '../rigs/spool-command.ts'

const MINUTE_MS = 60_000

let broker: TestBroker
let client: Client
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

function consume(...words: string[]): SpoolCommand {
  return new SpoolCommand(['consume', ...words], { url: broker.url })
}

function run(...words: string[]): Promise<Ended> {
  return spool(words, { url: broker.url })
}

/** A line of bash with `spool` in it. */
function inShell(line: string): Promise<Ended> {
  const command = ['bash', '-c', `spool() { ${spoolLine([])} "$@"; }; ${line}`]
  return new SpoolCommand(command.slice(1), { url: broker.url }, command.slice(0, 1)).ended
}

/** Records `TOPIC 0`, `TOPIC 1`, … spread over the partitions in turn. */
async function topicOf(name: string, partitions: number, records: number): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  await append(name, partitions, 0, records)
}

async function append(name: string, partitions: number, from: number, to: number): Promise<void> {
  await using producer = client.producer({ topic: name })
  const numbers = Array.from({ length: to - from }, (_, at) => from + at)
  await producer.sendMany(
    numbers.map((at) => ({ partition: at % partitions, value: `${name} ${at}` })),
  )
}

function valuesOf(name: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, at) => `${name} ${from + at}`).sort()
}

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1)

/** As much as there is; how many bytes that was. */
function readInto(file: number, buffer: Buffer): number {
  let length = 0
  try {
    for (let read = 1; read > 0 && length < buffer.length; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  }
  return length
}

/** Of all partitions. */
async function committedBy(group: string): Promise<number> {
  const offsets = await client.admin.groupOffsets(group)
  return offsets.reduce((sum, { offset }) => sum + (offset ?? 0), 0)
}

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + MINUTE_MS
  while (!(await isSo())) {
    if (Date.now() > until) throw new Error('not in time')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const isEmpty = async (group: string) => (await client.admin.describeGroup(group)).state === 'empty'

describe('one member', () => {
  test('prints several topics, commits while it waits, and Ctrl-C says how far; the next one goes on there', async () => {
    await topicOf('orders', 2, 10)
    await topicOf('mails', 1, 3)
    await using command = consume('-G', 'one', 'orders', 'mails', '-f', '%t/%p/%o %s\\n')
    await command.until(({ stdout }) => linesOf(stdout).length === 13)
    expect(
      linesOf(command.stdout)
        .map((line) => line.replace(/^\S+ /, ''))
        .sort(),
    ).toEqual([...valuesOf('orders', 0, 10), ...valuesOf('mails', 0, 3)].sort())
    expect(linesOf(command.stdout)).toContain('mails/0/2 mails 2')
    await waitFor(async () => (await committedBy('one')) === 13)
    command.signal('SIGINT')
    const { code, signal, stderr } = await command.ended
    expect({ code, signal }).toEqual({ code: 130, signal: 'SIGINT' })
    const lines = linesOf(stderr)
    expect(lines.slice(0, -2).every((line) => line.startsWith('% assigned '))).toBe(true)
    expect(lines.slice(-2)).toEqual([
      'committed: mails 0:3; orders 0:5,1:5',
      "to go on: spool consume -G one orders mails -f '%t/%p/%o %s\\n'",
    ])
    // It left: nobody waits for its session to end.
    expect(await isEmpty('one')).toBe(true)
    await append('orders', 2, 10, 12)
    const goOn = lines.at(-1)!.slice('to go on: '.length)
    const next = await inShell(`${goOn} -e`)
    expect(linesOf(next.stdout).sort()).toEqual(['orders/0/5 orders 10', 'orders/1/5 orders 11'])
  })

  test('-e ends when the group has read what was there; records say their topic with --json', async () => {
    await topicOf('listed', 3, 9)
    const first = await run('consume', '-G', 'ends', 'listed', '-e', '--json')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    const records = linesOf(first.stdout).map((line) => JSON.parse(line))
    expect(records.map(({ value }) => value).sort()).toEqual(valuesOf('listed', 0, 9))
    expect(Object.keys(records[0])).toEqual([
      'topic',
      'partition',
      'offset',
      'timestamp',
      'key',
      'value',
      'headers',
    ])
    expect(records[0].topic).toBe('listed')
    const again = await run('consume', '-G', 'ends', 'listed', '-e')
    expect(again).toMatchObject({ code: 0, stdout: '' })
    expect(linesOf(again.stderr).at(-1)).toBe('% Reached end of listed in group ends: exiting')
    expect((await run('consume', '-G', 'ends', 'listed', '-e', '-q')).stderr).toBe('')
    expect(await isEmpty('ends')).toBe(true)
  })

  test('-c prints so many and commits just those, in the middle of a batch too', async () => {
    await topicOf('counted', 1, 10)
    const first = await run('consume', '-G', 'counter', 'counted', '-c', '4', '-q')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(linesOf(first.stdout)).toEqual(valuesOf('counted', 0, 4))
    expect(await committedBy('counter')).toBe(4)
    const rest = await run('consume', '-G', 'counter', 'counted', '-e', '-q')
    expect(linesOf(rest.stdout)).toEqual(valuesOf('counted', 4, 10))
  })

  test('a filter leaves records out, and they count as read', async () => {
    await topicOf('filtered', 2, 40)
    const found = await run('consume', '-G', 'filter', 'filtered', '-e', '-q', '--contains', '7')
    expect(linesOf(found.stdout).sort()).toEqual(
      valuesOf('filtered', 0, 40).filter((value) => value.includes('7')),
    )
    expect(await committedBy('filter')).toBe(40)
  })

  test('-o is where a group begins that has committed nothing, and no other', async () => {
    await topicOf('begun', 1, 10)
    expect((await run('consume', '-G', 'late', 'begun', '-o', '-3', '-e', '-q')).stdout).toBe(
      'begun 7\nbegun 8\nbegun 9\n',
    )
    await append('begun', 1, 10, 11)
    for (const position of ['beginning', 'stored']) {
      const again = await run('consume', '-G', 'late', 'begun', '-o', position, '-e', '-q')
      expect(again.stdout).toBe(position === 'beginning' ? 'begun 10\n' : '')
    }
  })

  test('a reader of its output that leaves is a quiet end, and leaves the group', async () => {
    await topicOf('headed', 1, 10)
    // More than a pipe holds, so that it notices.
    await using producer = client.producer({ topic: 'headed' })
    for (let at = 0; at < 40; at++) await producer.send({ value: 'x'.repeat(100_000) })
    const { code, stdout, stderr } = await inShell(
      'spool consume -G heads headed -q | head -1; echo $' + '{PIPESTATUS[0]}',
    )
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'headed 0\n0\n', stderr: '' })
    await waitFor(() => isEmpty('heads'))
    expect(await committedBy('heads')).toBeLessThan(50)
  })

  test('words that mean nothing in a group, topics that are not there', async () => {
    const refused = async (...words: string[]) => {
      const { code, stderr } = await run('consume', ...words)
      return `${code} ${stderr.split('\n')[0]!.replace('spool consume: ', '')}`
    }
    expect(await refused('-G', 'g')).toBe('2 which topics? spool consume -G GROUP TOPIC…')
    expect(await refused('a', 'b')).toBe(
      '2 2 topics are given, and one is read at a time; several are read in a group: -G GROUP a b',
    )
    expect(await refused('-G', 'g', 'a', '-p', '0')).toMatch(/^2 -p chooses partitions/)
    expect(await refused('-G', 'g', 'a', '--until', 'latest')).toMatch(
      /^2 a group reads to the end/,
    )
    expect(await refused('-G', 'g', 'a', '-o', 'e@5')).toMatch(/^2 a group reads to the end/)
    expect(await refused('-G', 'g', 'a', '-o', '0:5')).toMatch(
      /^2 -o 0:5: offsets are for spool groups reset/,
    )
    expect(await refused('-G', 'g', 'a', '-o', '5')).toMatch(
      /^2 -o 5: offsets are for spool groups reset/,
    )
    expect(await refused('-G', 'g', 'nowhere')).toBe('7 there is no topic nowhere')
    expect(await refused('-G', '', 'a')).toMatch(/^2 --group "": expected a name/)
  })
})

describe('several members', () => {
  test('share the work; partitions that move are told, and no record is lost or printed twice', async () => {
    await topicOf('shared', 4, 400)
    await using first = consume('-G', 'team', 'shared')
    await first.until(({ stdout }) => linesOf(stdout).length === 400)
    await using second = consume('-G', 'team', 'shared')
    await second.until(({ stderr }) => /^% assigned shared [\d,-]+$/m.test(stderr))
    await first.until(({ stderr }) => /^% gave back shared [\d,-]+$/m.test(stderr))
    // Both have some now: what comes is printed by whoever has it.
    await append('shared', 4, 400, 800)
    const printed = () => [...linesOf(first.stdout), ...linesOf(second.stdout)].sort()
    await waitFor(async () => printed().length >= 800)
    expect(printed()).toEqual(valuesOf('shared', 0, 800))
    expect(linesOf(second.stdout).length).toBeGreaterThan(0)
    second.signal('SIGTERM')
    expect((await second.ended).code).toBe(143)
    await first.until(({ stderr }) => (stderr.match(/^% assigned /gm) ?? []).length > 1)
    await append('shared', 4, 800, 900)
    await waitFor(async () => printed().length >= 900)
    expect(printed()).toEqual(valuesOf('shared', 0, 900))
    await waitFor(async () => (await committedBy('team')) === 900)
  })

  test('with -e each waits until the whole group is done', async () => {
    await topicOf('together', 4, 2_000)
    const ended = await Promise.all([
      run('consume', '-G', 'both', 'together', '-e', '-q'),
      run('consume', '-G', 'both', 'together', '-e', '-q'),
    ])
    expect(ended.map(({ code }) => code)).toEqual([0, 0])
    const printed = ended.flatMap(({ stdout }) => linesOf(stdout))
    expect(new Set(printed).size).toBe(2_000)
    expect(printed).toHaveLength(2_000)
  })
})

describe('what happens meanwhile', () => {
  test.each(['deleted', 'created anew'])(
    'with -e nobody waits for a topic that was %s',
    async (what) => {
      const [topic, group] = [`away-${what.length}`, `waits-${what.length}`]
      await topicOf(topic, 1, 10)
      // Has the partition, and reads nothing.
      const other = client.consumer({ group, topics: [topic], autoCommit: false })
      const records = other[Symbol.asyncIterator]()
      await records.next()
      await using command = consume('-G', group, topic, '-e')
      const members = async () => (await client.admin.describeGroup(group)).members.length
      await waitFor(async () => (await members()) === 2)
      await client.admin.deleteTopic(topic)
      if (what === 'created anew') await topicOf(topic, 1, 2)
      const { code, stderr } = await command.ended
      expect(stderr).toContain(`% Reached end of ${topic} in group ${group}: exiting`)
      expect(code).toBe(0)
      await records.return?.()
    },
  )

  test('a rewind while it runs: said, read again, and not undone by what it commits', async () => {
    await topicOf('rewound', 1, 20)
    await using command = consume('-G', 'rewinder', 'rewound')
    await command.until(({ stdout }) => linesOf(stdout).length === 20)
    await waitFor(async () => (await committedBy('rewinder')) === 20)
    const reset = await run('groups', 'reset', 'rewinder', '--to', '15', '-t', 'rewound:0', '--yes')
    expect(reset.code).toBe(0)
    await command.until(({ stdout }) => linesOf(stdout).length === 25)
    await command.until(({ stderr }) => stderr.includes('% reset rewound/0: 20 → 15\n'))
    expect(linesOf(command.stdout).slice(20)).toEqual(valuesOf('rewound', 15, 20))
    await waitFor(async () => (await committedBy('rewinder')) === 20)
    command.signal('SIGINT')
    expect((await command.ended).stderr).toContain('committed: rewound 0:20\n')
  })

  test('nothing is committed that was not written, also when Ctrl-C ends it before a slow reader', async () => {
    await client.admin.createTopic({ name: 'stalled' })
    await using producer = client.producer({ topic: 'stalled', compression: 'none' })
    const piece = 10_000
    const records = 200
    for (let at = 0; at < records; at++) await producer.send({ value: Buffer.alloc(piece, at) })
    const directory = mkdtempSync(join(tmpdir(), 'spool-stalled-'))
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', [pipe])
    // Open for reading, so that it can be written to until it is full.
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
    const words = ['consume', '-G', 'stalled', 'stalled', '-D', '', '-q']
    const line = `exec ${spoolLine(words)} > ${pipe}`
    await using command = new SpoolCommand(['-c', line], { url: broker.url }, ['sh'])
    const state = async () => (await client.admin.describeGroup('stalled')).state
    await waitFor(async () => (await state().catch(() => undefined)) === 'stable')
    const beginning = Buffer.alloc(1)
    await waitFor(async () => readInto(reader, beginning) === 1)
    // Commits are made every second, whether or not anybody reads.
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    command.signal('SIGINT')
    expect((await command.ended).code).toBe(130)
    const written = 1 + readInto(reader, Buffer.alloc(records * piece))
    closeSync(reader)
    rmSync(directory, { recursive: true })
    const committed = await committedBy('stalled')
    expect(written).toBeLessThan(records * piece)
    expect(committed * piece).toBeLessThanOrEqual(written)
    expect(await isEmpty('stalled')).toBe(true)
    const rest = await spool([...words, '-e'], { url: broker.url })
    expect(rest.stdoutBytes.length).toBe((records - committed) * piece)
    expect(rest.stdoutBytes[0]).toBe(committed)
  })

  test('the broker is killed with -9, and the member too: everything is printed, the rest is read again', {
    timeout: 3 * MINUTE_MS,
  }, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'spool-member-'))
    // The session of who is killed ends soon.
    const flags = ['--group-consumer-session-timeout-ms', '3000']
    flags.push('--group-consumer-heartbeat-interval-ms', '500')
    let server = await BrokerProcess.start({ dataDir, flags })
    const { url, port } = server
    await using other = connect(url)
    try {
      await other.admin.createTopic({ name: 'survivor', partitions: 3 })
      await using producer = other.producer({ topic: 'survivor' })
      let sent = 0
      const sendSome = async () => {
        const values = Array.from({ length: 600 }, () => `survivor ${sent++}`)
        await producer.sendMany(values.map((value, at) => ({ value, partition: at % 3 })))
      }
      const start = () => new SpoolCommand(['consume', '-G', 'g', 'survivor', '-q'], { url })
      const first = start()
      await sendSome()
      await first.until(({ stdout }) => linesOf(stdout).length >= 600)
      await server.kill()
      server = await BrokerProcess.start({ dataDir, port, flags })
      await sendSome()
      await first.until(({ stdout }) => linesOf(stdout).length >= 1_200)
      expect(new Set(linesOf(first.stdout)).size).toBe(1_200)
      first.signal('SIGKILL')
      await first.ended
      await using second = start()
      await sendSome()
      await second.until(({ stdout }) => {
        const both = new Set([...linesOf(first.stdout), ...linesOf(stdout)])
        return both.size === sent
      })
      second.signal('SIGINT')
      expect((await second.ended).code).toBe(130)
      // -e waits for a broker that is away, as everything in a group does.
      await using third = new SpoolCommand(['consume', '-G', 'h', 'survivor', '-e'], { url })
      await third.until(({ stderr }) => stderr.includes('% assigned'))
      await server.kill()
      await third.until(({ stderr }) => /^% no broker for \d+ s, waiting: .+$/m.test(stderr))
      server = await BrokerProcess.start({ dataDir, port, flags })
      const { code, stdout, stderr } = await third.ended
      expect(code).toBe(0)
      expect(stderr.match(/^% (no broker|the broker is back)/gm)).toEqual([
        '% no broker',
        '% the broker is back',
      ])
      expect(new Set(linesOf(stdout)).size).toBe(sent)
    } finally {
      await server.kill()
      rmSync(dataDir, { recursive: true })
    }
  })

  test('bytes that are broken are named, with the reset that goes on after them', async () => {
    await client.admin.createTopic({ name: 'broken' })
    for (const value of ['first', 'second', 'third']) {
      await using producer = client.producer({ topic: 'broken' })
      await producer.send({ value })
    }
    const file = join(broker.dataDir, 'broken-0/00000000000000000000.log')
    const bytes = readFileSync(file)
    bytes[bytes.indexOf('second')]! ^= 1
    writeFileSync(file, bytes)
    const { code, stdout, stderr } = await run('consume', '-G', 'b', 'broken', '-e', '-q')
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'first\n' })
    const [sentence, nextStep] = stderr.split('\n')
    expect(sentence).toContain('the batch of partition 0 with offsets 1 to 1 can not be read: ')
    expect(nextStep).toBe('  to go on after it: spool groups reset b --topic broken:0 --to 2')
    expect(await committedBy('b')).toBe(1)
    await inShell(`${nextStep!.slice('  to go on after it: '.length)} --yes`)
    expect((await run('consume', '-G', 'b', 'broken', '-e', '-q')).stdout).toBe('third\n')
  })
})
