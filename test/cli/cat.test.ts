/** `spool cat` against a real broker: one value exactly as it is stored, or why there is none. */

import { beforeAll, describe, expect, test } from 'vitest'
import { CommandSuite } from './command-suite.ts'
import { createKinds, send } from './consume-rig.ts'

const suite = CommandSuite.serve()
beforeAll(() => createKinds(suite.client))

describe('cat', () => {
  test('prints exactly the bytes of the value', async () => {
    const places = ['kinds/0/0', 'kinds/0/1', 'kinds/0/2', 'kinds/0/5']
    const ends = await Promise.all(places.map((place) => suite.run('cat', place)))
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
    expect(await suite.run('cat', 'kinds', '0', '3')).toMatchObject({
      code: 9,
      stdout: '',
      stderr: 'the value of kinds/0/3 is null\n',
    })
    const json = await suite.run('cat', 'kinds/0/3', '--json')
    expect(json).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(json.stdout)).toMatchObject({ offset: 3, key: '', value: null })
  })

  test('with -i what stands around the value, harmless for a terminal', async () => {
    await suite.client.admin.createTopic({ name: 'hostile' })
    await send(suite.client, 'hostile', [
      { key: '\x1b[2J', value: 'v', timestamp: 5, headers: [['a\nb', '\u009b1m']] },
    ])
    expect((await suite.run('cat', 'hostile/0/0', '-i')).stdout).toBe(
      'partition: 0\noffset: 0\ntimestamp: 5\nkey: \\u001b[2J\nheader a\\nb: \\u009b1m\n\nv',
    )
  })

  test('what is not there: not written yet, no longer kept, no such partition', async () => {
    await suite.client.admin.createTopic({ name: 'cut' })
    await send(suite.client, 'cut', [{ value: 'a' }, { value: 'b' }])
    await suite.client.admin.trim('cut', 0, 1)
    const cases: readonly (readonly [string, string])[] = [
      ['kinds/0/99', 'offset 99 is not written yet: kinds/0 has offsets from 0 to before 6\n'],
      ['cut/0/0', 'offset 0 is no longer kept: cut/0 has offsets from 1 to before 2\n'],
      ['kinds/2/0', 'kinds has no partition 2; it has 2 partitions, counted from 0\n'],
    ]
    for (const [place, sentence] of cases) {
      expect(await suite.run('cat', place)).toMatchObject({
        code: 7,
        stdout: '',
        stderr: `spool cat: ${sentence}`,
      })
    }
  })
})
