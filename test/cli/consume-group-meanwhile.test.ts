/**
 * What may happen while `spool consume -G` runs: topics go, offsets are reset, whoever reads its output stalls,
 * broker or member is killed, bytes are broken. Nothing is committed that was not printed, and all is said.
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
import { describe, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { BrokerProcess } from '../rigs/broker-process.ts'
import { SpoolCommand, spool, spoolLine } from '../rigs/spool-command.ts'
import { CommandSuite, waitFor } from './command-suite.ts'
import { committedBy, isEmpty, linesOf, topicOf, valuesOf } from './consume-group-rig.ts'

const MINUTE_MS = 60_000

const suite = CommandSuite.serve()

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

describe('what happens meanwhile', () => {
  test.each(['deleted', 'created anew'])(
    'with -e nobody waits for a topic that was %s',
    async (what) => {
      const [topic, group] = [`away-${what.length}`, `waits-${what.length}`]
      await topicOf(suite.client, topic, 1, 10)
      // Has the partition, and reads nothing.
      const other = suite.client.consumer({ group, topics: [topic], autoCommit: false })
      const records = other[Symbol.asyncIterator]()
      await records.next()
      await using command = suite.start('consume', '-G', group, topic, '-e')
      const members = async () => (await suite.client.admin.describeGroup(group)).members.length
      await waitFor(async () => (await members()) === 2)
      await suite.client.admin.deleteTopic(topic)
      if (what === 'created anew') await topicOf(suite.client, topic, 1, 2)
      const { code, stderr } = await command.ended
      expect(stderr).toContain(`% Reached end of ${topic} in group ${group}: exiting`)
      expect(code).toBe(0)
      await records.return?.()
    },
  )

  test('a rewind while it runs: said, read again, and not undone by what it commits', async () => {
    await topicOf(suite.client, 'rewound', 1, 20)
    await using command = suite.start('consume', '-G', 'rewinder', 'rewound')
    await command.until(({ stdout }) => linesOf(stdout).length === 20)
    await waitFor(async () => (await committedBy(suite.client, 'rewinder')) === 20)
    const words = ['groups', 'reset', 'rewinder', '--to', '15', '-t', 'rewound:0', '--yes']
    const reset = await suite.run(...words)
    expect(reset.code).toBe(0)
    await command.until(({ stdout }) => linesOf(stdout).length === 25)
    await command.until(({ stderr }) => stderr.includes('% reset rewound/0: 20 → 15\n'))
    expect(linesOf(command.stdout).slice(20)).toEqual(valuesOf('rewound', 15, 20))
    await waitFor(async () => (await committedBy(suite.client, 'rewinder')) === 20)
    command.signal('SIGINT')
    expect((await command.ended).stderr).toContain('committed: rewound 0:20\n')
  })

  test('nothing is committed that was not written, also when Ctrl-C ends it before a slow reader', async () => {
    await suite.client.admin.createTopic({ name: 'stalled' })
    await using producer = suite.client.producer({ topic: 'stalled', compression: 'none' })
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
    await using command = new SpoolCommand(['-c', line], { url: suite.broker.url }, ['sh'])
    const state = async () => (await suite.client.admin.describeGroup('stalled')).state
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
    const committed = await committedBy(suite.client, 'stalled')
    expect(written).toBeLessThan(records * piece)
    expect(committed * piece).toBeLessThanOrEqual(written)
    expect(await isEmpty(suite.client, 'stalled')).toBe(true)
    const rest = await spool([...words, '-e'], { url: suite.broker.url })
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
    await suite.client.admin.createTopic({ name: 'broken' })
    for (const value of ['first', 'second', 'third']) {
      await using producer = suite.client.producer({ topic: 'broken' })
      await producer.send({ value })
    }
    const file = join(suite.broker.dataDir, 'broken-0/00000000000000000000.log')
    const bytes = readFileSync(file)
    bytes[bytes.indexOf('second')]! ^= 1
    writeFileSync(file, bytes)
    const { code, stdout, stderr } = await suite.run('consume', '-G', 'b', 'broken', '-e', '-q')
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'first\n' })
    const [sentence, nextStep] = stderr.split('\n')
    expect(sentence).toContain('the batch of partition 0 with offsets 1 to 1 can not be read: ')
    expect(nextStep).toBe('  to go on after it: spool groups reset b --topic broken:0 --to 2')
    expect(await committedBy(suite.client, 'b')).toBe(1)
    await suite.inShell(`${nextStep!.slice('  to go on after it: '.length)} --yes`)
    expect((await suite.run('consume', '-G', 'b', 'broken', '-e', '-q')).stdout).toBe('third\n')
  })
})
