/**
 * Completion: what `spool` offers for words typed so far, and that real shells put it on the line. A shell
 * that is not installed is named and passed over; bash always is.
 */

import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { candidates } from '../../cli/completion/candidates.ts'
import { shellWords } from '../../cli/completion/shell-words.ts'
import { buildProgram } from '../../cli/program.ts'
import { connect } from '../../client/index.ts'
import { onTerminal, spool, spoolEnvironment, spoolLine } from '../rigs/spool-command.ts'

let broker: TestBroker
let directory: string
beforeAll(async () => {
  broker = await startBroker()
  await using client = connect(broker.url)
  for (const name of ['access', 'clicks']) await client.admin.createTopic({ name })
  directory = mkdtempSync(join(tmpdir(), 'spool-completion-'))
  // What is on the PATH of a person who installed it.
  writeFileSync(join(directory, 'spool'), `#!/bin/sh\nexec ${spoolLine([])} "$@"\n`)
  chmodSync(join(directory, 'spool'), 0o755)
  writeFileSync(join(directory, 'config of mine.yaml'), '')
})
afterAll(async () => {
  rmSync(directory, { recursive: true })
  await broker[Symbol.asyncDispose]()
})

async function offered(...words: string[]): Promise<string[]> {
  const found = await candidates(buildProgram(), words, {
    topicNames: async () => ['access', 'clicks'],
    groupNames: async () => ['billing', 'mail'],
  })
  return found.map(({ word }) => word)
}

describe('what is offered', () => {
  test('verbs, and those of a verb', async () => {
    expect(await offered('')).toEqual([
      'produce',
      'consume',
      'cat',
      'replay',
      'topics',
      'offsets',
      'groups',
      'serve',
      'log',
      'completion',
    ])
    expect(await offered('topics', 'd')).toEqual(['describe', 'delete'])
    expect(await offered('help', 'topics', 'cr')).toEqual(['create'])
    expect(await offered('nonsense', '')).toEqual([])
  })

  test('options, the global ones too, after whatever stands before them', async () => {
    expect(await offered('consume', 'access', '-e', '--c')).toEqual(['--count', '--contains'])
    expect(await offered('consume', '-ep0', '--tok')).toEqual(['--token-file'])
    expect(await offered('topics', 'create', 'x', '-p', '4', '--i')).toEqual(['--if-not-exists'])
    expect(await offered('topics', 'create', '--', '--i')).toEqual([])
    expect(await offered('--ur')).toEqual(['--url'])
    expect(await offered('offsets', '--')).toContain('--help')
  })

  test('values of options: choices, positions, settings and theirs, files, topics', async () => {
    expect(await offered('consume', 'access', '--as', '')).toEqual(['auto', 'json', 'base64'])
    expect(await offered('consume', 'access', '--as=b')).toEqual(['--as=base64'])
    expect(await offered('consume', 'access', '-o', 'e')).toEqual(['earliest', 'end'])
    expect(await offered('topics', 'trim', 'access', '--before', '-P')).toEqual(['-PT1H'])
    expect(await offered('topics', 'create', 'x', '-c', 'segment.')).toEqual([
      'segment.bytes=',
      'segment.ms=',
    ])
    expect(await offered('topics', 'create', 'x', '-c', 'cleanup.policy=d')).toEqual([
      'cleanup.policy=delete',
    ])
    expect(await offered('topics', 'alter', 'x', '--unset', 'retention.m')).toEqual([
      'retention.ms',
    ])
    expect(await offered('topics', 'list', '--token-file', '')).toEqual(['<file>'])
    expect(await offered('consume', '-t', 'a')).toEqual(['access'])
    expect(await offered('replay', 'access', '--into', '')).toEqual(['access', 'clicks'])
    expect(await offered('replay', 'access', '--from', 'ea')).toEqual(['earliest'])
    expect(await offered('consume', 'access', '-c', '')).toEqual([])
  })

  test('arguments: topics, each once, shells, files', async () => {
    expect(await offered('consume', '')).toEqual(['access', 'clicks'])
    expect(await offered('consume', '-G', 'b')).toEqual(['billing'])
    expect(await offered('consume', '-G', 'billing', 'access', '')).toEqual(['clicks'])
    expect(await offered('topics', 'delete', 'access', '')).toEqual(['clicks'])
    expect(await offered('groups', 'describe', 'b')).toEqual(['billing'])
    expect(await offered('groups', 'delete', 'mail', '')).toEqual(['billing'])
    expect(await offered('groups', 'reset', 'mail', '--topic', 'c')).toEqual(['clicks'])
    expect(await offered('topics', 'describe', 'access', '')).toEqual([])
    expect(await offered('completion', 'z')).toEqual(['zsh'])
    expect(await offered('log', 'dump', '')).toEqual(['<file>'])
    // A new topic has a name that nobody knows yet.
    expect(await offered('topics', 'create', '')).toEqual([])
  })

  test('flags of serve, from the tables of settings', async () => {
    expect(await offered('serve', '--data')).toEqual(['--data-dir'])
    expect(await offered('serve', '--log-level', 'w')).toEqual(['warn'])
    expect(await offered('serve', '--insecure', '--config', '')).toEqual(['<file>'])
  })
})

test('a line becomes the words a shell would make of it', () => {
  expect(shellWords('spool ')).toEqual(['spool', ''])
  expect(shellWords(`spool consume -f '%p %s' acc`)).toEqual([
    'spool',
    'consume',
    '-f',
    '%p %s',
    'acc',
  ])
  expect(shellWords('cat x | spool topics de')).toEqual(['spool', 'topics', 'de'])
  expect(shellWords('spool cat "a b')).toEqual(['spool', 'cat', 'a b'])
  expect(shellWords(String.raw`spool cat a\ b "c\"d" ''`)).toEqual([
    'spool',
    'cat',
    'a b',
    'c"d',
    '',
  ])
  expect(shellWords('true && spool x\\')).toEqual(['spool', 'x'])
})

describe('asked by a shell', () => {
  test('topics come from the broker that the line or the environment names', async () => {
    const line = (text: string) => ['__complete', '--line', text]
    const [byEnvironment, byOption, words] = await Promise.all([
      spool(line('spool consume '), { url: broker.url }),
      spool(line(`spool consume -b 127.0.0.1:${broker.port} `)),
      spool(['__complete', '--', 'offsets', 'c'], { url: broker.url }),
    ])
    for (const { stdout } of [byEnvironment, byOption]) {
      expect(stdout).toBe('access\ttopic\nclicks\ttopic\n')
    }
    expect(words.stdout).toBe('clicks\ttopic\n')
  })

  test('it is silent and successful whatever is wrong', async () => {
    const cases: readonly (readonly [string[], string])[] = [
      [['--line', 'spool consume '], 'http://127.0.0.1:1'],
      [['--line', 'spool consume '], 'not an address'],
      [['--line', 'spool consume --token-file /nonexistent '], broker.url],
      [['--line'], broker.url],
      [[], broker.url],
    ]
    for (const [words, url] of cases) {
      const { code, stderr } = await spool(['__complete', ...words], { url })
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    }
  })
})

/** What is typed, a tab at its end being pressed, and what then stands on the line. */
const TYPED: readonly (readonly [typed: string, line: string])[] = [
  ['spool topics des\t', 'spool topics describe '],
  ['spool topics describe cl\t', 'spool topics describe clicks '],
  ['spool consume acc\t', 'spool consume access '],
  ['spool consume access --unt\t', 'spool consume access --until '],
  ['spool consume access --as=b\t', 'spool consume access --as=base64 '],
  ["spool consume -f '%p %s' cl\t", "spool consume -f '%p %s' clicks "],
  [
    'spool topics create x -c message.timestamp.t\t',
    'spool topics create x -c message.timestamp.type=',
  ],
  [
    'spool topics create x -c cleanup.policy=d\t',
    'spool topics create x -c cleanup.policy=delete ',
  ],
  ['spool log dump conf\t', 'spool log dump config\\ of\\ mine.yaml '],
  ['spool serve --config=conf\t', 'spool serve --config=config\\ of\\ mine.yaml '],
  ['true | spool offsets a\t', 'true | spool offsets access '],
]

/** An interactive shell without anybody's settings, and the lines that teach it our words and a key (Ctrl-T) that notes the line. */
const SHELLS = {
  bash: {
    command: 'bash --norc --noprofile -i',
    lines: [
      'source <(spool completion bash)',
      `bind -x '"\\C-t": printf "%s\\n" "$READLINE_LINE" >> noted'`,
    ],
  },
  zsh: {
    command: 'zsh -f -i',
    lines: [
      'autoload -Uz compinit && compinit -u -D',
      'source <(spool completion zsh)',
      'note() { print -r -- "$BUFFER" >> noted }',
      'zle -N note',
      `bindkey '^T' note`,
    ],
  },
} as const

/** Why a shell can not be tested here, or nothing. */
function absent(shell: string): string | undefined {
  try {
    execFileSync('sh', ['-c', `command -v ${shell}`], { stdio: 'ignore' })
    return undefined
  } catch {
    return `${shell} is not installed`
  }
}

describe('real shells', () => {
  test.for(['bash', 'zsh'] as const)('%s puts it on the line', async (shell, context) => {
    const { command, lines } = SHELLS[shell]
    const reason = absent(shell)
    if (reason !== undefined) context.skip(reason)
    const noted = join(directory, 'noted')
    writeFileSync(noted, '')
    const environment = { PATH: `${directory}:${process.env.PATH}`, TERM: 'dumb', HOME: directory }
    await using session = onTerminal(`cd ${directory}; stty cols 500; exec ${command}`, {
      url: broker.url,
      environment,
    })
    // A prompt means that the shell, and not the terminal, takes what is typed. Its word is put together
    // by the shell, so that it is not seen before.
    session.type(`${[...lines, `PS1=pro''mpt`].join('; ')}\r`)
    await session.until(({ stdout }) => stdout.includes('prompt'))
    for (const [at, [typed, line]] of TYPED.entries()) {
      // Ctrl-U forgets the line.
      session.type(`${typed}\x14\x15`)
      await waitUntil(() => linesOf(noted).length > at)
      expect(linesOf(noted)[at]).toBe(line)
    }
  })

  test('fish is offered the same, with what each is', async (context) => {
    const reason = absent('fish')
    if (reason !== undefined) context.skip(reason)
    const ask = async (line: string) => {
      const script = `spool completion fish | source; complete -C${JSON.stringify(line)}`
      const env = {
        ...spoolEnvironment({ url: broker.url }),
        PATH: `${directory}:${process.env.PATH}`,
        HOME: directory,
      }
      const words = ['--no-config', '-c', script]
      return (await promisify(execFile)('fish', words, { env, cwd: directory })).stdout
    }
    expect(await ask('spool topics desc')).toBe(
      'describe\tshow settings, partitions and offsets of a topic\n',
    )
    expect(await ask("spool consume -f '%p %s' cl")).toBe('clicks\ttopic\n')
    expect((await ask('spool topics create x -c cleanup.policy=')).split('\n').sort()).toEqual([
      '',
      'cleanup.policy=compact',
      'cleanup.policy=compact,delete',
      'cleanup.policy=delete',
    ])
    expect(await ask('spool log dump conf')).toContain('config of mine.yaml')
    expect(await ask('spool serve --config=conf')).toContain('--config=config of mine.yaml')
  })
})

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1)
}

async function waitUntil(isSo: () => boolean): Promise<void> {
  const until = Date.now() + WAIT_MS_MAX
  while (!isSo()) {
    if (Date.now() > until) throw new Error('not in time')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Generous: a busy machine is no failure. */
const WAIT_MS_MAX = 30_000
