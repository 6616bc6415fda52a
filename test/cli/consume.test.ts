/**
 * `spool consume` and `spool cat` against a real broker: which records are read, and how each of them is
 * printed, byte for byte. How reading ends otherwise is `consume-ends.test.ts`.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { type Client, connect, type RecordToSend } from '../../client/index.ts'
import { onTerminal, spool, spoolLine } from '../rigs/spool-command.ts'

const MINUTE_MS = 60_000

type Sent = RecordToSend<string | Uint8Array, string | Uint8Array>

let broker: TestBroker
let client: Client
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
  await client.admin.createTopic({ name: 'kinds', partitions: 2 })
  await send('kinds', KINDS)
  await client.admin.createTopic({ name: 'numbered', partitions: 3 })
  for (const partition of [0, 1, 2]) {
    // Two batches in each partition.
    for (const first of [0, 5]) {
      const numbers = [0, 1, 2, 3, 4].map((at) => first + at)
      await send(
        'numbered',
        numbers.map((at) => ({
          partition,
          key: `key-${at % 2}`,
          value: `p${partition} r${at}`,
          timestamp: 1_000 + at * 10,
          headers: { parity: at % 2 === 0 ? 'even' : 'odd' },
        })),
      )
    }
  }
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

async function send(topic: string, records: readonly Sent[]): Promise<void> {
  await using producer = client.producer({ topic })
  await producer.sendMany(records)
}

/** One of each kind, in partition 0; partition 1 has one. */
const KINDS: readonly Sent[] = [
  { partition: 0, key: 'k0', value: 'plain', timestamp: 1_000 },
  { partition: 0, key: null, value: '', timestamp: 1_001 },
  {
    partition: 0,
    key: Buffer.from('ff00', 'hex'),
    value: Buffer.from('00800aff', 'hex'),
    timestamp: 1_002,
  },
  { partition: 0, key: '', value: null, timestamp: 1_003 },
  {
    partition: 0,
    key: 'k4',
    value: '{"a": 1}',
    timestamp: 1_004,
    headers: [
      ['h', 'x'],
      ['none', null],
      ['bin', Buffer.from('ff', 'hex')],
    ],
  },
  { partition: 0, key: 'k5', value: 'red \x1b[31m', timestamp: 1_005 },
  { partition: 1, key: 'other', value: 'elsewhere', timestamp: 1_006 },
]

function run(...words: string[]) {
  return spool(words, { url: broker.url })
}

async function printed(...words: string[]): Promise<string> {
  const { code, stdoutBytes, stderr } = await run('consume', ...words, '-e', '-q')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdoutBytes.toString('latin1')
}

/** Values printed, a line each, in the order of partitions. */
async function values(...words: string[]): Promise<string[]> {
  return (await printed('numbered', ...words)).split('\n').slice(0, -1).sort()
}

function numbered(partition: number, from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, at) => `p${partition} r${from + at}`)
}

describe('how a record is printed', () => {
  const latin = (text: string) => Buffer.from(text).toString('latin1')

  test('by default the value and a newline; -K, -D, -Z and --null-as as in kcat', async () => {
    const [plain, keyed, nulls, otherNulls] = await Promise.all([
      printed('kinds', '-p', '0'),
      printed('kinds', '-p', '0', '-K', ':', '-D', '\\r\\n'),
      printed('kinds', '-p', '0', '-K', '\\t', '-Z'),
      printed('kinds', '-p', '0', '-K', '\\xff', '--null-as', '∅', '-D', '\\0'),
    ])
    const red = 'red \x1b[31m'
    expect(plain).toBe(`plain\n\n\x00\x80\n\xff\n\n{"a": 1}\n${red}\n`)
    expect(keyed).toBe(
      `k0:plain\r\n:\r\n\xff\x00:\x00\x80\n\xff\r\n:\r\nk4:{"a": 1}\r\nk5:${red}\r\n`,
    )
    expect(nulls).toBe(
      `k0\tplain\nNULL\t\n\xff\x00\t\x00\x80\n\xff\n\tNULL\nk4\t{"a": 1}\nk5\t${red}\n`,
    )
    const none = latin('∅')
    expect(otherNulls).toBe(
      `k0\xffplain\0${none}\xff\0\xff\x00\xff\x00\x80\n\xff\0\xff${none}\0k4\xff{"a": 1}\0k5\xff${red}\0`,
    )
  })

  test('a format has everything of the record, and nothing is added to it', async () => {
    const [all, raw] = await Promise.all([
      printed('kinds', '-Z', '-f', '%t/%p/%o %T %K:%k %S:%s [%h] %%\\n'),
      printed('kinds', '-p', '0', '-f', '%R%s'),
    ])
    const lines = [
      'kinds/0/0 1000 2:k0 5:plain [] %',
      'kinds/0/1 1001 -1:NULL 0: [] %',
      'kinds/0/2 1002 2:\xff\x00 4:\x00\x80\n\xff [] %',
      'kinds/0/3 1003 0: -1:NULL [] %',
      'kinds/0/4 1004 2:k4 8:{"a": 1} [h=x,none=NULL,bin=\xff] %',
      'kinds/0/5 1005 2:k5 9:red \x1b[31m [] %',
    ]
    const other = 'kinds/1/0 1006 5:other 9:elsewhere [] %\n'
    expect(all.replace(other, '')).toBe(`${lines.join('\n')}\n`)
    expect(all).toContain(other)
    const lengths = [5, 0, 4, -1, 8, 9]
    const stored = ['plain', '', '\x00\x80\n\xff', '', '{"a": 1}', 'red \x1b[31m']
    const expected = lengths.map((length, at) => {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32BE(length)
      return bytes.toString('latin1') + stored[at]
    })
    expect(raw).toBe(expected.join(''))
  })

  test('as JSON it is what the HTTP interface gives, one a line', async () => {
    const [auto, base64] = await Promise.all([
      printed('kinds', '-p', '0', '--json'),
      printed('kinds', '-p', '1', '--json', '--as', 'base64'),
    ])
    const page = await fetch(`${broker.url}/v1/topics/kinds/partitions/0/records`)
    const { records } = (await page.json()) as { records: unknown[] }
    expect(
      auto
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    ).toEqual(records)
    expect(JSON.parse(base64)).toEqual({
      partition: 1,
      offset: 0,
      timestamp: 1_006,
      key: 'other',
      value: { base64: Buffer.from('elsewhere').toString('base64') },
      headers: [],
    })
  })

  test('a value that is no JSON ends --as json, with what came before it printed and where to go on', async () => {
    const { code, stdout, stderr } = await run(
      'consume',
      'kinds',
      '-p',
      '0',
      '-o',
      '4',
      '-e',
      '--json',
      '--as',
      'json',
    )
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ offset: 4, value: { a: 1 } })
    expect(JSON.parse(stderr)).toMatchObject({
      verb: 'consume',
      code: 'INVALID_RECORD',
      detail:
        'the value at offset 5 is not JSON: read it with as=auto or as=base64, or go on from 6',
    })
  })

  test('values reach a terminal as they are stored, as with kcat', async () => {
    const line = spoolLine(['consume', 'kinds', '-p', '0', '-o', '5', '-e', '-q'])
    await using shown = onTerminal(line, { url: broker.url })
    expect((await shown.ended).stdout).toBe('red \x1b[31m\r\n')
  })
})

describe('where it begins and ends', () => {
  test('the words of both grammars', async () => {
    const cases: readonly (readonly [string[], string[]])[] = [
      [['-p', '1'], numbered(1, 0, 10)],
      [['-p', '1', '-o', 'beginning'], numbered(1, 0, 10)],
      [['-p', '1', '-o', 'earliest'], numbered(1, 0, 10)],
      [['-p', '1', '-o', 'end'], []],
      [['-p', '1', '-o', 'latest'], []],
      [['-p', '1', '-o', '7'], numbered(1, 7, 10)],
      [['-p1', '-o-2'], numbered(1, 8, 10)],
      [['-p', '1', '-o', '@1055'], numbered(1, 6, 10)],
      [['-p', '1', '-o', 's@1060', '-o', 'e@1080'], numbered(1, 6, 8)],
      [['-p', '1', '-o', '1970-01-01T00:00:01.090Z'], numbered(1, 9, 10)],
      [['-p', '1', '-o', '-PT1H'], []],
      [['-p', '1', '-o', '2', '--until', '4'], numbered(1, 2, 4)],
      [['-p', '1', '--until', '-8'], numbered(1, 0, 2)],
      [['-p', '1', '-o', '3', '-c', '4'], numbered(1, 3, 7)],
    ]
    for (let at = 0; at < cases.length; at += 4) {
      const some = cases.slice(at, at + 4)
      const found = await Promise.all(some.map(([words]) => values(...words)))
      expect(found).toEqual(some.map(([, expected]) => expected))
    }
  })

  test('several partitions: all, a list, a range, an offset for each', async () => {
    const [all, list, range, each, last] = await Promise.all([
      values(),
      values('-p', '0,2'),
      values('-p', '1-2', '-p', '0', '-o', '-1'),
      values('-o', '0:8,1:10,2:9'),
      values('-p', '0,1', '-o', '0:5', '--until', '0:7,1:1'),
    ])
    expect(all).toEqual([...numbered(0, 0, 10), ...numbered(1, 0, 10), ...numbered(2, 0, 10)])
    expect(list).toEqual([...numbered(0, 0, 10), ...numbered(2, 0, 10)])
    expect(range).toEqual(['p0 r9', 'p1 r9', 'p2 r9'])
    expect(each).toEqual(['p0 r8', 'p0 r9', 'p2 r9'])
    expect(last).toEqual(['p0 r5', 'p0 r6', 'p1 r0'])
  })

  test('within a partition the order is that of the log', async () => {
    const lines = (await printed('numbered', '-f', '%p %o\\n')).split('\n').slice(0, -1)
    for (const partition of ['0', '1', '2']) {
      const offsets = lines
        .filter((line) => line.startsWith(`${partition} `))
        .map((line) => Number(line.slice(2)))
      expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    }
  })

  test('-e says where each partition ended, on stderr; nothing with -q or --json', async () => {
    const { stdout, stderr } = await run('consume', 'numbered', '-p', '0,1', '-o', '0:9,1:10', '-e')
    expect(stdout).toBe('p0 r9\n')
    expect(stderr).toBe(
      '% Reached end of topic numbered [1] at offset 10\n% Reached end of topic numbered [0] at offset 10: exiting\n',
    )
    expect((await run('consume', 'numbered', '-e', '--json')).stderr).toBe('')
  })

  test('without -e an end that is named ends it, and so does a count', async () => {
    const [until, count] = await Promise.all([
      run('consume', 'numbered', '-p', '0', '--until', '2'),
      run('consume', 'numbered', '-p', '0', '-c', '3'),
    ])
    expect(until).toMatchObject({ code: 0, stdout: 'p0 r0\np0 r1\n', stderr: '' })
    expect(count).toMatchObject({ code: 0, stdout: 'p0 r0\np0 r1\np0 r2\n', stderr: '' })
  })

  test('what is not there: offsets, partitions, topics; each with the bounds and the next step', async () => {
    const sentences: readonly (readonly [string[], number, string])[] = [
      [
        ['numbered', '-p', '0', '-o', '11'],
        7,
        'numbered/0 has offsets from 0 to before 10, not 11\n  begin elsewhere with -o, or add: --out-of-range earliest',
      ],
      [
        ['numbered', '-p', '3'],
        7,
        'numbered has no partition 3; it has 3 partitions, counted from 0',
      ],
      [
        ['numbered', '-o', '0:1,7:1'],
        7,
        'numbered has no partition 7; it has 3 partitions, counted from 0',
      ],
      [
        ['numbered', '-o', '5'],
        2,
        '-o 5 is an offset, and 3 partitions are read: choose one with -p, or give an offset for each: -o 0:5,1:5,…',
      ],
      [['numbered', '-o', 'soon'], 2, '-o "soon": expected earliest, latest, an offset (1500)'],
      [['numbered', '-o', '1', '-o', '2'], 2, '-o says two places to begin: 1 and 2'],
      [['numbered', '-o', 'e@5', '--until', '7'], 2, 'two places to stop are given: @5 and 7'],
      [['numbered', '-f', '%s', '-D', ';'], 2, '-D is for output without a format'],
      [['numbered', '-D', '\\q'], 2, '-D "\\\\q": \\q is no escape; there are'],
      [['numbered', '--header', 'x'], 2, '--header "x": expected name:value'],
      [['nothing'], 7, 'there is no topic nothing\n  create it with: spool topics create nothing'],
    ]
    for (let at = 0; at < sentences.length; at += 4) {
      const some = sentences.slice(at, at + 4)
      const ends = await Promise.all(some.map(([words]) => run('consume', ...words, '-e')))
      for (const [index, { code, stdout, stderr }] of ends.entries()) {
        const [, expectedCode, sentence] = some[index]!
        expect({ code, stdout }).toEqual({ code: expectedCode, stdout: '' })
        expect(stderr).toContain(`spool consume: ${sentence}`)
      }
    }
  })

  test('an offset that is not there, with --out-of-range', async () => {
    const [earliest, latest] = await Promise.all([
      values('-p', '0', '-o', '99', '--out-of-range', 'earliest'),
      values('-p', '0', '-o', '99', '--out-of-range', 'latest'),
    ])
    expect(earliest).toEqual(numbered(0, 0, 10))
    expect(latest).toEqual([])
  })
})

describe('which records', () => {
  test('by key, header and content, and all of them together; -c counts what passed', async () => {
    const [key, header, content, together, counted, none] = await Promise.all([
      values('-p', '0', '--key', 'key-1'),
      values('-p', '0', '--header', 'parity:even'),
      values('--contains', 'r7'),
      values('--key', 'key-0', '--contains', 'p2', '--header', 'parity:even'),
      values('-p', '2', '--key', 'key-1', '-c', '2'),
      values('--key', 'key-'),
    ])
    expect(key).toEqual([1, 3, 5, 7, 9].map((at) => `p0 r${at}`))
    expect(header).toEqual([0, 2, 4, 6, 8].map((at) => `p0 r${at}`))
    expect(content).toEqual(['p0 r7', 'p1 r7', 'p2 r7'])
    expect(together).toEqual([0, 2, 4, 6, 8].map((at) => `p2 r${at}`))
    expect(counted).toEqual(['p2 r1', 'p2 r3'])
    expect(none).toEqual([])
  })
})

describe('sizes', () => {
  test('a topic of a thousand partitions is read as one', async () => {
    await client.admin.createTopic({ name: 'wide', partitions: 1_000 })
    const partitions = [0, 1, 499, 998, 999]
    await send(
      'wide',
      partitions.map((partition) => ({ partition, value: `in ${partition}` })),
    )
    const { code, stdout, stderr } = await run('consume', 'wide', '-e')
    expect(code).toBe(0)
    expect(stdout.split('\n').slice(0, -1).sort()).toEqual(
      partitions.map((it) => `in ${it}`).sort(),
    )
    expect(stderr.match(/Reached end/g)).toHaveLength(1_000)
  })

  test('a record of 15 MiB comes through whole, by consume and by cat', {
    timeout: 2 * MINUTE_MS,
  }, async () => {
    const large = Buffer.alloc(15 * 1024 * 1024)
    for (let at = 0; at < large.length; at += 4) large.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
    await client.admin.createTopic({
      name: 'large',
      config: { 'max.message.bytes': 32 * 1024 * 1024 },
    })
    await using producer = client.producer({ topic: 'large', batchBytes: 16 * 1024 * 1024 })
    await producer.send({ value: large })
    await producer.send({ value: 'after it' })
    const consumed = await run('consume', 'large', '-c', '2', '-D', '')
    expect(consumed.stdoutBytes.equals(Buffer.concat([large, Buffer.from('after it')]))).toBe(true)
    const one = await run('cat', 'large/0/0')
    expect(one.stdoutBytes.equals(large)).toBe(true)
    expect(one.code).toBe(0)
  })
})

describe('cat', () => {
  test('prints exactly the bytes of the value', async () => {
    const places = ['kinds/0/0', 'kinds/0/1', 'kinds/0/2', 'kinds/0/5']
    const ends = await Promise.all(places.map((place) => run('cat', place)))
    expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      places.map(() => ({ code: 0, stderr: '' })),
    )
    expect(ends.map(({ stdoutBytes }) => stdoutBytes.toString('latin1'))).toEqual([
      'plain',
      '',
      '\x00\x80\n\xff',
      'red \x1b[31m',
    ])
  })

  test('a null value is nothing, said so, with a code of its own', async () => {
    expect(await run('cat', 'kinds', '0', '3')).toMatchObject({
      code: 9,
      stdout: '',
      stderr: 'the value of kinds/0/3 is null\n',
    })
    const json = await run('cat', 'kinds/0/3', '--json')
    expect(json).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(json.stdout)).toMatchObject({ offset: 3, key: '', value: null })
  })

  test('with -i what stands around the value, harmless for a terminal', async () => {
    await client.admin.createTopic({ name: 'hostile' })
    await send('hostile', [
      { key: '\x1b[2J', value: 'v', timestamp: 5, headers: [['a\nb', '\u009b1m']] },
    ])
    expect((await run('cat', 'hostile/0/0', '-i')).stdout).toBe(
      'partition: 0\noffset: 0\ntimestamp: 5\nkey: \\u001b[2J\nheader a\\nb: \\u009b1m\n\nv',
    )
  })

  test('what is not there: not written yet, no longer kept, no such partition', async () => {
    await client.admin.createTopic({ name: 'cut' })
    await send('cut', [{ value: 'a' }, { value: 'b' }])
    await client.admin.trim('cut', 0, 1)
    const cases: readonly (readonly [string, string])[] = [
      ['kinds/0/99', 'offset 99 is not written yet: kinds/0 has offsets from 0 to before 6\n'],
      ['cut/0/0', 'offset 0 is no longer kept: cut/0 has offsets from 1 to before 2\n'],
      ['kinds/2/0', 'kinds has no partition 2; it has 2 partitions, counted from 0\n'],
    ]
    for (const [place, sentence] of cases) {
      expect(await run('cat', place)).toMatchObject({
        code: 7,
        stdout: '',
        stderr: `spool cat: ${sentence}`,
      })
    }
  })
})
