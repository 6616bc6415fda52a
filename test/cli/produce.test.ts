/**
 * `spool produce` against a real broker: what each of its words means, what it says and with which exit
 * code. Interruptions and resuming have files of their own.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { bytes, type Client, connect } from '../../client/index.ts'
import { type SpoolOptions, spool } from '../rigs/spool-command.ts'

let broker: TestBroker
let client: Client
let directory: string
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
  directory = mkdtempSync(join(tmpdir(), 'spool-produce-'))
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

let topics = 0
/** A new topic. */
async function newTopic(partitions = 1, config: Record<string, string | number> = {}) {
  const name = `topic-${++topics}`
  await client.admin.createTopic({ name, partitions, config })
  return name
}

function run(words: readonly string[], options: SpoolOptions = {}) {
  return spool(['produce', ...words], { url: broker.url, ...options })
}

/** A file with this content, in the test's directory. */
function fileOf(name: string, content: string | Buffer): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

function text(given: Uint8Array | null): string | null {
  return given === null ? null : Buffer.from(given).toString('latin1')
}

/** All records of the topic, in order of partition and offset; bytes as latin1. */
async function recordsOf(topic: string) {
  const reader = client.reader(topic, { key: bytes, value: bytes, until: 'latest' })
  const records = []
  for await (const record of reader) {
    records.push({
      partition: record.partition,
      offset: record.offset,
      key: text(record.key),
      value: text(record.value),
      headers: record.headers,
      timestamp: record.timestamp,
    })
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

async function valuesOf(topic: string) {
  return (await recordsOf(topic)).map(({ value }) => value)
}

async function pairsOf(topic: string) {
  return (await recordsOf(topic)).map(({ key, value }) => [key, value])
}

describe('lines', () => {
  test('each line of stdin is a value; the last needs no end; an empty one is an empty value', async () => {
    const topic = await newTopic()
    const ended = await run([topic], { input: 'one\r\n\ntwo\nthree' })
    expect(ended).toMatchObject({ code: 0, stdout: `4 records to ${topic}\n`, stderr: '' })
    expect(await valuesOf(topic)).toEqual(['one', '', 'two', 'three'])
  })

  test('of one record it is said where it is, as spool cat takes it', async () => {
    const topic = await newTopic()
    await run([topic], { input: 'first' })
    const ended = await run([topic], { input: 'second' })
    expect(ended.stdout).toBe(`1 record to ${topic}: ${topic}/0/1\n`)
  })

  test('nothing in is nothing out', async () => {
    const topic = await newTopic()
    expect(await run([topic], { input: '' })).toMatchObject({
      code: 0,
      stdout: `0 records to ${topic}\n`,
    })
    expect(await recordsOf(topic)).toEqual([])
  })

  test('-l loads files, one after the other, and -l - is stdin', async () => {
    const topic = await newTopic()
    const first = fileOf('first.txt', 'a\nb')
    const second = fileOf('second.txt', 'c\n')
    await run([topic, '-l', first, '--from-file', second])
    await run([topic, '-l', '-'], { input: 'd\n' })
    expect(await valuesOf(topic)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('-D ends records with any bytes: NUL, CRLF, several', async () => {
    const topic = await newTopic()
    await run([topic, '-D', '\\0'], { input: 'a\nb\0c\0' })
    await run([topic, '-D', '\\r\\n'], { input: 'd\ne\r\nf' })
    await run([topic, '-D', '--\\x0a'], { input: 'g--h--\ni' })
    expect(await valuesOf(topic)).toEqual(['a\nb', 'c', 'd\ne', 'f', 'g--h', 'i'])
  })

  test('bytes that are no text are stored as they are', async () => {
    const topic = await newTopic()
    const value = Buffer.from([0xff, 0x00, 0x80, 0xfe])
    await run([topic], { input: Buffer.concat([value, Buffer.from('\n')]) })
    expect(await valuesOf(topic)).toEqual([value.toString('latin1')])
  })

  test('-c stops after so many, with the rest of a pipe still to come', async () => {
    const topic = await newTopic()
    const ended = await run([topic, '-c', '2'], { input: 'a\nb\nc\nd\n' })
    expect(ended.code).toBe(0)
    expect(await valuesOf(topic)).toEqual(['a', 'b'])
  })

  test('more than one piece of a file, and lines across pieces, in order', async () => {
    const topic = await newTopic()
    const lines = Array.from({ length: 60_000 }, (_, at) => `line ${at} ${'x'.repeat(at % 50)}`)
    const file = fileOf('many.txt', lines.join('\n'))
    const ended = await run([topic, '-l', file])
    expect(ended.stdout).toContain(`60,000 records to ${topic}`)
    expect(await valuesOf(topic)).toEqual(lines)
  })

  test('-t names the topic, as in kcat', async () => {
    const topic = await newTopic()
    await run(['-t', topic], { input: 'a' })
    expect(await valuesOf(topic)).toEqual(['a'])
  })
})

describe('keys, headers, partitions', () => {
  test('-K splits at its first occurrence; a line without it is all value', async () => {
    const topic = await newTopic()
    await run([topic, '-K', ':'], { input: 'a:1\nb:x:y\n:none\nplain\n' })
    expect(await pairsOf(topic)).toEqual([
      ['a', '1'],
      ['b', 'x:y'],
      ['', 'none'],
      [null, 'plain'],
    ])
  })

  test('-K takes escapes and several bytes, -k is for records without a key of their own', async () => {
    const topic = await newTopic()
    await run([topic, '-K', '\\t=', '-k', 'mine'], { input: 'a\t=1\nplain\n' })
    expect(await pairsOf(topic)).toEqual([
      ['a', '1'],
      ['mine', 'plain'],
    ])
  })

  test('-Z: an empty value is null, an empty key none', async () => {
    const topic = await newTopic()
    await run([topic, '-Z', '-K', ':'], { input: 'a:\n:b\n\n' })
    expect(await pairsOf(topic)).toEqual([
      ['a', null],
      [null, 'b'],
      [null, null],
    ])
    const plain = await newTopic()
    await run([plain, '-K', ':'], { input: 'a:\n' })
    expect(await pairsOf(plain)).toEqual([['a', '']])
  })

  test('--key-from and --timestamp-from find their values in the line, which is stored as it came', async () => {
    const topic = await newTopic()
    const lines = ['{"u":{"id":"anna"},"ts":1000}', '{"ts":"2025-01-01T00:00:00Z", "u":{"id":17}}']
    await run([topic, '--key-from', '/u/id', '--timestamp-from', '/ts'], {
      input: lines.join('\n'),
    })
    expect(await recordsOf(topic)).toMatchObject([
      { key: 'anna', value: lines[0], timestamp: 1_000 },
      { key: '17', value: lines[1], timestamp: Date.UTC(2025, 0, 1) },
    ])
  })

  test('keys go to the partition where every other producer sends them', async () => {
    const topic = await newTopic(5)
    const keys = Array.from({ length: 40 }, (_, at) => `key-${at}`)
    await run([topic, '-K', ':'], { input: keys.map((key) => `${key}:cli`).join('\n') })
    const producer = client.producer({ topic })
    for (const key of keys) await producer.send({ key, value: 'client' })
    const seen = new Map<string, Set<number>>()
    for (const { key, partition } of await recordsOf(topic)) {
      seen.set(key ?? '', (seen.get(key ?? '') ?? new Set()).add(partition))
    }
    expect(seen.size).toBe(40)
    for (const partitions of seen.values()) expect(partitions.size).toBe(1)
  })

  test('-p appends to one partition whatever the key, -H puts headers on every record', async () => {
    const topic = await newTopic(3)
    await run([topic, '-p', '2', '-K', ':', '-H', 'host=web-1', '-H', 'eq=a=b'], {
      input: 'a:1\nb:2\n',
    })
    const records = await recordsOf(topic)
    expect(records.map(({ partition }) => partition)).toEqual([2, 2])
    expect(records[0]?.headers).toEqual([
      ['host', 'web-1'],
      ['eq', 'a=b'],
    ])
  })
})

describe('--format json', () => {
  test('each line is a record, read as the HTTP interface reads it', async () => {
    const topic = await newTopic(2)
    const lines = [
      '{"value":"text","key":"k","partition":1,"timestamp":5000,"headers":{"a":"1"}}',
      '{"value":{"n":1.50},"partition":0}',
      '',
      '{"value":null,"key":"gone","partition":0}',
      '{"value":{"base64":"AP8="},"partition":0}',
    ]
    const ended = await run([topic, '--format', 'json', '-H', 'more=x'], {
      input: lines.join('\n'),
    })
    expect(ended.code).toBe(0)
    expect(await recordsOf(topic)).toMatchObject([
      { partition: 0, key: null, value: '{"n":1.50}', headers: [['more', 'x']] },
      { partition: 0, key: 'gone', value: null },
      { partition: 0, value: '\0\xff' },
      {
        partition: 1,
        key: 'k',
        value: 'text',
        timestamp: 5_000,
        headers: [
          ['a', '1'],
          ['more', 'x'],
        ],
      },
    ])
  })
})

describe('--value-file', () => {
  test('the whole file is one value, with its content type', async () => {
    const topic = await newTopic()
    const content = Buffer.from([0x89, 0x50, 0x0a, 0x0d, 0x0a, 0x00])
    const file = fileOf('cat.png', content)
    const ended = await run([topic, '--value-file', file, '-k', 'cat'])
    expect(ended.stdout).toBe(`1 record to ${topic}: ${topic}/0/0\n`)
    await run([topic, '--value-file', file, '--content-type', 'text/x-mine'])
    const got = await fetch(`${broker.url}/v1/topics/${topic}/partitions/0/records/0`)
    expect(got.headers.get('content-type')).toBe('image/png')
    expect(got.headers.get('spool-key')).toBe('cat')
    expect(Buffer.from(await got.arrayBuffer())).toEqual(content)
    const other = await fetch(`${broker.url}/v1/topics/${topic}/partitions/0/records/1`)
    expect(other.headers.get('content-type')).toBe('text/x-mine')
  })

  test('a file larger than the topic takes is refused by its name, and so is one that is not there', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': 2_000 })
    const large = await run([topic, '--value-file', fileOf('large.bin', Buffer.alloc(5_000))])
    expect(large.code).toBe(1)
    expect(large.stderr).toMatch(/large\.bin: .*max\.message\.bytes 2000/)
    const absent = await run([topic, '--value-file', join(directory, 'absent.bin')])
    expect(absent.code).toBe(2)
    expect(absent.stderr).toMatch(/absent\.bin.*there is no such file/)
  })
})

describe('lines that can not be taken', () => {
  const input = '{"user":"a"}\nno json\n{"user":"b"}\n{"other":1}\n{"user":"c"}\n'

  test('end it there: named by line, with everything before appended', async () => {
    const topic = await newTopic()
    const ended = await run([topic, '--key-from', '/user'], { input })
    expect(ended.code).toBe(1)
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toMatch(/^spool produce: line 2: not JSON: .*\n/)
    expect(ended.stderr).toContain('acknowledged: 1 record, up to line 1')
    expect(await pairsOf(topic)).toEqual([['a', '{"user":"a"}']])
  })

  test('--skip-errors names them and goes on; the exit code is 10', async () => {
    const topic = await newTopic()
    const file = fileOf('bad.ndjson', input)
    const ended = await run([topic, '--key-from', '/user', '--skip-errors', '-l', file])
    expect(ended.code).toBe(10)
    expect(ended.stdout).toBe(`3 records to ${topic}; 2 lines refused\n`)
    const [second, fourth] = ended.stderr.split('\n')
    expect(second).toMatch(/^spool produce: .*bad\.ndjson:2: not JSON/)
    expect(fourth).toMatch(/bad\.ndjson:4: .*\/user finds nothing/)
    expect((await pairsOf(topic)).map(([key]) => key)).toEqual(['a', 'b', 'c'])
  })

  test('many of them are not all named, but counted', async () => {
    const topic = await newTopic()
    const ended = await run([topic, '--key-from', '/user', '--skip-errors'], {
      input: 'no\n'.repeat(150),
    })
    expect(ended.stderr.trim().split('\n')).toHaveLength(101)
    expect(ended.stderr).toContain('and 50 more such lines')
    expect(ended.stdout).toBe(`0 records to ${topic}; 150 lines refused\n`)
  })

  test('a line over max.message.bytes is named by line and never held', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': 10_000 })
    const lines = ['short', 'x'.repeat(3_000_000), 'y'.repeat(9_950), 'z'.repeat(9_800), 'end']
    const ended = await run([topic, '--skip-errors'], { input: lines.join('\n') })
    expect(ended.code).toBe(10)
    expect(ended.stderr).toMatch(/line 2: the line exceeds max\.message\.bytes 10000/)
    expect(ended.stderr).toMatch(/line 3: .*max\.message\.bytes 10000/)
    expect(await valuesOf(topic)).toEqual(['short', lines[3], 'end'])
  })

  test('close to the limit it is what compression makes of it that counts', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': 10_000 })
    // Bytes that do not compress, without a line break among them.
    let state = 1
    const noise = Buffer.from(
      Array.from({ length: 9_895 }, () => {
        state = (state * 48_271) % 2_147_483_647
        return ((state >> 8) % 256) | 0x80
      }),
    )
    const input = Buffer.concat([noise, Buffer.from('\nend')])
    const ended = await run([topic, '--skip-errors', '-z', 'gzip'], { input })
    const plain = await run([topic, '--skip-errors', '-z', 'none'], { input })
    const codes = [ended.code, plain.code]
    expect(codes).toEqual([0, 0])
    expect(await valuesOf(topic)).toHaveLength(4)
  })

  test('a timestamp out of bounds, a missing partition and a lone surrogate are of their line only', async () => {
    const topic = await newTopic(1, { 'message.timestamp.after.max.ms': 1_000 })
    const far = Date.now() + 3_600_000
    const input = `{"value":1,"timestamp":${far}}\n{"value":2,"partition":7}\n{"value":"\\ud800"}\n{"value":4}\n`
    const ended = await run([topic, '--format', 'json', '--skip-errors'], { input })
    expect(ended.code).toBe(10)
    expect(ended.stderr).toMatch(/line 1: .*message\.timestamp\.after\.max\.ms is 1000/)
    expect(ended.stderr).toMatch(/line 2: .*partitions 0 to 0, not 7/)
    expect(ended.stderr).toMatch(/line 3: .*surrogate/)
    expect(await valuesOf(topic)).toEqual(['4'])
  })
})
