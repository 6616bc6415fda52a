/** `spool groups delete` against a real broker: nothing is deleted that was not meant, and it says what is. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { GroupClient } from '../broker/http/groups/group-client.ts'
import { spool } from '../rigs/spool-command.ts'
import { CommandSuite } from './command-suite.ts'
import { commit, topicWith } from './groups-rig.ts'

const suite = CommandSuite.serve('groups')
/** Who is a member, as any program may be. */
const members = () => new GroupClient(suite.broker.url)

describe('delete', () => {
  test('where nobody can be asked it needs --yes, and says what goes', async () => {
    await topicWith(suite.client, 'gone', 2, 5)
    await commit(suite.client, 'doomed', 'gone', [1, 5])
    const asked = await suite.run('delete', 'doomed')
    expect(asked.code).toBe(2)
    expect(asked.stderr).toMatch(
      /^doomed: offsets committed in 2 partitions of 1 topic; 4 records behind in 1 of 2 partitions, at most .*$/m,
    )
    expect(await suite.run('delete', 'doomed', '--yes')).toMatchObject({
      code: 0,
      stdout: 'deleted doomed\n',
      stderr: '',
    })
    expect((await suite.run('describe', 'doomed')).code).toBe(7)
  })

  test('members, or a name that is not there, stop the whole', async () => {
    await topicWith(suite.client, 'kept', 1, 0)
    await commit(suite.client, 'kept', 'kept', [0])
    await members().join('busy', { topics: ['kept'] })
    expect(await suite.run('delete', 'kept', 'busy', '--yes')).toMatchObject({
      code: 1,
      stderr:
        'spool groups delete: busy has 1 member: end them first\n  see who they are with: spool groups describe busy\n',
    })
    expect(await suite.run('delete', 'kept', 'missing', '--yes')).toMatchObject({
      code: 7,
      stderr:
        'spool groups delete: there is no group missing\n  see what there is with: spool groups list; if that is fine: --if-exists\n',
    })
    const fine = await suite.run('delete', 'missing', 'kept', '--if-exists', '--yes', '--json')
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
    await topicWith(suite.client, 'askable', 1, 2)
    await commit(suite.client, 'askable', 'askable', [2])
    const question = { after: 'Delete group askable? [y/N] ' }
    const no = await suite.runOnTerminal(['delete', 'askable'], { ...question, text: '\r' })
    expect(no.code).toBe(1)
    expect(no.text).toContain(
      'askable: offsets committed in 1 partition of 1 topic; at the end of 1 partition\n',
    )
    const yes = await suite.runOnTerminal(['delete', 'askable'], { ...question, text: 'y\r' })
    expect(yes.code).toBe(0)
    expect((await suite.run('describe', 'askable')).code).toBe(7)
  })
})
