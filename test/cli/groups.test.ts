/** `spool groups list` and `describe` against a real broker: what is shown of groups where: a terminal, a pipe, JSON. */

import { describe, expect, test } from 'vitest'
import { startBroker } from '../../broker/testing.ts'
import { numbersWord, partitionsWord } from '../../cli/groups/words.ts'
import { GroupClient } from '../broker/http/groups/group-client.ts'
import { spool } from '../rigs/spool-command.ts'
import { CommandSuite } from './command-suite.ts'
import { commit, rowsOf, topicWith } from './groups-rig.ts'

const suite = CommandSuite.serve('groups')
/** Who is a member, as any program may be. */
const members = () => new GroupClient(suite.broker.url)

describe('list and describe', () => {
  test('in a pipe: tabs, and every row says what it is', async () => {
    await topicWith(suite.client, 'seen', 3, 10)
    await commit(suite.client, 'watchers', 'seen', [4, 10, 0])
    const { memberId } = await members().join('watchers', { topics: ['seen'], clientId: 'me' })
    const listed = rowsOf(await suite.run('list'))
    expect(listed).toContainEqual(['watchers', 'stable', '1', expect.any(String)])
    const described = rowsOf(await suite.run('describe', 'watchers'))
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
    await topicWith(suite.client, 'shown', 2, 1_500)
    await commit(suite.client, 'readers', 'shown', [1_500, 60])
    const list = await suite.runOnTerminal(['list', '--no-color'])
    expect(list.text).toMatch(/^GROUP +STATE +MEMBERS +EPOCH$/m)
    expect(list.text).toMatch(/^readers +empty +0 +\d+$/m)
    const { text } = await suite.runOnTerminal(['describe', 'readers', '--no-color'])
    expect(text).toMatch(/readers {2}empty, 0 members, \w+ assignor, epoch \d+/)
    expect(text).toMatch(/^TOPIC +PARTITION +COMMITTED +END +LAG +BEHIND +MEMBER$/m)
    expect(text).toMatch(/^shown +0 +1,500 +1,500 +0 +0\.0 s +-$/m)
    expect(text).toMatch(/^shown +1 +60 +1,500 +1,440 +[\d,]+ d \d+ h +-$/m)
    expect(text).toMatch(/^1,440 records behind in 1 of 2 partitions, at most [\d,]+ d \d+ h$/m)
    const { memberId } = await members().join('readers', { topics: ['shown'], clientId: 'app' })
    const running = await suite.runOnTerminal(['describe', 'readers', '--no-color'])
    expect(running.text).toMatch(
      new RegExp(`^${memberId} +app +127\\.0\\.0\\.1 +\\d+ +shown 0-1$`, 'm'),
    )
    expect(running.text).toMatch(new RegExp(`^shown +0 .* ${memberId.slice(0, 8)}$`, 'm'))
  })

  test('as JSON: the documents of the HTTP interface', async () => {
    await topicWith(suite.client, 'documented', 1, 3)
    await commit(suite.client, 'documents', 'documented', [3])
    const described = JSON.parse((await suite.run('describe', 'documents', '--json')).stdout)
    expect(described).toEqual(await suite.client.admin.describeGroup('documents'))
    const { groups } = JSON.parse((await suite.run('list', '--json')).stdout)
    expect(groups).toContainEqual(
      expect.objectContaining({ groupId: 'documents', state: 'empty', members: 0 }),
    )
  })

  test('a group that is not there: exit code 7 and where to look; no groups at all: how one begins', async () => {
    for (const verb of [
      ['describe', 'nobody'],
      ['reset', 'nobody', '--to', 'earliest', '--yes'],
    ]) {
      expect(await suite.run(...verb)).toMatchObject({
        code: 7,
        stderr: `spool groups ${verb[0]}: there is no group nobody\n  see what there is with: spool groups list\n`,
      })
    }
    const json = await suite.run('describe', 'nobody', '--json')
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
    await topicWith(suite.client, 'odd', 1, 2)
    const name = "it's a/group? ü"
    await commit(suite.client, name, 'odd', [1])
    expect((await suite.run('describe', name)).code).toBe(0)
    const { stderr } = await suite.run('reset', name, '--to', 'latest', '--yes')
    expect(stderr).toContain(
      `to undo it: spool groups reset 'it'\\''s a/group? ü' --topic odd --to 0:1 --yes\n`,
    )
    const refused = await suite.run('describe', '\x1b[2J')
    expect(refused.code).toBe(2)
    expect(refused.stderr).not.toContain('\x1b')
  })

  test('partitions in words', () => {
    expect(numbersWord([5, 0, 2, 1, 9, 8])).toBe('0-2,5,8-9')
    const places = [3, 0, 1].map((partition) => ({ topic: 'b', partition }))
    expect(partitionsWord([...places, { topic: 'a', partition: 7 }])).toBe('a 7; b 0-1,3')
  })
})
