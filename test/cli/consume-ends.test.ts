/**
 * How `spool consume` goes on and how it ends: following, Ctrl-C and how to go on from there, readers of
 * its output that are slow or leave, brokers that die and come back, topics that go, bytes that are broken.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { type Client, connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { type Ended, SpoolCommand, spool, spoolLine } from '../rigs/spool-command.ts'

const MINUTE_MS = 60_000
const MIB = 1024 * 1024

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

async function topicOf(name: string, values: readonly string[], partitions = 1): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  await append(name, values)
}

async function append(topic: string, values: readonly string[], partition = 0): Promise<void> {
  await using producer = client.producer({ topic })
  await producer.sendMany(values.map((value) => ({ partition, value })))
}

/** A line of bash with `spool` in it. */
function inShell(line: string): Promise<Ended> {
  const command = ['bash', '-c', `spool() { ${spoolLine([])} "$@"; }; ${line}`]
  return new SpoolCommand(command.slice(1), { url: broker.url }, command.slice(0, 1)).ended
}

describe('following and Ctrl-C', () => {
  test('prints what is there at once, then what comes; Ctrl-C says how to go on, and that goes on', async () => {
    await topicOf('followed', ['one', 'two'])
    await using first = consume('followed')
    await first.until(({ stdout }) => stdout === 'one\ntwo\n')
    await append('followed', ['three'])
    await first.until(({ stdout }) => stdout === 'one\ntwo\nthree\n')
    first.signal('SIGINT')
    const interrupted = await first.ended
    expect(interrupted).toMatchObject({ code: 130, signal: 'SIGINT' })
    expect(interrupted.stderr).toBe('to go on: spool consume followed -o 0:3\n')
    await append('followed', ['four'])
    const goOn = interrupted.stderr.slice('to go on: '.length).trim()
    expect(await inShell(`${goOn} -e -q`)).toMatchObject({ code: 0, stdout: 'four\n' })
  })

  test('everything that was asked for is asked for again, what is left of a count too', async () => {
    await topicOf('asked', ['a', 'b', 'c'], 2)
    await using command = consume(
      'asked',
      '-p',
      '0,1',
      '-c',
      '9',
      '-f',
      "it's %s\\n",
      '--contains',
      'b c',
      '--until',
      '@99',
      '--key',
      'k',
    )
    // Nothing matches, so it ends by its end; where to go on is known from one that follows.
    expect((await command.ended).code).toBe(0)
    await using other = consume(
      'asked',
      '-p',
      '0',
      '-c',
      '9',
      '-f',
      "it's %s\\n",
      '--out-of-range',
      'latest',
    )
    await other.until(({ stdout }) => stdout.split('\n').length > 3)
    other.signal('SIGINT')
    expect((await other.ended).stderr).toBe(
      String.raw`to go on: spool consume asked -p 0 -o 0:3 -c 6 --out-of-range latest -f 'it'\''s %s\n'` +
        '\n',
    )
  })

  test('with --json it is a document; SIGTERM is as good as Ctrl-C', async () => {
    await topicOf('terminated', ['a'])
    await using command = consume('terminated', '--json')
    await command.until(({ stdout }) => stdout.endsWith('\n'))
    command.signal('SIGTERM')
    const { code, signal, stderr } = await command.ended
    expect({ code, signal }).toEqual({ code: 143, signal: 'SIGTERM' })
    expect(JSON.parse(stderr)).toEqual({
      verb: 'consume',
      code: 'INTERRUPTED',
      detail: 'ended by SIGTERM',
      nextOffsets: { 0: 1 },
      nextStep: 'spool consume terminated -o 0:1 --json',
    })
  })

  test('nothing that was counted as printed is lost in the pipe', async () => {
    const values = Array.from({ length: 50_000 }, (_, at) => `value ${at}`)
    await topicOf('counted', values)
    await using command = consume('counted')
    await command.until(({ stdoutLength }) => stdoutLength > 100_000)
    command.signal('SIGINT')
    const { stdout, stderr } = await command.ended
    const next = Number(/-o 0:(\d+)/.exec(stderr)?.[1])
    expect(next).toBeGreaterThan(0)
    expect(stdout).toBe(
      values
        .slice(0, next)
        .map((value) => `${value}\n`)
        .join(''),
    )
  })

  test(
    'a topic that is deleted meanwhile ends it',
    async () => {
      await topicOf('doomed', ['last'])
      await using command = consume('doomed')
      await command.until(({ stdout }) => stdout === 'last\n')
      await client.admin.deleteTopic('doomed')
      const { code, stderr } = await command.ended
      expect(code).toBe(7)
      expect(stderr).toContain('spool consume: ')
    },
    3 * MINUTE_MS,
  )
})

describe('whoever reads its output', () => {
  beforeAll(async () => {
    // More than all buffers on the way hold, and nothing to compress.
    await client.admin.createTopic({ name: 'heavy' })
    await using producer = client.producer({ topic: 'heavy', compression: 'none' })
    for (let round = 0; round < 96; round++) {
      await producer.sendMany([{ value: Buffer.alloc(MIB, round) }])
    }
  })

  test('leaves: that is a quiet end with exit code 0', async () => {
    const { code, stdout, stderr } = await inShell(
      `spool consume heavy | head -c 1000; echo; echo \${PIPESTATUS[0]}`,
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.slice(1000)).toBe('\n0\n')
  })

  test('is not there from the start', async () => {
    expect(await inShell('spool consume heavy -c 3 >&-')).toMatchObject({ code: 0, stderr: '' })
  })

  test('writes to a full disk: said in a sentence', async () => {
    expect(await inShell('spool consume heavy -c 3 > /dev/full')).toMatchObject({
      code: 1,
      stderr: 'spool: stdout can not be written to: ENOSPC: no space left on device, write\n',
    })
  })

  test('is slow: it waits, in bounded memory, and Ctrl-C ends it all the same', async () => {
    await using command = new SpoolCommand(['consume', 'heavy'], { url: broker.url, isRead: false })
    const seen: number[] = []
    // Until it has stood still for a while: it has filled what it may fill.
    while (seen.length < 10 || seen.at(-1)! > seen.at(-5)! + 1) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      seen.push(memoryMiB(command.child.pid!))
    }
    // 96 MiB are to be read. What lies ready is bounded at 16 MiB, an answer at 4.

    expect(Math.max(...seen)).toBeLessThan(110)
    command.signal('SIGINT')
    expect((await command.ended).code).toBe(130)
  })

  test('is slow, and gets everything in the end', async () => {
    await using command = new SpoolCommand(['consume', 'heavy', '-e', '-q', '-D', ''], {
      url: broker.url,
      isRead: false,
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    command.read()
    const { code, stdoutBytes } = await command.ended
    expect(code).toBe(0)
    expect(stdoutBytes).toHaveLength(96 * MIB)
    for (let round = 0; round < 96; round++) {
      expect(stdoutBytes[round * MIB]).toBe(round)
      expect(stdoutBytes[round * MIB + MIB - 1]).toBe(round)
    }
  })
})

/** Anonymous memory: what the process itself holds. */
function memoryMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

describe('bytes', () => {
  test('that are broken on the disk of the broker are named, with the command that goes on after it', async () => {
    await topicOf('broken', [])
    for (const value of ['first', 'second', 'third']) await append('broken', [value])
    const file = join(broker.dataDir, 'broken-0/00000000000000000000.log')
    const bytes = readFileSync(file)
    bytes[bytes.indexOf('second')]! ^= 1
    writeFileSync(file, bytes)
    const { code, stdout, stderr } = await spool(['consume', 'broken', '-e', '-q'], {
      url: broker.url,
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'first\n' })
    const [sentence, nextStep] = stderr.split('\n')
    expect(sentence).toContain(
      'spool consume: the batch of partition 0 with offsets 1 to 1 can not be read: ',
    )
    expect(nextStep).toBe('  to go on after it: spool consume broken -o 0:2 -e')
    expect(await inShell(`${nextStep?.slice('  to go on after it: '.length)} -q`)).toMatchObject({
      code: 0,
      stdout: 'third\n',
    })
    const cat = await spool(['cat', 'broken/0/1', '--json'], { url: broker.url })
    expect(cat.code).toBe(1)
    expect(JSON.parse(cat.stderr)).toMatchObject({ code: 'CORRUPT_MESSAGE', nextOffset: 2 })
  })
})

describe.concurrent('what takes its time', () => {
  test('a broker is killed with -9 in the middle, three times: every record once, in order', {
    timeout: 3 * MINUTE_MS,
  }, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'spool-consume-'))
    let server = await BrokerProcess.start({ dataDir })
    const { url, port } = server
    await using other = connect(url)
    try {
      await other.admin.createTopic({ name: 'survivor', partitions: 3 })
      await using producer = other.producer({ topic: 'survivor' })
      await using command = new SpoolCommand(['consume', 'survivor', '-f', '%p %o %s\\n'], { url })
      let sent = 0
      const sendSome = async () => {
        const values = Array.from({ length: 3_000 }, () => `value ${sent++}`)
        await producer.sendMany(values.map((value, at) => ({ value, partition: at % 3 })))
      }
      for (let kill = 0; kill < 3; kill++) {
        const sending = sendSome()
        await command.until(({ stdoutLength }) => stdoutLength > 1_000 * kill)
        await server.kill()
        server = await BrokerProcess.start({ dataDir, port })
        await sending
      }
      await sendSome()
      await command.until(({ stdout }) => stdout.split('\n').length > sent)
      const rows = command.stdout
        .split('\n')
        .slice(0, -1)
        .map((row) => row.split(' '))
      expect(rows).toHaveLength(sent)
      for (const partition of ['0', '1', '2']) {
        const mine = rows.filter(([number]) => number === partition)
        expect(mine.map(([, offset]) => Number(offset))).toEqual(mine.map((_, at) => at))
      }
      expect(new Set(rows.map((row) => row[3])).size).toBe(sent)
      expect(command.isRunning).toBe(true)
    } finally {
      await server.kill()
      rmSync(dataDir, { recursive: true })
    }
  })

  test('new partitions are read from their beginning', { timeout: 3 * MINUTE_MS }, async () => {
    await topicOf('growing', ['old'])
    await using command = consume('growing')
    await command.until(({ stdout }) => stdout === 'old\n')
    await client.admin.alterTopic('growing', { partitions: 2 })
    await append('growing', ['new'], 1)
    // It looks for new partitions now and then.
    await command.until(({ stdout }) => stdout === 'old\nnew\n')
  })
})
