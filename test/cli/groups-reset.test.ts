/**
 * `spool groups reset` against a real broker: it says what would happen, nothing is reset that was not meant,
 * and what it says undoes it.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PartlyReset, resetInParts } from '../../cli/groups/reset-parts.ts'
import { targetsIn } from '../../cli/groups/reset-plan.ts'
import { SpoolError } from '../../client/index.ts'
import { GroupClient } from '../broker/http/groups/group-client.ts'
import { committedOf } from '../client/consumer/group-rig.ts'
import { spool } from '../rigs/spool-command.ts'
import { CommandSuite } from './command-suite.ts'
import { commit, rowsOf, topicWith } from './groups-rig.ts'

const suite = CommandSuite.serve('groups')
/** Who is a member, as any program may be. */
const members = () => new GroupClient(suite.broker.url)

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'spool-groups-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

describe('reset', () => {
  test('says what would happen and needs --yes where nobody can be asked; then it happens, and is undone', async () => {
    await topicWith(suite.client, 'rewound', 2, 20)
    await commit(suite.client, 'rewinder', 'rewound', [15, 20])
    const words = ['reset', 'rewinder', '--topic', 'rewound', '--to', '2025-01-01T00:10Z']
    const asked = await suite.run(...words)
    expect(asked).toMatchObject({ code: 2, stdout: '' })
    expect(asked.stderr.split('\n').slice(0, 3)).toEqual([
      'rewound/0: 15 → 10, 5 records again',
      'rewound/1: 20 → 10, 10 records again',
      'spool groups reset: nobody can be asked here whether that is meant: say so with --yes',
    ])
    const preview = await suite.run(...words, '--dry-run')
    expect(preview.stderr).toBe('would reset 2 partitions of rewinder, 15 records again\n')
    expect(rowsOf(preview)).toEqual([
      ['rewound', '0', '15', '10', '5', ''],
      ['rewound', '1', '20', '10', '10', ''],
    ])
    expect(await committedOf(suite.client, 'rewinder')).toEqual([15, 20])
    const done = await suite.run(...words, '--yes')
    expect(done).toMatchObject({ code: 0, stdout: preview.stdout })
    expect(done.stderr).toBe(
      'reset 2 partitions of rewinder, 15 records again\nto undo it: spool groups reset rewinder --topic rewound --to 0:15,1:20 --yes\n',
    )
    expect(await committedOf(suite.client, 'rewinder')).toEqual([10, 10])
    const undo = /to undo it: (.*)/.exec(done.stderr)?.[1]
    expect((await suite.inShell(undo!)).code).toBe(0)
    expect(await committedOf(suite.client, 'rewinder')).toEqual([15, 20])
    expect((await suite.run(...words, '--yes', '-q')).stderr).toBe('')
  })

  test('by shift, some partitions, to an offset of one, to the ends', async () => {
    await topicWith(suite.client, 'parts', 3, 20)
    await commit(suite.client, 'partial', 'parts', [10, 10, 10])
    const reset = async (...words: string[]) => {
      const { code, stderr } = await suite.run('reset', 'partial', ...words, '--yes')
      expect({ code, stderr }).toMatchObject({ code: 0 })
      return committedOf(suite.client, 'partial')
    }
    expect(await reset('--topic', 'parts:0,2', '--shift', '-4')).toEqual([6, 10, 6])
    expect(await reset('--shift', '3')).toEqual([9, 13, 9])
    expect(await reset('--topic', 'parts:1', '--to', '5')).toEqual([9, 5, 9])
    expect(await reset('--topic', 'parts:0-1', '--to', 'beginning')).toEqual([0, 0, 9])
    expect(await reset('--topic', 'parts', '--to', '0:3,2:7')).toEqual([3, 0, 7])
    expect(await reset('--to', '-2')).toEqual([18, 18, 18])
    const beyond = await suite.run('reset', 'partial', '--shift', '100', '--yes', '-t', 'parts:1')
    expect(rowsOf(beyond)).toEqual([['parts', '1', '18', '20', '0', 'clamped']])
    expect(beyond.stderr).toContain('reset 1 partition of partial, 0 records again, 2 skipped\n')
  })

  test('--json gives the answer, whose lists do and undo it; several topics are undone by such a list', async () => {
    await topicWith(suite.client, 'one', 1, 9)
    await topicWith(suite.client, 'two', 1, 9)
    await commit(suite.client, 'lists', 'one', [5])
    await commit(suite.client, 'lists', 'two', [6])
    const preview = await suite.run('reset', 'lists', '--to', 'earliest', '--dry-run', '--json')
    expect(preview.stderr).toBe('')
    const before = JSON.parse(preview.stdout)
    expect(before).toMatchObject({ dryRun: true, recordsAgain: 11 })
    const apply = (list: unknown) =>
      spool(['groups', 'reset', 'lists', '--offsets', '-', '--yes'], {
        url: suite.broker.url,
        input: JSON.stringify(list),
      })
    expect((await apply(before.to)).code).toBe(0)
    expect(await committedOf(suite.client, 'lists')).toEqual([0, 0])
    const file = join(directory, 'before.json')
    writeFileSync(file, JSON.stringify({ offsets: before.from }))
    const undone = await suite.run('reset', 'lists', '--offsets', file, '--yes')
    expect(await committedOf(suite.client, 'lists')).toEqual([5, 6])
    const again = /to undo it: (echo .* --offsets - --yes)\n/.exec(undone.stderr)?.[1]
    expect((await suite.inShell(again!)).code).toBe(0)
    expect(await committedOf(suite.client, 'lists')).toEqual([0, 0])
    const whole = await apply(before)
    expect(whole.code).toBe(2)
    expect(whole.stderr).toContain('its "from" list undoes it (jq .from)')
  })

  test('what was committed nowhere can be put back to that', async () => {
    await topicWith(suite.client, 'fresh', 2, 4)
    await commit(suite.client, 'halfway', 'fresh', [2])
    const done = await suite.run('reset', 'halfway', '--topic', 'fresh', '--to', 'latest', '--yes')
    expect(rowsOf(done)).toEqual([
      ['fresh', '0', '2', '4', '0', ''],
      ['fresh', '1', '', '4', '0', ''],
    ])
    const undo = /to undo it: (.*)/.exec(done.stderr)?.[1]
    expect(undo).toContain('"offset":null')
    expect((await suite.inShell(undo!)).code).toBe(0)
    expect(await committedOf(suite.client, 'halfway')).toEqual([2])
  })

  test('on a terminal a person is asked, told of members, and gets what was shown', async () => {
    await topicWith(suite.client, 'asked', 1, 10)
    await commit(suite.client, 'asker', 'asked', [8])
    await members().join('asker', { topics: ['asked'] })
    const words = ['reset', 'asker', '--topic', 'asked', '--to', 'latest', '--no-color']
    const question = { after: 'Reset 1 partition of asker, 0 records again, 2 skipped? [y/N] ' }
    const no = await suite.runOnTerminal(words, { ...question, text: 'n\r' })
    expect(no.code).toBe(1)
    expect(no.text).toContain('asked/0: 8 → 10, 2 records skipped\n')
    expect(no.text).toContain('asker has 1 member, which will go on from there\n')
    expect(no.text).toContain('spool groups reset: nothing was reset\n')
    const interrupted = await suite.runOnTerminal(words, { ...question, text: '\x03' })
    expect(interrupted.code).toBe(130)
    expect(await committedOf(suite.client, 'asker')).toEqual([8])
    await using command = suite.startOnTerminal(words)
    await command.until(({ stdout }) => stdout.includes(question.after))
    // What comes while the person thinks is not skipped.
    await using producer = suite.client.producer({ topic: 'asked' })
    await producer.send({ value: 'late' })
    command.type('yes\r')
    const yes = await command.ended
    expect(yes.code).toBe(0)
    expect(yes.stdout.replaceAll('\r\n', '\n')).toMatch(/^asked +0 +8 +10 +0$/m)
    expect(await committedOf(suite.client, 'asker')).toEqual([10])
  })

  test('a running group goes on from there, and what it commits of before is refused', async () => {
    await topicWith(suite.client, 'running', 1, 10)
    const { memberId } = await members().join('runner', { topics: ['running'] })
    const { token } = await members().poll('runner', memberId)
    await members().poll('runner', memberId, { after: token, commit: token })
    expect((await suite.run('reset', 'runner', '--to', '-3', '--yes')).stderr).toContain(
      '3 records again',
    )
    const path = `/v1/groups/runner/members/${memberId}/poll`
    const late = await members().ask('POST', path, { after: token, commit: token })
    expect(late).toMatchObject({ status: 409, document: { code: 'FENCED_MEMBER_EPOCH' } })
    expect((await members().poll('runner', memberId)).records.map(({ offset }) => offset)).toEqual([
      7, 8, 9,
    ])
  })

  test('words that contradict each other, and files that hold no offsets', async () => {
    await topicWith(suite.client, 'worded', 2, 5)
    await commit(suite.client, 'words', 'worded', [1, 1])
    const refused = async (...words: string[]) => {
      const { code, stderr } = await suite.run('reset', 'words', ...words, '--yes')
      return `${code} ${stderr.split('\n')[0]!.replace('spool groups reset: ', '')}`
    }
    expect(await refused('--to', '3')).toBe(
      '2 --to 3 is an offset of one partition: name that with --topic TOPIC:PARTITION, or give an offset for each: --to 0:3,1:3',
    )
    expect(await refused('-t', 'worded:7', '--to', 'earliest')).toMatch(/^7 .*worded/)
    expect(await refused('-t', 'nowhere', '--to', 'earliest')).toBe('7 there is no topic nowhere')
    expect(await refused('--offsets', join(directory, 'missing.json'))).toMatch(/^1 ENOENT/)
    const wrong: readonly (readonly [string, string])[] = [
      ['no', 'not JSON'],
      ['[]', 'expected a list'],
      ['{"to": []}', 'expected a list'],
      ['[1]', 'entry 1: expected {'],
      ['[{"topic": "a", "partition": 0, "offset": 1, "metadata": ""}]', 'no member "metadata"'],
      ['[{"topic": "a b", "partition": 0, "offset": 1}]', 'entry 1: its topic'],
      ['[{"topic": "a", "partition": -1, "offset": 1}]', 'entry 1: its partition'],
      ['[{"topic": "a", "partition": 0, "offset": 1.5}]', 'entry 1: its offset'],
      ['[{"topic": "a", "partition": 0}]', 'entry 1: its offset'],
    ]
    for (const [content, why] of wrong) {
      expect(() => targetsIn(content, 'f'), content).toThrow(`--offsets f: `)
      expect(() => targetsIn(content, 'f'), content).toThrow(why)
    }
    expect(await committedOf(suite.client, 'words')).toEqual([1, 1])
  })

  test('a thousand partitions: the question stays short, the list is whole', async () => {
    await suite.client.admin.createTopic({ name: 'wide', partitions: 1_000 })
    await commit(suite.client, 'wide', 'wide', Array(1_000).fill(0))
    const asked = await suite.run('reset', 'wide', '--to', 'latest')
    expect(asked.stderr.split('\n').slice(19, 21)).toEqual([
      'wide/19: 0 → 0',
      'and 980 more partitions',
    ])
    const done = await suite.run('reset', 'wide', '--to', 'latest', '--yes')
    expect(rowsOf(done)).toHaveLength(1_000)
    const undo = /to undo it: (.*)/.exec(done.stderr)?.[1]
    expect((await suite.inShell(undo!)).code).toBe(0)
  })
})

describe('a reset of more partitions than one request may name', () => {
  const places = (offsets: readonly number[]) =>
    offsets.map((offset, partition) => ({ topic: 'broad', partition, offset }))

  test('goes in parts, whose answers are one that undoes all; a failure says what is done', async () => {
    await topicWith(suite.client, 'broad', 10, 4)
    await commit(suite.client, 'broad', 'broad', Array(10).fill(3))
    const to = { offsets: places(Array(10).fill(1)) }
    const preview = await resetInParts(suite.client, 'broad', { to, dryRun: true }, 3)
    expect(preview.to).toEqual(to.offsets)
    expect(await committedOf(suite.client, 'broad')).toEqual(Array(10).fill(3))
    const done = await resetInParts(suite.client, 'broad', { to }, 3)
    expect(done).toMatchObject({ groupId: 'broad', dryRun: false, recordsAgain: 20 })
    expect(done.partitions).toHaveLength(10)
    expect(done.from).toEqual(places(Array(10).fill(3)))
    expect(await committedOf(suite.client, 'broad')).toEqual(Array(10).fill(1))
    await resetInParts(suite.client, 'broad', { to: { offsets: done.from } }, 4)
    expect(await committedOf(suite.client, 'broad')).toEqual(Array(10).fill(3))
    // There is no partition 10.
    const beyond = { offsets: places(Array(11).fill(2)) }
    const failed = await resetInParts(suite.client, 'broad', { to: beyond }, 5).catch(
      (error) => error,
    )
    expect(failed).toBeInstanceOf(PartlyReset)
    expect(failed.cause).toBeInstanceOf(SpoolError)
    expect(failed.done.from).toEqual(places(Array(10).fill(3)))
    expect(await committedOf(suite.client, 'broad')).toEqual(Array(10).fill(2))
  })

  test('also from a file, which the broker refuses as a whole at the first part', async () => {
    const file = join(directory, 'broad.json')
    writeFileSync(file, JSON.stringify(places(Array(10_001).fill(1))))
    const ended = await suite.run('reset', 'broad', '--offsets', file, '--yes')
    expect(ended.code).toBe(7)
    expect(ended.stderr).not.toContain('10000')
    expect(await committedOf(suite.client, 'broad')).toEqual(Array(10).fill(2))
  })
})
