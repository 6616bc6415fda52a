/** `npm run bench` says what it can be asked for, and in one line what it can not. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parseCommand, SCENARIOS, scenarioOf } from '../../bench/command-line.ts'

const MAIN = join(import.meta.dirname, '../../bench/main.ts')
const run = promisify(execFile)

test('--help names every scenario with its sentence, and every option', async () => {
  const { stdout, stderr } = await run(process.execPath, [MAIN, '--help'])
  expect(stderr).toBe('')
  for (const name of SCENARIOS) {
    const { sentence, name: own } = await scenarioOf(name)
    expect(own).toBe(name)
    expect(stdout).toContain(sentence)
  }
  for (const option of ['seconds', 'rounds', 'scale', 'trial', 'dir', 'json', 'help']) {
    expect(stdout).toContain(`--${option} `.trimEnd())
  }
})

test.each([
  ['--fast', /^Unknown option '--fast'; --help says what there is\n$/],
  ['--seconds=soon', /^--seconds is "soon", not a number above 0\n$/],
  ['--scale=0', /^--scale is "0", not a number above 0\n$/],
  ['everything', /^no such scenario: everything; there are disk, .*compaction\n$/],
])('%s is refused in one line', async (word, sentence) => {
  const failure = await run(process.execPath, [MAIN, word]).catch((error) => error)
  expect(failure.code).toBe(2)
  expect(failure.stderr).toMatch(sentence)
  expect(failure.stdout).toBe('')
})

test('without words everything is run, five seconds and three rounds each', () => {
  expect(parseCommand([])).toMatchObject({
    scenarios: SCENARIOS,
    seconds: 5,
    rounds: 3,
    scale: 1,
    trial: '',
    isHelp: false,
  })
  expect(parseCommand(['disk', '--rounds', '1'])).toMatchObject({ scenarios: ['disk'], rounds: 1 })
})
