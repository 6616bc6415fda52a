/**
 * `spool consume -G` against a real broker: what members print together, what is committed and when, and how
 * each way of ending leaves the group. What may happen meanwhile is `consume-group-meanwhile.test.ts`.
 */

import { describe, expect, test } from 'vitest'
import { CommandSuite, waitFor } from './command-suite.ts'
import { append, committedBy, isEmpty, linesOf, topicOf, valuesOf } from './consume-group-rig.ts'

const suite = CommandSuite.serve()

describe('one member', () => {
  test('prints several topics, commits while it waits, and Ctrl-C says how far; the next one goes on there', async () => {
    await topicOf(suite.client, 'orders', 2, 10)
    await topicOf(suite.client, 'mails', 1, 3)
    const words = ['consume', '-G', 'one', 'orders', 'mails', '-f', '%t/%p/%o %s\\n']
    await using command = suite.start(...words)
    await command.until(({ stdout }) => linesOf(stdout).length === 13)
    expect(
      linesOf(command.stdout)
        .map((line) => line.replace(/^\S+ /, ''))
        .sort(),
    ).toEqual([...valuesOf('orders', 0, 10), ...valuesOf('mails', 0, 3)].sort())
    expect(linesOf(command.stdout)).toContain('mails/0/2 mails 2')
    await waitFor(async () => (await committedBy(suite.client, 'one')) === 13)
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
    expect(await isEmpty(suite.client, 'one')).toBe(true)
    await append(suite.client, 'orders', 2, 10, 12)
    const goOn = lines.at(-1)!.slice('to go on: '.length)
    const next = await suite.inShell(`${goOn} -e`)
    expect(linesOf(next.stdout).sort()).toEqual(['orders/0/5 orders 10', 'orders/1/5 orders 11'])
  })

  test('-e ends when the group has read what was there; records say their topic with --json', async () => {
    await topicOf(suite.client, 'listed', 3, 9)
    const first = await suite.run('consume', '-G', 'ends', 'listed', '-e', '--json')
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
    const again = await suite.run('consume', '-G', 'ends', 'listed', '-e')
    expect(again).toMatchObject({ code: 0, stdout: '' })
    expect(linesOf(again.stderr).at(-1)).toBe('% Reached end of listed in group ends: exiting')
    expect((await suite.run('consume', '-G', 'ends', 'listed', '-e', '-q')).stderr).toBe('')
    expect(await isEmpty(suite.client, 'ends')).toBe(true)
  })

  test('-c prints so many and commits just those, in the middle of a batch too', async () => {
    await topicOf(suite.client, 'counted', 1, 10)
    const first = await suite.run('consume', '-G', 'counter', 'counted', '-c', '4', '-q')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(linesOf(first.stdout)).toEqual(valuesOf('counted', 0, 4))
    expect(await committedBy(suite.client, 'counter')).toBe(4)
    const rest = await suite.run('consume', '-G', 'counter', 'counted', '-e', '-q')
    expect(linesOf(rest.stdout)).toEqual(valuesOf('counted', 4, 10))
  })

  test('a filter leaves records out, and they count as read', async () => {
    await topicOf(suite.client, 'filtered', 2, 40)
    const words = ['consume', '-G', 'filter', 'filtered', '-e', '-q', '--contains', '7']
    const found = await suite.run(...words)
    expect(linesOf(found.stdout).sort()).toEqual(
      valuesOf('filtered', 0, 40).filter((value) => value.includes('7')),
    )
    expect(await committedBy(suite.client, 'filter')).toBe(40)
  })

  test('-o is where a group begins that has committed nothing, and no other', async () => {
    await topicOf(suite.client, 'begun', 1, 10)
    expect((await suite.run('consume', '-G', 'late', 'begun', '-o', '-3', '-e', '-q')).stdout).toBe(
      'begun 7\nbegun 8\nbegun 9\n',
    )
    await append(suite.client, 'begun', 1, 10, 11)
    for (const position of ['beginning', 'stored']) {
      const again = await suite.run('consume', '-G', 'late', 'begun', '-o', position, '-e', '-q')
      expect(again.stdout).toBe(position === 'beginning' ? 'begun 10\n' : '')
    }
  })

  test('a reader of its output that leaves is a quiet end, and leaves the group', async () => {
    await topicOf(suite.client, 'headed', 1, 10)
    // More than a pipe holds, so that it notices.
    await using producer = suite.client.producer({ topic: 'headed' })
    for (let at = 0; at < 40; at++) await producer.send({ value: 'x'.repeat(100_000) })
    const { code, stdout, stderr } = await suite.inShell(
      'spool consume -G heads headed -q | head -1; echo $' + '{PIPESTATUS[0]}',
    )
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'headed 0\n0\n', stderr: '' })
    await waitFor(() => isEmpty(suite.client, 'heads'))
    expect(await committedBy(suite.client, 'heads')).toBeLessThan(50)
  })

  test('words that mean nothing in a group, topics that are not there', async () => {
    const refused = async (...words: string[]) => {
      const { code, stderr } = await suite.run('consume', ...words)
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
    await topicOf(suite.client, 'shared', 4, 400)
    await using first = suite.start('consume', '-G', 'team', 'shared')
    await first.until(({ stdout }) => linesOf(stdout).length === 400)
    await using second = suite.start('consume', '-G', 'team', 'shared')
    await second.until(({ stderr }) => /^% assigned shared [\d,-]+$/m.test(stderr))
    await first.until(({ stderr }) => /^% gave back shared [\d,-]+$/m.test(stderr))
    // Both have some now: what comes is printed by whoever has it.
    await append(suite.client, 'shared', 4, 400, 800)
    const printed = () => [...linesOf(first.stdout), ...linesOf(second.stdout)].sort()
    await waitFor(async () => printed().length >= 800)
    expect(printed()).toEqual(valuesOf('shared', 0, 800))
    expect(linesOf(second.stdout).length).toBeGreaterThan(0)
    second.signal('SIGTERM')
    expect((await second.ended).code).toBe(143)
    await first.until(({ stderr }) => (stderr.match(/^% assigned /gm) ?? []).length > 1)
    await append(suite.client, 'shared', 4, 800, 900)
    await waitFor(async () => printed().length >= 900)
    expect(printed()).toEqual(valuesOf('shared', 0, 900))
    await waitFor(async () => (await committedBy(suite.client, 'team')) === 900)
  })

  test('with -e each waits until the whole group is done', async () => {
    await topicOf(suite.client, 'together', 4, 2_000)
    const ended = await Promise.all([
      suite.run('consume', '-G', 'both', 'together', '-e', '-q'),
      suite.run('consume', '-G', 'both', 'together', '-e', '-q'),
    ])
    expect(ended.map(({ code }) => code)).toEqual([0, 0])
    const printed = ended.flatMap(({ stdout }) => linesOf(stdout))
    expect(new Set(printed).size).toBe(2_000)
    expect(printed).toHaveLength(2_000)
  })
})
