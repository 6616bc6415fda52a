/**
 * `spool replay` against a real broker: which records it plays, in which order, at which pace, and what
 * arrives in another topic. How it ends otherwise is `replay-ends.test.ts`.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { type Client, connect, type RecordToSend } from '../../client/index.ts'
import { SeededRandom } from '../rigs/random.ts'
import { spool } from '../rigs/spool-command.ts'

type Sent = RecordToSend<string | Uint8Array, string | Uint8Array>

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

function run(...words: string[]) {
  return spool(['replay', ...words], { url: broker.url })
}

async function lines(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(...words)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.split('\n').slice(0, -1)
}

async function send(topic: string, records: readonly Sent[]): Promise<void> {
  await using producer = client.producer({ topic })
  await producer.sendMany(records)
}

async function topicOf(name: string, partitions: number, records: readonly Sent[]): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  await send(name, records)
}

/** Everything in a topic, by partition. */
async function contentOf(topic: string) {
  const asTheyAre = { deserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString('hex') }
  const reader = client.reader(topic, { until: 'latest', key: asTheyAre, value: asTheyAre })
  const records: Record<string, unknown>[] = []
  for await (const { partition, offset, timestamp, key, value, headers } of reader) {
    const pairs = headers.map(([name, given]) => [
      name,
      given && Buffer.from(given).toString('hex'),
    ])
    records.push({ partition, offset, timestamp, key, value, headers: pairs })
  }
  return records.sort(
    (one, other) =>
      (one.partition as number) - (other.partition as number) ||
      (one.offset as number) - (other.offset as number),
  )
}

describe('order', () => {
  test('the oldest record of all partitions comes next, and each partition keeps its order', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = new SeededRandom(seed)
    const clocks = [0, 0, 0, 0, 0]
    const records: Sent[] = Array.from({ length: 4_000 }, () => {
      const partition = Math.floor(random.next() ** 2 * clocks.length)
      clocks[partition]! += Math.floor(random.next() * 20)
      return { partition, value: 'x', timestamp: clocks[partition]! }
    })
    // Many batches, so that partitions are waited for again and again.
    await topicOf('sorted', clocks.length, [])
    for (let from = 0; from < records.length; from += 250) {
      await send('sorted', records.slice(from, from + 250))
    }
    const rows = (await lines('sorted', '-f', '%T %p %o\\n')).map((row) =>
      row.split(' ').map(Number),
    )
    expect(rows, `seed ${seed}`).toHaveLength(records.length)
    const sorted = rows.toSorted(
      ([time = 0, partition = 0, offset = 0], [otherTime = 0, otherPartition = 0, other = 0]) =>
        time - otherTime || partition - otherPartition || offset - other,
    )
    expect(rows, `seed ${seed}`).toEqual(sorted)
  })

  test('a timestamp that goes backwards does not put a partition out of order', async () => {
    await topicOf('backwards', 2, [
      { partition: 0, value: 'a', timestamp: 100 },
      { partition: 0, value: 'b', timestamp: 50 },
      { partition: 0, value: 'c', timestamp: 300 },
      { partition: 1, value: 'd', timestamp: 200 },
    ])
    expect(await lines('backwards')).toEqual(['a', 'b', 'd', 'c'])
  })
})

describe('which records', () => {
  const minute = (at: number) => Date.parse('2025-01-06T08:00:00Z') + at * 60_000
  beforeAll(() =>
    topicOf(
      'hours',
      2,
      Array.from({ length: 120 }, (_, at) => ({
        partition: at % 2,
        key: `key-${at % 3}`,
        value: `minute ${at}`,
        timestamp: minute(at),
        headers: { third: String(at % 3) },
      })),
    ),
  )

  test('a time to the minute, a range of offsets, some partitions, the last ones', async () => {
    const range = ['--from', '2025-01-06T08:10Z', '--until', '2025-01-06T09:13:00+01:00']
    expect(await lines('hours', ...range)).toEqual(['minute 10', 'minute 11', 'minute 12'])
    expect(await lines('hours', '--from', '0:58,1:59', '--until', '0:59,1:60')).toEqual([
      'minute 116',
      'minute 119',
    ])
    expect(await lines('hours', '-p', '1', '--from', '57')).toEqual([
      'minute 115',
      'minute 117',
      'minute 119',
    ])
    expect(await lines('hours', '--from', '-1')).toEqual(['minute 118', 'minute 119'])
  })

  test('filters, and printing as spool consume prints', async () => {
    expect(await lines('hours', '--key', 'key-1', '--until', '2025-01-06T08:06Z')).toEqual([
      'minute 1',
      'minute 4',
    ])
    expect(
      await lines('hours', '--header', 'third:2', '--contains', '11', '-K', '=', '-D', ';\\n'),
    ).toEqual([
      'key-2=minute 11;',
      'key-2=minute 110;',
      'key-2=minute 113;',
      'key-2=minute 116;',
      'key-2=minute 119;',
    ])
    const [first] = await lines('hours', '--json', '--until', '2025-01-06T08:01Z')
    expect(JSON.parse(first!)).toEqual({
      partition: 0,
      offset: 0,
      timestamp: minute(0),
      key: 'key-0',
      value: 'minute 0',
      headers: [['third', '0']],
    })
  })

  test('an end that is to come is the end as it is; nothing there is said, and is no error', async () => {
    expect(await lines('hours', '--until', '2099-01-01T00:00Z')).toHaveLength(120)
    expect(await run('hours', '--from', 'latest')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'there is nothing to replay: hours has no records there\n',
    })
    expect((await run('hours', '--from', 'latest', '-q')).stderr).toBe('')
  })

  test('what is not there, or is gone', async () => {
    expect((await run('nowhere')).code).toBe(7)
    expect(await run('hours', '-p', '2')).toMatchObject({
      code: 7,
      stderr: 'spool replay: hours has no partition 2; it has 2 partitions, counted from 0\n',
    })
    const beyond = await run('hours', '-p', '0', '--from', '61')
    expect(beyond.code).toBe(7)
    expect(beyond.stderr).toContain('begin elsewhere with --from, or add: --out-of-range earliest')
    const several = await run('hours', '--from', '5')
    expect(several.code).toBe(2)
    expect(several.stderr).toContain(
      '--from 5 is an offset, and 2 partitions are read: choose one with -p, or give an offset for each: --from 0:5,1:5',
    )
    expect(
      await lines('hours', '-p', '0', '--from', '61', '--out-of-range', 'earliest'),
    ).toHaveLength(60)
  })
})

describe('into another topic', () => {
  const kinds: Sent[] = [
    { partition: 0, key: 'a', value: 'plain', timestamp: 1_000 },
    { partition: 1, key: null, value: '', timestamp: 1_001 },
    {
      partition: 2,
      key: Buffer.from('ff00', 'hex'),
      value: Buffer.from('00ff', 'hex'),
      timestamp: 1_002,
    },
    { partition: 0, key: '', value: null, timestamp: 1_003 },
    {
      partition: 1,
      key: 'b',
      value: '{"a": 1}',
      timestamp: 1_004,
      headers: [
        ['h', 'x'],
        ['none', null],
        ['h', Buffer.from('ff', 'hex')],
      ],
    },
    { partition: 2, key: 'a', value: 'again', timestamp: 1_005 },
  ]
  beforeAll(() => topicOf('kinds', 3, kinds))

  test('keys, values, headers and timestamps are kept; the partition is that of the key', async () => {
    await client.admin.createTopic({ name: 'by-key', partitions: 7 })
    const { code, stdout } = await run('kinds', '--into', 'by-key')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '6 records of kinds into by-key\n' })
    // What any producer makes of the same keys; without a key a partition is as good as any other.
    await client.admin.createTopic({ name: 'by-key-too', partitions: 7 })
    await send(
      'by-key-too',
      kinds.map(({ partition, ...record }) =>
        record.key === null ? { ...record, partition: partition! } : record,
      ),
    )
    expect(await contentOf('by-key')).toEqual(await contentOf('by-key-too'))
  })

  test('or the partitions are the same', async () => {
    await client.admin.createTopic({ name: 'same', partitions: 4 })
    const { code } = await run('kinds', '--into', 'same', '--same-partitions', '-q')
    expect(code).toBe(0)
    expect(await contentOf('same')).toEqual(await contentOf('kinds'))
    await client.admin.createTopic({ name: 'narrow', partitions: 2 })
    const narrow = await run('kinds', '--into', 'narrow', '--same-partitions')
    expect(narrow).toMatchObject({
      code: 7,
      stderr: 'spool replay: narrow has no partition 2; it has 2 partitions, counted from 0\n',
    })
    expect((await run('kinds', '-p', '0,1', '--into', 'narrow', '--same-partitions')).code).toBe(0)
  })

  test('with --json it is a document; a filter counts what passed it', async () => {
    await client.admin.createTopic({ name: 'documented' })
    const { stdout, stderr } = await run('kinds', '--into', 'documented', '--key', 'a', '--json')
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({
      topic: 'kinds',
      into: 'documented',
      records: 2,
      durability: 'flushed',
      partitions: [0, 1, 2].map((partition) => ({ partition, from: 0, next: 2, until: 2 })),
    })
  })

  test('a record that the topic can not take is named, with the command that goes on after it', async () => {
    await topicOf('bulky', 2, [
      { partition: 0, value: 'one', timestamp: 1 },
      { partition: 0, value: 'x'.repeat(2_000), timestamp: 3 },
      { partition: 0, value: 'three', timestamp: 4 },
      { partition: 1, value: 'two', timestamp: 2 },
      { partition: 1, value: 'four', timestamp: 5 },
    ])
    await client.admin.createTopic({ name: 'small', config: { 'max.message.bytes': '1024' } })
    const { code, stderr } = await run('bulky', '--into', 'small')
    expect(code).toBe(1)
    const [reached, sentence, nextStep] = stderr.split('\n')
    expect(reached).toBe('2 records safely in small')
    expect(sentence).toMatch(
      /^spool replay: bulky\/0\/1 can not be appended to small: the record has 20\d\d bytes; .*max\.message\.bytes 1024$/,
    )
    expect(nextStep).toBe(
      '  to go on after it: spool replay bulky --from 0:2,1:1 --until 0:3,1:2 --into small',
    )
    const words = nextStep!.slice('  to go on after it: spool replay '.length).split(' ')
    expect((await run(...words)).code).toBe(0)
    expect((await contentOf('small')).map(({ timestamp }) => timestamp)).toEqual([1, 2, 4, 5])
  })

  test('a topic that is not there is told how to be made; itself is no other topic', async () => {
    expect(await run('kinds', '--into', 'missing')).toMatchObject({
      code: 7,
      stderr:
        'spool replay: there is no topic missing\n  create it with: spool topics create missing; see what there is with: spool topics list\n',
    })
    expect((await run('kinds', '--into', 'kinds')).code).toBe(2)
  })
})

describe('pace', () => {
  test('no faster than was asked for, by number or by the clock of the records', async () => {
    const begin = Date.parse('2025-01-01T00:00:00Z')
    await topicOf(
      'paced',
      2,
      Array.from({ length: 20 }, (_, at) => ({
        partition: at % 2,
        value: `${at}`,
        timestamp: begin + at * 1_000,
      })),
    )
    const took = async (...words: string[]) => {
      const beganAtMs = performance.now()
      expect(await lines('paced', ...words)).toEqual(Array.from({ length: 20 }, (_, at) => `${at}`))
      return performance.now() - beganAtMs
    }
    // 19 gaps; what a burst may make up for taken off.
    expect(await took('--rate', '20/s')).toBeGreaterThan(19 * 50 - 100)
    expect(await took('--speed', '20x')).toBeGreaterThan(19 * 50)
    expect(await took('--speed', '1x', '--pause-max', '20ms')).toBeGreaterThan(19 * 20)
  })

  test('a record is printed when it is due, not when the output is full', async () => {
    const begin = Date.parse('2025-01-01T00:00:00Z')
    await topicOf('due', 1, [
      { value: 'now', timestamp: begin },
      { value: 'in an hour', timestamp: begin + 3_600_000 },
    ])
    const { SpoolCommand } = await import('../rigs/spool-command.ts')
    await using command = new SpoolCommand(['replay', 'due', '--speed', '1x'], { url: broker.url })
    await command.until(({ stdout }) => stdout === 'now\n')
    command.signal('SIGINT')
    const { code, stdout, stderr } = await command.ended
    expect({ code, stdout }).toEqual({ code: 130, stdout: 'now\n' })
    expect(stderr).toBe('to go on: spool replay due --from 0:1 --until 0:2 --speed 1x\n')
  })
})
