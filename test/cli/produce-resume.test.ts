/**
 * Files that `spool produce` was interrupted in: what it says, what it keeps, how it goes on, and when it
 * refuses to. That nothing is lost or there twice, whatever is killed, is `durability/upload-trial`.
 */

import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { type Client, connect, string } from '../../client/index.ts'
import { SpoolCommand, type SpoolOptions, spool } from '../rigs/spool-command.ts'

let broker: TestBroker
let client: Client
let directory: string
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
  directory = mkdtempSync(join(tmpdir(), 'spool-resume-'))
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

let topics = 0
async function newTopic(partitions = 2) {
  const name = `topic-${++topics}`
  await client.admin.createTopic({ name, partitions })
  return name
}

function run(words: readonly string[], options: SpoolOptions = {}) {
  return spool(['produce', ...words], { url: broker.url, ...options })
}

const LINES = Array.from({ length: 5_000 }, (_, at) => `{"k":"k${at % 50}","n":${at}}`)
const SLOW = ['--rate', '2000']

/** A file of a topic of its own. */
async function newFile(lines = LINES): Promise<{ topic: string; file: string; kept: string }> {
  const topic = await newTopic()
  const file = join(directory, `${topic}.ndjson`)
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return { topic, file, kept: join(directory, `.${topic}.ndjson.${topic}.spool-resume`) }
}

/** The values of all records, in the order of the lines; and how many of each key are out of order. */
async function loadedOf(topic: string) {
  const values: string[] = []
  for await (const record of client.reader(topic, { value: string, until: 'latest' })) {
    values.push(record.value ?? '')
  }
  return values.sort((a, b) => JSON.parse(a).n - JSON.parse(b).n)
}

/** Until so many records are in the topic, which others may write to as well. */
async function recordsIn(topic: string, count: number): Promise<void> {
  for (;;) {
    const { partitions } = await client.admin.offsets(topic)
    if (partitions.reduce((sum, { offset }) => sum + offset, 0) >= count) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Runs it until so many records are there, then ends it. */
async function interrupted(
  topic: string,
  words: readonly string[],
  { after = 500, signal = 'SIGINT' as NodeJS.Signals } = {},
) {
  await using command = new SpoolCommand(['produce', topic, ...words], { url: broker.url })
  await recordsIn(topic, after)
  command.signal(signal)
  return await command.ended
}

describe('Ctrl-C', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s says what was acknowledged and how to go on, and that is so',
    async (signal) => {
      const { topic, file, kept } = await newFile()
      const ended = await interrupted(topic, ['-l', file, '--key-from', '/k', ...SLOW], { signal })
      expect(ended.signal).toBe(signal)
      const [, records, line] =
        /^acknowledged: ([\d,]+) records, up to line ([\d,]+) of /m.exec(ended.stderr) ?? []
      const count = Number(records?.replace(',', ''))
      expect(line).toBe(records)
      expect(await loadedOf(topic)).toEqual(LINES.slice(0, count))
      expect(ended.stderr).toContain(
        `to go on: spool produce ${topic} -l ${file} --key-from /k --rate 2000 --resume\n`,
      )
      expect(existsSync(kept)).toBe(true)
      const again = await run([topic, '-l', file, '--key-from', '/k', '--resume'])
      expect(again.code).toBe(0)
      expect(again.stdout).toContain(`${(5_000 - count).toLocaleString('en')} records to ${topic}`)
      expect(again.stdout).toContain(`${records} were there already`)
      expect(await loadedOf(topic)).toEqual(LINES)
    },
  )

  test('of stdin it says which line comes next', async () => {
    const topic = await newTopic()
    await using command = new SpoolCommand(['produce', topic], {
      url: broker.url,
      isInteractive: true,
    })
    command.type('{"n":1}\n{"n":2}\n{"n":3')
    await recordsIn(topic, 2)
    command.signal('SIGINT')
    const { code, stderr } = await command.ended
    expect(code).toBe(130)
    expect(stderr).toContain('acknowledged: 2 records, up to line 2\n')
    expect(stderr).toContain(`to go on: … | tail -n +3 | spool produce ${topic}\n`)
    expect(await loadedOf(topic)).toEqual(['{"n":1}', '{"n":2}'])
  })

  test('--json says the same as a document', async () => {
    const { topic, file } = await newFile()
    const ended = await interrupted(topic, ['-l', file, '--json', ...SLOW])
    const { appended, resumeAtLine, lines } = JSON.parse(ended.stdout)
    expect([lines, resumeAtLine]).toEqual([appended, appended + 1])
    expect(ended.code).toBe(130)
  })
})

describe('--resume', () => {
  test('goes on after kill -9, and is fine when there is nothing to go on with', async () => {
    const { topic, file } = await newFile()
    const words = ['-l', file, '--key-from', '/k', '--resume']
    const killed = await interrupted(topic, [...words, ...SLOW], {
      signal: 'SIGKILL',
      after: 3_000,
    })
    expect(killed.signal).toBe('SIGKILL')
    const ended = await run([topic, ...words, '--json'])
    const report = JSON.parse(ended.stdout)
    expect(report.appended + report.appendedEarlier).toBe(5_000)
    expect(report.appendedEarlier).toBeGreaterThanOrEqual(3_000)
    expect(await loadedOf(topic)).toEqual(LINES)
  })

  test('run again when all is loaded, it appends nothing; grown, the file goes on with what is new', async () => {
    const { topic, file } = await newFile(LINES.slice(0, 100))
    const words = [topic, '-l', file, '--resume']
    expect((await run(words)).stdout).toContain('100 records')
    expect((await run(words)).stdout).toBe(`0 records to ${topic}; 100 were there already\n`)
    appendFileSync(file, `${LINES[100]}\n${LINES[101]}\n`)
    expect((await run(words)).stdout).toBe(`2 records to ${topic}; 100 were there already\n`)
    expect(await loadedOf(topic)).toEqual(LINES.slice(0, 102))
  })

  test('a line that was loaded before it had an end, and goes on now, is refused', async () => {
    const { topic, file } = await newFile([])
    writeFileSync(file, '{"n":1}\n{"n":2')
    const words = [topic, '-l', file, '--resume']
    expect((await run(words)).code).toBe(0)
    expect((await run(words)).code).toBe(0)
    appendFileSync(file, '0}\n')
    const ended = await run(words)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/line 2 of .* was loaded before it had an end/)
  })

  test('several files are one upload', async () => {
    const { topic, file } = await newFile(LINES.slice(0, 2_000))
    const second = join(directory, `${topic}-2.ndjson`)
    writeFileSync(second, LINES.slice(2_000).join('\n'))
    const words = ['-l', file, '-l', second, '--resume']
    await interrupted(topic, [...words, ...SLOW], { after: 2_500 })
    const other = await run([topic, '-l', file, '--resume'])
    expect(other.code).toBe(2)
    expect(other.stderr).toContain('needs the same files')
    expect((await run([topic, ...words])).code).toBe(0)
    expect(await loadedOf(topic)).toEqual(LINES)
  })

  test('after a line that could not be taken, the mended file goes on there', async () => {
    const lines = [...LINES.slice(0, 10), 'no json', ...LINES.slice(11, 20)]
    const { topic, file } = await newFile(lines)
    const words = [topic, '-l', file, '--key-from', '/k']
    const stopped = await run(words)
    expect(stopped.code).toBe(1)
    expect(stopped.stderr).toMatch(/\.ndjson:11: not JSON/)
    expect(stopped.stderr).toContain('acknowledged: 10 records, up to line 10')
    writeFileSync(file, LINES.slice(0, 20).join('\n'))
    expect((await run([...words, '--resume'])).code).toBe(0)
    expect(await loadedOf(topic)).toEqual(LINES.slice(0, 20))
  })

  test('or is left out with --skip-errors', async () => {
    const lines = [...LINES.slice(0, 10), 'no json', ...LINES.slice(11, 20)]
    const { topic, file } = await newFile(lines)
    const words = [topic, '-l', file, '--key-from', '/k']
    await run(words)
    const ended = await run([...words, '--resume', '--skip-errors', '--json'])
    expect(ended.code).toBe(10)
    expect(JSON.parse(ended.stdout)).toMatchObject({ lines: 20, appended: 9, refused: 1 })
    expect(await loadedOf(topic)).toEqual([...LINES.slice(0, 10), ...LINES.slice(11, 20)])
  })

  test('others write to the topic meanwhile, partitions are added, and it is still right', async () => {
    const { topic, file } = await newFile()
    const words = ['-l', file, '--key-from', '/k', '--resume']
    await interrupted(topic, [...words, ...SLOW], { signal: 'SIGKILL', after: 2_500 })
    const other = client.producer({ topic, value: string })
    for (let at = 0; at < 500; at++) await other.send({ value: `{"n":${100_000 + at}}` })
    await client.admin.alterTopic(topic, { partitions: 5 })
    expect((await run([topic, ...words])).code).toBe(0)
    expect((await loadedOf(topic)).slice(0, 5_000)).toEqual(LINES)
  })

  test('--resume-file keeps it elsewhere', async () => {
    const { topic, file, kept } = await newFile()
    const place = join(directory, `${topic}.progress`)
    await interrupted(topic, ['-l', file, '--resume-file', place, ...SLOW])
    expect([existsSync(kept), existsSync(place)]).toEqual([false, true])
    expect((await run([topic, '-l', file, '--resume-file', place, '--resume'])).code).toBe(0)
    expect(await loadedOf(topic)).toEqual(LINES)
  })
})

describe('what is not clear is not guessed', () => {
  test('a plain run after an interruption asks which; --restart loads everything again', async () => {
    const { topic, file, kept } = await newFile(LINES.slice(0, 1_000))
    await interrupted(topic, ['-l', file, '--rate', '500'], { after: 100 })
    const loaded = (await loadedOf(topic)).length
    const plain = await run([topic, '-l', file])
    expect(plain.code).toBe(2)
    expect(plain.stderr).toMatch(
      /was interrupted after line \d+: --resume goes on there, --restart/,
    )
    expect(await loadedOf(topic)).toHaveLength(loaded)
    expect((await run([topic, '-l', file, '--restart'])).stdout).toContain('1,000 records')
    expect(await loadedOf(topic)).toHaveLength(loaded + 1_000)
    expect(existsSync(kept)).toBe(false)
  })

  test('another file under the name, or less of it, is refused', async () => {
    const { topic, file } = await newFile()
    await interrupted(topic, ['-l', file, ...SLOW])
    const content = readFileSync(file, 'utf8')
    writeFileSync(file, content.replace('{', '['))
    const changed = await run([topic, '-l', file, '--resume'])
    expect(changed.code).toBe(1)
    expect(changed.stderr).toMatch(/is not the file that was being loaded/)
    writeFileSync(file, content.slice(0, 50))
    const shorter = await run([topic, '-l', file, '--resume'])
    expect(shorter.stderr).toMatch(/it has 50 bytes, and \d+ of them were loaded/)
    writeFileSync(file, content)
    utimesSync(file, 1, 1)
    expect((await run([topic, '-l', file, '--resume'])).code).toBe(0)
    expect(await loadedOf(topic)).toEqual(LINES)
  })

  test('lines that were changed behind what is known to be acknowledged are noticed', async () => {
    const { topic, file } = await newFile()
    const words = ['-l', file, '--key-from', '/k', '--resume']
    // Before the first second is over, nothing is kept but the beginning.
    await interrupted(topic, words, { signal: 'SIGKILL', after: 1 })
    const loaded = (await loadedOf(topic)).length
    const place = statSync(file)
    writeFileSync(file, readFileSync(file, 'utf8').replace('"n":0', '"n":9'))
    expect(statSync(file).size).toBe(place.size)
    const ended = await run([topic, ...words])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/:1 is not what was appended before the interruption|not the file/)
    expect(await loadedOf(topic)).toHaveLength(loaded)
  })

  test('other options that make other records are named', async () => {
    const { topic, file } = await newFile()
    await interrupted(topic, ['-l', file, '--key-from', '/k', ...SLOW])
    const ended = await run([topic, '-l', file, '--key-from', '/n', '--resume'])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain('it was begun with --key-from /k, not /n')
    const without = await run([topic, '-l', file, '--resume'])
    expect(without.stderr).toContain('it was begun with --key-from /k:')
  })

  test('a damaged resume file is named, and never taken for a fresh start', async () => {
    const { topic, file, kept } = await newFile()
    await interrupted(topic, ['-l', file, ...SLOW])
    const bytes = readFileSync(kept)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(kept, bytes)
    for (const words of [['--resume'], []]) {
      const ended = await run([topic, '-l', file, ...words])
      expect(ended.code).toBe(2)
      expect(ended.stderr).toContain(basename(kept))
    }
  })

  test('records that are gone from the log are said, not guessed', async () => {
    const { topic, file } = await newFile()
    const words = ['-l', file, '-p', '0', '--resume']
    await interrupted(topic, [...words, ...SLOW], { signal: 'SIGKILL', after: 1_000 })
    // What it sent last may still be on its way into the log.
    await new Promise((resolve) => setTimeout(resolve, 300))
    const { partitions } = await client.admin.offsets(topic)
    await client.admin.trim(topic, 0, partitions[0]!.offset)
    const ended = await run([topic, ...words])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/can not tell which lines are in .*\/0/)
  })

  test('a topic made anew is loaded from the beginning', async () => {
    const { topic, file } = await newFile(LINES.slice(0, 1_000))
    await interrupted(topic, ['-l', file, '--rate', '500'], { after: 100 })
    await client.admin.deleteTopic(topic)
    await client.admin.createTopic({ name: topic, partitions: 2 })
    const ended = await run([topic, '-l', file, '--resume'])
    expect(ended.code).toBe(0)
    expect(ended.stderr).toContain('made anew')
    expect(await loadedOf(topic)).toEqual(LINES.slice(0, 1_000))
  })

  test.each([
    [['--resume'], /stdin can not be read again/],
    [['-l', '/dev/null', '--resume'], /no plain file/],
    [['-l', '-', '--resume'], /stdin can not be read again/],
  ])('what can not be read again can not be resumed: %j', async (words, why) => {
    const topic = await newTopic()
    const ended = await run([topic, ...words])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(why)
  })

  test('nor what nobody acknowledges, nor both at once', async () => {
    const { topic, file } = await newFile()
    const acks = await run([topic, '-l', file, '--acks', '0', '--resume'])
    expect([acks.code, acks.stderr]).toEqual([2, expect.stringContaining('--acks 0')])
    const both = await run([topic, '-l', file, '--restart', '--resume'])
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('leave out one')])
  })
})
