/** How `spool consume` prints a record, byte for byte: as its value, by a format, as JSON, on a terminal. */

import { beforeAll, describe, expect, test } from 'vitest'
import { CommandSuite } from './command-suite.ts'
import { createKinds, printed } from './consume-rig.ts'

const MINUTE_MS = 60_000

const suite = CommandSuite.serve()
beforeAll(() => createKinds(suite.client))

describe('how a record is printed', () => {
  const latin = (text: string) => Buffer.from(text).toString('latin1')

  test('by default the value and a newline; -K, -D, -Z and --null-as as in kcat', async () => {
    const [plain, keyed, nulls, otherNulls] = await Promise.all([
      printed(suite, 'kinds', '-p', '0'),
      printed(suite, 'kinds', '-p', '0', '-K', ':', '-D', '\\r\\n'),
      printed(suite, 'kinds', '-p', '0', '-K', '\\t', '-Z'),
      printed(suite, 'kinds', '-p', '0', '-K', '\\xff', '--null-as', '∅', '-D', '\\0'),
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
      printed(suite, 'kinds', '-Z', '-f', '%t/%p/%o %T %K:%k %S:%s [%h] %%\\n'),
      printed(suite, 'kinds', '-p', '0', '-f', '%R%s'),
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
      printed(suite, 'kinds', '-p', '0', '--json'),
      printed(suite, 'kinds', '-p', '1', '--json', '--as', 'base64'),
    ])
    const page = await fetch(`${suite.broker.url}/v1/topics/kinds/partitions/0/records`)
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
    const words = ['consume', 'kinds', '-p', '0', '-o', '4', '-e', '--json', '--as', 'json']
    const { code, stdout, stderr } = await suite.run(...words)
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
    const words = ['consume', 'kinds', '-p', '0', '-o', '5', '-e', '-q']
    await using shown = suite.startOnTerminal(words)
    expect((await shown.ended).stdout).toBe('red \x1b[31m\r\n')
  })

  test('a record of 15 MiB comes through whole, by consume and by cat', {
    timeout: 2 * MINUTE_MS,
  }, async () => {
    const large = Buffer.alloc(15 * 1024 * 1024)
    for (let at = 0; at < large.length; at += 4) large.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
    await suite.client.admin.createTopic({
      name: 'large',
      config: { 'max.message.bytes': 32 * 1024 * 1024 },
    })
    await using producer = suite.client.producer({ topic: 'large', batchBytes: 16 * 1024 * 1024 })
    await producer.send({ value: large })
    await producer.send({ value: 'after it' })
    const consumed = await suite.run('consume', 'large', '-c', '2', '-D', '')
    expect(consumed.stdoutBytes.equals(Buffer.concat([large, Buffer.from('after it')]))).toBe(true)
    const one = await suite.run('cat', 'large/0/0')
    expect(one.stdoutBytes.equals(large)).toBe(true)
    expect(one.code).toBe(0)
  })
})
