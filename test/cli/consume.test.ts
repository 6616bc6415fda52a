/**
 * `spool consume` against a real broker: which records are read, from where to where. How each of them is
 * printed is `consume-printed.test.ts`, how reading ends otherwise is `consume-ends.test.ts`.
 */

import { beforeAll, describe, expect, test } from 'vitest'
import { CommandSuite } from './command-suite.ts'
import { printed, send } from './consume-rig.ts'

const suite = CommandSuite.serve()

beforeAll(async () => {
  await suite.client.admin.createTopic({ name: 'numbered', partitions: 3 })
  for (const partition of [0, 1, 2]) {
    // Two batches in each partition.
    for (const first of [0, 5]) {
      const numbers = [0, 1, 2, 3, 4].map((at) => first + at)
      await send(
        suite.client,
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

/** Values printed, a line each, in the order of partitions. */
async function values(...words: string[]): Promise<string[]> {
  return (await printed(suite, 'numbered', ...words)).split('\n').slice(0, -1).sort()
}

function numbered(partition: number, from: number, until: number): string[] {
  return Array.from({ length: until - from }, (_, at) => `p${partition} r${from + at}`)
}

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
    const lines = (await printed(suite, 'numbered', '-f', '%p %o\\n')).split('\n').slice(0, -1)
    for (const partition of ['0', '1', '2']) {
      const offsets = lines
        .filter((line) => line.startsWith(`${partition} `))
        .map((line) => Number(line.slice(2)))
      expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    }
  })

  test('-e says where each partition ended, on stderr; nothing with -q or --json', async () => {
    const words = ['consume', 'numbered', '-p', '0,1', '-o', '0:9,1:10', '-e']
    const { stdout, stderr } = await suite.run(...words)
    expect(stdout).toBe('p0 r9\n')
    expect(stderr).toBe(
      '% Reached end of topic numbered [1] at offset 10\n% Reached end of topic numbered [0] at offset 10: exiting\n',
    )
    expect((await suite.run('consume', 'numbered', '-e', '--json')).stderr).toBe('')
  })

  test('without -e an end that is named ends it, and so does a count', async () => {
    const [until, count] = await Promise.all([
      suite.run('consume', 'numbered', '-p', '0', '--until', '2'),
      suite.run('consume', 'numbered', '-p', '0', '-c', '3'),
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
      const ends = await Promise.all(some.map(([words]) => suite.run('consume', ...words, '-e')))
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

  test('a topic of a thousand partitions is read as one', async () => {
    await suite.client.admin.createTopic({ name: 'wide', partitions: 1_000 })
    const partitions = [0, 1, 499, 998, 999]
    await send(
      suite.client,
      'wide',
      partitions.map((partition) => ({ partition, value: `in ${partition}` })),
    )
    const { code, stdout, stderr } = await suite.run('consume', 'wide', '-e')
    expect(code).toBe(0)
    expect(stdout.split('\n').slice(0, -1).sort()).toEqual(
      partitions.map((it) => `in ${it}`).sort(),
    )
    expect(stderr.match(/Reached end/g)).toHaveLength(1_000)
  })
})
