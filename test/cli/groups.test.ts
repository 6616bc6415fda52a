/**
 * `spool groups …` against a real broker: what is shown of groups where (a terminal, a pipe, JSON), that
 * nothing is reset or deleted that was not meant, and that what a reset says undoes it.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { PartlyReset, resetInParts } from '../../cli/groups/reset-parts.ts'
import { targetsIn } from '../../cli/groups/reset-plan.ts'
import { numbersWord, partitionsWord } from '../../cli/groups/words.ts'
import { type Client, connect, SpoolError } from '../../client/index.ts'
import { GroupClient } from '../broker/http/groups/group-client.ts'
import { type Ended, onTerminal, SpoolCommand, spool, spoolLine } from '../rigs/spool-command.ts'

let broker: TestBroker
let client: Client
/** Who is a member, as any program may be. */
let members: GroupClient
let directory: string
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
  members = new GroupClient(broker.url)
  directory = mkdtempSync(join(tmpdir(), 'spool-groups-'))
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

function run(...words: string[]): Promise<Ended> {
  return spool(['groups', ...words], { url: broker.url })
}

/** On a terminal; ends with its output as plain text. */
async function runOnTerminal(words: readonly string[], typed?: { after: string; text: string }) {
  await using command = onTerminal(spoolLine(['groups', ...words]), { url: broker.url })
  if (typed !== undefined) {
    await command.until(({ stdout }) => stdout.includes(typed.after))
    command.type(typed.text)
  }
  const { code, stdout } = await command.ended
  return { code, text: stdout.replaceAll('\r\n', '\n') }
}

/** A line of bash with `spool` in it. */
function inShell(line: string): Promise<Ended> {
  const command = ['bash', '-c', `spool() { ${spoolLine([])} "$@"; }; ${line}`]
  return new SpoolCommand(command.slice(1), { url: broker.url }, command.slice(0, 1)).ended
}

/** A topic with `records` in each partition, one a minute since the beginning of 2025. */
async function topicWith(name: string, partitions: number, records: number): Promise<void> {
  await client.admin.createTopic({ name, partitions })
  await using producer = client.producer({ topic: name })
  const begin = Date.parse('2025-01-01T00:00:00Z')
  for (let partition = 0; partition < partitions; partition++) {
    const values = Array.from({ length: records }, (_, at) => at)
    await producer.sendMany(
      values.map((at) => ({ partition, value: `${at}`, timestamp: begin + at * 60_000 })),
    )
  }
}

/** Commits these offsets of a topic, by partition. */
async function commit(group: string, topic: string, offsets: readonly number[]): Promise<void> {
  const committed = offsets.map((offset, partition) => ({ topic, partition, offset }))
  await client.admin.commitGroupOffsets(group, committed)
}

async function offsetsOf(group: string): Promise<(number | null)[]> {
  return (await client.admin.groupOffsets(group)).map(({ offset }) => offset)
}

const rowsOf = ({ stdout }: Ended) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((row) => row.split('\t'))

describe('list and describe', () => {
  test('in a pipe: tabs, and every row says what it is', async () => {
    await topicWith('seen', 3, 10)
    await commit('watchers', 'seen', [4, 10, 0])
    const { memberId } = await members.join('watchers', { topics: ['seen'], clientId: 'me' })
    const listed = rowsOf(await run('list'))
    expect(listed).toContainEqual(['watchers', 'stable', '1', expect.any(String)])
    const described = rowsOf(await run('describe', 'watchers'))
    expect(described[0]).toEqual([
      'member',
      memberId,
      'me',
      '127.0.0.1',
      '',
      expect.stringMatching(/^\d+$/),
      'seen 0-2',
      '',
    ])
    const lagMs = expect.stringMatching(/^\d{9,}$/)
    expect(described.slice(1)).toEqual([
      ['offset', 'seen', '0', '4', '0', '10', '6', lagMs, memberId],
      ['offset', 'seen', '1', '10', '0', '10', '0', '0', memberId],
      ['offset', 'seen', '2', '0', '0', '10', '10', lagMs, memberId],
      ['total', '16', lagMs],
    ])
    const [, , , third, total] = described
    expect(Math.abs(Number(third?.[7]) - Number(total?.[2]))).toBeLessThan(60_000)
  })

  test('on a terminal: tables, times for people, totals in a sentence', async () => {
    await topicWith('shown', 2, 1_500)
    await commit('readers', 'shown', [1_500, 60])
    const list = await runOnTerminal(['list', '--no-color'])
    expect(list.text).toMatch(/^GROUP +STATE +MEMBERS +EPOCH$/m)
    expect(list.text).toMatch(/^readers +empty +0 +\d+$/m)
    const { text } = await runOnTerminal(['describe', 'readers', '--no-color'])
    expect(text).toMatch(/readers {2}empty, 0 members, \w+ assignor, epoch \d+/)
    expect(text).toMatch(/^TOPIC +PARTITION +COMMITTED +END +LAG +BEHIND +MEMBER$/m)
    expect(text).toMatch(/^shown +0 +1,500 +1,500 +0 +0\.0 s +-$/m)
    expect(text).toMatch(/^shown +1 +60 +1,500 +1,440 +[\d,]+ d \d+ h +-$/m)
    expect(text).toMatch(/^1,440 records behind in 1 of 2 partitions, at most [\d,]+ d \d+ h$/m)
    const { memberId } = await members.join('readers', { topics: ['shown'], clientId: 'app' })
    const running = await runOnTerminal(['describe', 'readers', '--no-color'])
    expect(running.text).toMatch(
      new RegExp(`^${memberId} +app +127\\.0\\.0\\.1 +\\d+ +shown 0-1$`, 'm'),
    )
    expect(running.text).toMatch(new RegExp(`^shown +0 .* ${memberId.slice(0, 8)}$`, 'm'))
  })

  test('as JSON: the documents of the HTTP interface', async () => {
    await topicWith('documented', 1, 3)
    await commit('documents', 'documented', [3])
    const described = JSON.parse((await run('describe', 'documents', '--json')).stdout)
    expect(described).toEqual(await client.admin.describeGroup('documents'))
    const { groups } = JSON.parse((await run('list', '--json')).stdout)
    expect(groups).toContainEqual(
      expect.objectContaining({ groupId: 'documents', state: 'empty', members: 0 }),
    )
  })

  test('a group that is not there: exit code 7 and where to look; no groups at all: how one begins', async () => {
    for (const verb of [
      ['describe', 'nobody'],
      ['reset', 'nobody', '--to', 'earliest', '--yes'],
    ]) {
      expect(await run(...verb)).toMatchObject({
        code: 7,
        stderr: `spool groups ${verb[0]}: there is no group nobody\n  see what there is with: spool groups list\n`,
      })
    }
    const json = await run('describe', 'nobody', '--json')
    expect(JSON.parse(json.stderr)).toMatchObject({
      code: 'GROUP_ID_NOT_FOUND',
      verb: 'groups describe',
    })
    await using empty = await startBroker()
    expect(await spool(['groups', 'list'], { url: empty.url })).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'there are no groups yet; one begins with: spool consume -G GROUP TOPIC\n',
    })
  })

  test('names of groups may hold nearly anything, and move no cursor', async () => {
    await topicWith('odd', 1, 2)
    const name = "it's a/group? ü"
    await commit(name, 'odd', [1])
    expect((await run('describe', name)).code).toBe(0)
    const { stderr } = await run('reset', name, '--to', 'latest', '--yes')
    expect(stderr).toContain(
      `to undo it: spool groups reset 'it'\\''s a/group? ü' --topic odd --to 0:1 --yes\n`,
    )
    const refused = await run('describe', '\x1b[2J')
    expect(refused.code).toBe(2)
    expect(refused.stderr).not.toContain('\x1b')
  })

  test('partitions in words', () => {
    expect(numbersWord([5, 0, 2, 1, 9, 8])).toBe('0-2,5,8-9')
    const places = [3, 0, 1].map((partition) => ({ topic: 'b', partition }))
    expect(partitionsWord([...places, { topic: 'a', partition: 7 }])).toBe('a 7; b 0-1,3')
  })
})

describe('reset', () => {
  test('says what would happen and needs --yes where nobody can be asked; then it happens, and is undone', async () => {
    await topicWith('rewound', 2, 20)
    await commit('rewinder', 'rewound', [15, 20])
    const words = ['reset', 'rewinder', '--topic', 'rewound', '--to', '2025-01-01T00:10Z']
    const asked = await run(...words)
    expect(asked).toMatchObject({ code: 2, stdout: '' })
    expect(asked.stderr.split('\n').slice(0, 3)).toEqual([
      'rewound/0: 15 → 10, 5 records again',
      'rewound/1: 20 → 10, 10 records again',
      'spool groups reset: nobody can be asked here whether that is meant: say so with --yes',
    ])
    const preview = await run(...words, '--dry-run')
    expect(preview.stderr).toBe('would reset 2 partitions of rewinder, 15 records again\n')
    expect(rowsOf(preview)).toEqual([
      ['rewound', '0', '15', '10', '5', ''],
      ['rewound', '1', '20', '10', '10', ''],
    ])
    expect(await offsetsOf('rewinder')).toEqual([15, 20])
    const done = await run(...words, '--yes')
    expect(done).toMatchObject({ code: 0, stdout: preview.stdout })
    expect(done.stderr).toBe(
      'reset 2 partitions of rewinder, 15 records again\nto undo it: spool groups reset rewinder --topic rewound --to 0:15,1:20 --yes\n',
    )
    expect(await offsetsOf('rewinder')).toEqual([10, 10])
    const undo = /to undo it: (.*)/.exec(done.stderr)?.[1]
    expect((await inShell(undo!)).code).toBe(0)
    expect(await offsetsOf('rewinder')).toEqual([15, 20])
    expect((await run(...words, '--yes', '-q')).stderr).toBe('')
  })

  test('by shift, some partitions, to an offset of one, to the ends', async () => {
    await topicWith('parts', 3, 20)
    await commit('partial', 'parts', [10, 10, 10])
    const reset = async (...words: string[]) => {
      const { code, stderr } = await run('reset', 'partial', ...words, '--yes')
      expect({ code, stderr }).toMatchObject({ code: 0 })
      return offsetsOf('partial')
    }
    expect(await reset('--topic', 'parts:0,2', '--shift', '-4')).toEqual([6, 10, 6])
    expect(await reset('--shift', '3')).toEqual([9, 13, 9])
    expect(await reset('--topic', 'parts:1', '--to', '5')).toEqual([9, 5, 9])
    expect(await reset('--topic', 'parts:0-1', '--to', 'beginning')).toEqual([0, 0, 9])
    expect(await reset('--topic', 'parts', '--to', '0:3,2:7')).toEqual([3, 0, 7])
    expect(await reset('--to', '-2')).toEqual([18, 18, 18])
    const beyond = await run('reset', 'partial', '--shift', '100', '--yes', '-t', 'parts:1')
    expect(rowsOf(beyond)).toEqual([['parts', '1', '18', '20', '0', 'clamped']])
    expect(beyond.stderr).toContain('reset 1 partition of partial, 0 records again, 2 skipped\n')
  })

  test('--json gives the answer, whose lists do and undo it; several topics are undone by such a list', async () => {
    await topicWith('one', 1, 9)
    await topicWith('two', 1, 9)
    await commit('lists', 'one', [5])
    await commit('lists', 'two', [6])
    const preview = await run('reset', 'lists', '--to', 'earliest', '--dry-run', '--json')
    expect(preview.stderr).toBe('')
    const before = JSON.parse(preview.stdout)
    expect(before).toMatchObject({ dryRun: true, recordsAgain: 11 })
    const apply = (list: unknown) =>
      spool(['groups', 'reset', 'lists', '--offsets', '-', '--yes'], {
        url: broker.url,
        input: JSON.stringify(list),
      })
    expect((await apply(before.to)).code).toBe(0)
    expect(await offsetsOf('lists')).toEqual([0, 0])
    const file = join(directory, 'before.json')
    writeFileSync(file, JSON.stringify({ offsets: before.from }))
    const undone = await run('reset', 'lists', '--offsets', file, '--yes')
    expect(await offsetsOf('lists')).toEqual([5, 6])
    const again = /to undo it: (echo .* --offsets - --yes)\n/.exec(undone.stderr)?.[1]
    expect((await inShell(again!)).code).toBe(0)
    expect(await offsetsOf('lists')).toEqual([0, 0])
    const whole = await apply(before)
    expect(whole.code).toBe(2)
    expect(whole.stderr).toContain('its "from" list undoes it (jq .from)')
  })

  test('what was committed nowhere can be put back to that', async () => {
    await topicWith('fresh', 2, 4)
    await commit('halfway', 'fresh', [2])
    const done = await run('reset', 'halfway', '--topic', 'fresh', '--to', 'latest', '--yes')
    expect(rowsOf(done)).toEqual([
      ['fresh', '0', '2', '4', '0', ''],
      ['fresh', '1', '', '4', '0', ''],
    ])
    const undo = /to undo it: (.*)/.exec(done.stderr)?.[1]
    expect(undo).toContain('"offset":null')
    expect((await inShell(undo!)).code).toBe(0)
    expect(await offsetsOf('halfway')).toEqual([2])
  })

  test('on a terminal a person is asked, told of members, and gets what was shown', async () => {
    await topicWith('asked', 1, 10)
    await commit('asker', 'asked', [8])
    await members.join('asker', { topics: ['asked'] })
    const words = ['reset', 'asker', '--topic', 'asked', '--to', 'latest', '--no-color']
    const question = { after: 'Reset 1 partition of asker, 0 records again, 2 skipped? [y/N] ' }
    const no = await runOnTerminal(words, { ...question, text: 'n\r' })
    expect(no.code).toBe(1)
    expect(no.text).toContain('asked/0: 8 → 10, 2 records skipped\n')
    expect(no.text).toContain('asker has 1 member, which will go on from there\n')
    expect(no.text).toContain('spool groups reset: nothing was reset\n')
    const interrupted = await runOnTerminal(words, { ...question, text: '\x03' })
    expect(interrupted.code).toBe(130)
    expect(await offsetsOf('asker')).toEqual([8])
    await using command = onTerminal(spoolLine(['groups', ...words]), { url: broker.url })
    await command.until(({ stdout }) => stdout.includes(question.after))
    // What comes while the person thinks is not skipped.
    await using producer = client.producer({ topic: 'asked' })
    await producer.send({ value: 'late' })
    command.type('yes\r')
    const yes = await command.ended
    expect(yes.code).toBe(0)
    expect(yes.stdout.replaceAll('\r\n', '\n')).toMatch(/^asked +0 +8 +10 +0$/m)
    expect(await offsetsOf('asker')).toEqual([10])
  })

  test('a running group goes on from there, and what it commits of before is refused', async () => {
    await topicWith('running', 1, 10)
    const { memberId } = await members.join('runner', { topics: ['running'] })
    const { token } = await members.poll('runner', memberId)
    await members.poll('runner', memberId, { after: token, commit: token })
    expect((await run('reset', 'runner', '--to', '-3', '--yes')).stderr).toContain(
      '3 records again',
    )
    const path = `/v1/groups/runner/members/${memberId}/poll`
    const late = await members.ask('POST', path, { after: token, commit: token })
    expect(late).toMatchObject({ status: 409, document: { code: 'FENCED_MEMBER_EPOCH' } })
    expect((await members.poll('runner', memberId)).records.map(({ offset }) => offset)).toEqual([
      7, 8, 9,
    ])
  })

  test('words that contradict each other, and files that hold no offsets', async () => {
    await topicWith('worded', 2, 5)
    await commit('words', 'worded', [1, 1])
    const refused = async (...words: string[]) => {
      const { code, stderr } = await run('reset', 'words', ...words, '--yes')
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
    expect(await offsetsOf('words')).toEqual([1, 1])
  })

  test('a thousand partitions: the question stays short, the list is whole', async () => {
    await client.admin.createTopic({ name: 'wide', partitions: 1_000 })
    await commit(
      'wide',
      'wide',
      Array.from({ length: 1_000 }, () => 0),
    )
    const asked = await run('reset', 'wide', '--to', 'latest')
    expect(asked.stderr.split('\n').slice(19, 21)).toEqual([
      'wide/19: 0 → 0',
      'and 980 more partitions',
    ])
    const done = await run('reset', 'wide', '--to', 'latest', '--yes')
    expect(rowsOf(done)).toHaveLength(1_000)
    const undo = /to undo it: (.*)/.exec(done.stderr)?.[1]
    expect((await inShell(undo!)).code).toBe(0)
  })
})

describe('a reset of more partitions than one request may name', () => {
  const places = (offsets: readonly number[]) =>
    offsets.map((offset, partition) => ({ topic: 'broad', partition, offset }))

  test('goes in parts, whose answers are one that undoes all; a failure says what is done', async () => {
    await topicWith('broad', 10, 4)
    await commit('broad', 'broad', Array(10).fill(3))
    const to = { offsets: places(Array(10).fill(1)) }
    const preview = await resetInParts(client, 'broad', { to, dryRun: true }, 3)
    expect(preview.to).toEqual(to.offsets)
    expect(await offsetsOf('broad')).toEqual(Array(10).fill(3))
    const done = await resetInParts(client, 'broad', { to }, 3)
    expect(done).toMatchObject({ groupId: 'broad', dryRun: false, recordsAgain: 20 })
    expect(done.partitions).toHaveLength(10)
    expect(done.from).toEqual(places(Array(10).fill(3)))
    expect(await offsetsOf('broad')).toEqual(Array(10).fill(1))
    await resetInParts(client, 'broad', { to: { offsets: done.from } }, 4)
    expect(await offsetsOf('broad')).toEqual(Array(10).fill(3))
    // There is no partition 10.
    const beyond = { offsets: places(Array(11).fill(2)) }
    const failed = await resetInParts(client, 'broad', { to: beyond }, 5).catch((error) => error)
    expect(failed).toBeInstanceOf(PartlyReset)
    expect(failed.cause).toBeInstanceOf(SpoolError)
    expect(failed.done.from).toEqual(places(Array(10).fill(3)))
    expect(await offsetsOf('broad')).toEqual(Array(10).fill(2))
  })

  test('also from a file, which the broker refuses as a whole at the first part', async () => {
    const file = join(directory, 'broad.json')
    writeFileSync(file, JSON.stringify(places(Array(10_001).fill(1))))
    const ended = await run('reset', 'broad', '--offsets', file, '--yes')
    expect(ended.code).toBe(7)
    expect(ended.stderr).not.toContain('10000')
    expect(await offsetsOf('broad')).toEqual(Array(10).fill(2))
  })
})

describe('delete', () => {
  test('where nobody can be asked it needs --yes, and says what goes', async () => {
    await topicWith('gone', 2, 5)
    await commit('doomed', 'gone', [1, 5])
    const asked = await run('delete', 'doomed')
    expect(asked.code).toBe(2)
    expect(asked.stderr).toMatch(
      /^doomed: offsets committed in 2 partitions of 1 topic; 4 records behind in 1 of 2 partitions, at most .*$/m,
    )
    expect(await run('delete', 'doomed', '--yes')).toMatchObject({
      code: 0,
      stdout: 'deleted doomed\n',
      stderr: '',
    })
    expect((await run('describe', 'doomed')).code).toBe(7)
  })

  test('members, or a name that is not there, stop the whole', async () => {
    await topicWith('kept', 1, 0)
    await commit('kept', 'kept', [0])
    await members.join('busy', { topics: ['kept'] })
    expect(await run('delete', 'kept', 'busy', '--yes')).toMatchObject({
      code: 1,
      stderr:
        'spool groups delete: busy has 1 member: end them first\n  see who they are with: spool groups describe busy\n',
    })
    expect(await run('delete', 'kept', 'missing', '--yes')).toMatchObject({
      code: 7,
      stderr:
        'spool groups delete: there is no group missing\n  see what there is with: spool groups list; if that is fine: --if-exists\n',
    })
    const fine = await run('delete', 'missing', 'kept', '--if-exists', '--yes', '--json')
    expect(JSON.parse(fine.stdout)).toEqual({ deleted: ['kept'] })
  })

  test.each(['groups', 'topics'])(
    '%s: where it fails midway, --json says what is deleted all the same',
    async (noun) => {
      const deleted: string[] = []
      // A broker whose disk fails between the two.
      const server = createServer(({ method, url }, response) => {
        const name = url!.split('/').at(-1)!
        const group = { groupId: name, state: 'empty', members: [], offsets: [] }
        const topic = { name, partitions: [] }
        if (method !== 'DELETE') {
          response.setHeader('content-type', 'application/json')
          return response.end(JSON.stringify({ ...group, ...topic }))
        }
        if (name === 'second') {
          const problem = { code: 'KAFKA_STORAGE_ERROR', detail: 'the disk failed' }
          const type = { 'content-type': 'application/problem+json' }
          return response.writeHead(503, type).end(JSON.stringify(problem))
        }
        deleted.push(name)
        return response.writeHead(204).end()
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const words = [noun, 'delete', 'first', 'second', 'third', '--yes', '--json']
      const ended = await spool(words, { url: `http://127.0.0.1:${port}` })
      server.closeAllConnections()
      server.close()
      expect(deleted).toEqual(['first'])
      expect(ended.code).not.toBe(0)
      expect(JSON.parse(ended.stdout)).toEqual({ deleted: ['first'] })
      expect(ended.stderr).toContain('the disk failed')
    },
  )

  test('on a terminal a person is asked', async () => {
    await topicWith('askable', 1, 2)
    await commit('askable', 'askable', [2])
    const question = { after: 'Delete group askable? [y/N] ' }
    const no = await runOnTerminal(['delete', 'askable'], { ...question, text: '\r' })
    expect(no.code).toBe(1)
    expect(no.text).toContain(
      'askable: offsets committed in 1 partition of 1 topic; at the end of 1 partition\n',
    )
    const yes = await runOnTerminal(['delete', 'askable'], { ...question, text: 'y\r' })
    expect(yes.code).toBe(0)
    expect((await run('describe', 'askable')).code).toBe(7)
  })
})
