/**
 * What a person finds who does not know the command: help of every verb, and what is said to words that are
 * none. The help is asked of the declared program, its sentences of the process.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cliPage, helpOf } from '../../cli/cli-page.ts'
import { buildProgram, commandsOf } from '../../cli/program.ts'
import { nameOf } from '../../cli/verb.ts'
import { onTerminal, spool, spoolLine } from '../rigs/spool-command.ts'

/** `serve` has a help of its own, from the tables of settings. */
const verbs = commandsOf(buildProgram({ columns: 100 })).filter(
  (command) => command.commands.length === 0 && !['serve', 'help'].includes(command.name()),
)

describe('help', () => {
  test('there is every verb', () => {
    expect(verbs.map(nameOf).sort()).toEqual(
      [
        'cat',
        'completion',
        'consume',
        'groups delete',
        'groups describe',
        'groups list',
        'groups reset',
        'log dump',
        'offsets',
        'produce',
        'replay',
        'topics alter',
        'topics create',
        'topics delete',
        'topics describe',
        'topics list',
        'topics trim',
      ].sort(),
    )
  })

  test.each(verbs.map((verb): [string, typeof verb] => [nameOf(verb), verb]))(
    '%s: each option and argument with a sentence, and lines that fit a terminal',
    (_name, verb) => {
      const help = helpOf(verb)
      for (const option of verb.options.filter(({ hidden }) => !hidden)) {
        expect(help).toContain(option.flags)
        expect(option.description).not.toBe('')
      }
      for (const argument of verb.registeredArguments) {
        expect(argument.description, argument.name()).not.toBe('')
      }
      const examples = help.split('\n').filter((line) => line.startsWith('  $ '))
      for (const line of help.split('\n')) {
        if (!examples.includes(line)) expect(line.length, line).toBeLessThanOrEqual(105)
      }
    },
  )

  test.each(verbs.map((verb): [string, typeof verb] => [nameOf(verb), verb]))(
    '%s: an example, with options it has',
    (name, verb) => {
      const lines = helpOf(verb).split('\n')
      const examples = lines.filter(
        (line) => line.startsWith('  $ ') && line.includes(`spool ${name}`),
      )
      expect(examples.length).toBeGreaterThan(0)
      const flags = examples.flatMap((line) => line.replace(/#.*/, '').match(/ (--[a-z-]+)/g) ?? [])
      for (const flag of flags) {
        expect(verb.options.map(({ long }) => long)).toContain(flag.trim())
      }
    },
  )

  test('each way of asking for it gives the same, on stdout, with exit code 0', async () => {
    const [long, short, verb, before] = await Promise.all([
      spool(['topics', 'create', '--help']),
      spool(['topics', 'create', '-h']),
      spool(['help', 'topics', 'create']),
      spool(['topics', 'help', 'create']),
    ])
    expect(long.code).toBe(0)
    expect(long.stderr).toBe('')
    expect(long.stdout).toContain('Usage: spool topics create [options] <name>')
    for (const other of [short, verb, before]) {
      expect(other).toEqual(long)
    }
  })

  test('without a verb it goes to stderr, with the exit codes in it and exit code 2', async () => {
    const [nothing, group] = await Promise.all([spool([]), spool(['topics'])])
    expect(nothing).toMatchObject({ code: 2, stdout: '' })
    for (const code of [0, 1, 2, 6, 7, 8, 9, 10, 130]) {
      expect(nothing.stderr).toMatch(new RegExp(`^ +${code}  \\S`, 'm'))
    }
    expect(group).toMatchObject({ code: 2, stdout: '' })
    expect(group.stderr).toContain('describe')
  })

  test('a terminal that does not know its size gets help that can be read', async () => {
    await using asked = onTerminal(`stty cols 0 rows 0; ${spoolLine(['topics', 'trim', '--help'])}`)
    const { code, stdout } = await asked.ended
    expect(code).toBe(0)
    expect(stdout).toContain('records before this go; the one there stays')
  })

  test('the version is that of the package', async () => {
    const manifest = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
    )
    expect((await spool(['--version'])).stdout).toBe(`${manifest.version}\n`)
  })

  test('docs/cli.md is what `npm run docs` writes', () => {
    const path = join(import.meta.dirname, '../../docs/cli.md')
    expect(readFileSync(path, 'utf8')).toBe(cliPage())
  })
})

/** Words, and the sentence that answers them. */
const MISUNDERSTOOD: readonly (readonly [string, string])[] = [
  ['topix', 'spool: there is no command "topix": did you mean topic?'],
  ['consum access', 'spool: there is no command "consum": did you mean consume?'],
  ['help nonsense', 'spool: there is no command "nonsense"'],
  ['help topics creat', 'spool topics: there is no command "creat": did you mean create?'],
  ['topics delet x', 'spool topics: there is no command "delet": did you mean delete?'],
  ['topics create', 'spool topics create: <name> is missing'],
  ['topics create a b', 'spool topics create: takes one argument, not: a, b'],
  ['topics list x', 'spool topics list: takes no argument, not: x'],
  [
    'topics create a --partition 3',
    'spool topics create: there is no option --partition: did you mean --partitions?',
  ],
  [
    'topics create a -p 0',
    'spool topics create: --partitions "0": expected an integer of at least 1',
  ],
  [
    'topics create a -c retention.ms',
    'spool topics create: --config "retention.ms": expected key=value, such as retention.ms=86400000',
  ],
  ['topics create a -c x=1 -c x=2', 'spool topics create: --config "x=2": x is given twice'],
  ['topics trim a --before 5', 'spool topics trim: --partition <numbers> must be given'],
  [
    'topics alter a',
    'spool topics alter: nothing to change: give --config key=value, --unset key or --partitions N',
  ],
  [
    'topics alter a -c retention.ms=1 --unset retention.ms',
    'spool topics alter: --config sets retention.ms and --unset takes it back',
  ],
  ['topics list --url', 'spool topics list: --url needs a value: --url <url>'],
  [
    'topics list --timeout 5',
    'spool topics list: --timeout "5": expected a time with its unit, at most 1h: 500ms, 30s, 2m',
  ],
  [
    'topics list --url a:1,b:2',
    'spool topics list: option --url names several brokers: give one, any of them serves every request',
  ],
  ['completion tcsh', 'spool completion: shell "tcsh": expected one of bash, zsh, fish'],
  ['consume', 'spool consume: which topic? spool consume TOPIC'],
  ['consume a -t b', 'spool consume: two topics are given: a and -t b; one is read at a time'],
  [
    'consume a -J',
    "spool consume: there is no option -J; kcat's (JSON) is here: --json; the shape is that of the HTTP interface",
  ],
  [
    'consume a -p x',
    'spool consume: --partition "x": expected partition numbers: 0, or 0,3, or 0-3',
  ],
  [
    'consume a -o stored',
    'spool consume: -o stored: that is for a group (-G GROUP); say where to begin, such as -o earliest',
  ],
  [
    'consume a -e --follow',
    'spool consume: --follow goes on past the end and -e stops there: leave out one of them',
  ],
  [
    'consume a -f %x',
    'spool consume: -f "%x": %x is no token; there are %s %S %R %k %K %h %t %p %o %T and %%',
  ],
  ['replay', 'spool replay: <topic> is missing'],
  ['replay a b', 'spool replay: takes one argument, not: a, b'],
  [
    'replay a --rate fast',
    'spool replay: --rate "fast": expected so many records a second, minute or hour: 5000/s, 100/m',
  ],
  [
    'replay a --speed 0x',
    'spool replay: --speed "0x": expected a speed from 0.001x to 1000000x: 1x is as it was, 10x ten times as fast',
  ],
  [
    'replay a --rate 5 --speed 2',
    'spool replay: --rate and --speed each say how fast: leave out one of them',
  ],
  [
    'replay a --until 2025-01-01T00:00',
    'spool replay: --until "2025-01-01T00:00": a time needs its seconds and a zone: Z or +02:00 at the end',
  ],
  [
    'replay a --into b -f %s',
    'spool replay: -f is about printing, and --into prints no records: leave out one',
  ],
  ['groups delet x', 'spool groups: there is no command "delet": did you mean delete?'],
  ['groups describe', 'spool groups describe: <group> is missing'],
  [
    'groups describe ..',
    'spool groups describe: group "..": expected a name of 1 to 249 characters without control characters, neither "." nor ".."',
  ],
  [
    'groups reset g',
    'spool groups reset: where to? give --to POSITION, --shift RECORDS or --offsets FILE',
  ],
  [
    'groups reset g --to latest --shift 1',
    'spool groups reset: --to and --shift each say where to: leave out one of them',
  ],
  [
    'groups reset g --topic a --offsets -',
    'spool groups reset: --offsets names topics and partitions itself: leave out --topic',
  ],
  [
    'groups reset g --topic a:x --to latest',
    'spool groups reset: --topic "a:x": expected partition numbers: 0, or 0,3, or 0-3',
  ],
  ['groups reset g -t a -t a:1 --to latest', 'spool groups reset: --topic "a:1": a is given twice'],
  [
    'groups reset g --to 0:1,1:2',
    'spool groups reset: --to 0:1,1:2 is about partitions of one topic: name it with --topic',
  ],
  [
    'groups reset g -t a:1 --to 0:1,1:2',
    'spool groups reset: --to 0:1,1:2 names partitions itself: --topic a is enough',
  ],
  ['consume a --as json', 'spool consume: --as says how values become JSON: it needs --json'],
  [
    'cat access/0',
    'spool cat: "access/0" is no record: expected topic/partition/offset, such as access/0/17',
  ],
]

describe('words that are none', () => {
  test('each is answered by one sentence, the way to the help, and exit code 2; nothing is asked of a broker', async () => {
    // A broker that would answer nothing: asking it would take longer than the test has.
    const url = 'http://127.0.0.1:1'
    const answers = await inTurns(MISUNDERSTOOD, async ([words, sentence]) => {
      const { code, stdout, stderr } = await spool(words.split(' '), { url })
      const [first, second, ...rest] = stderr.split('\n')
      const verb = /^(spool[a-z ]*):/.exec(sentence)?.[1]
      expect({ code, stdout, first }).toEqual({ code: 2, stdout: '', first: sentence })
      expect(second).toBe(`  ${verb} --help shows what it takes`)
      expect(rest).toEqual([''])
      return code
    })
    expect(answers).toHaveLength(MISUNDERSTOOD.length)
  })

  test('what is for text does not go with --json', async () => {
    const { code, stderr } = await spool(['consume', 'a', '--json', '-Z'])
    expect(code).toBe(2)
    expect(JSON.parse(stderr).detail).toBe(
      '-Z is for text, and --json prints whole records as JSON',
    )
  })

  test('with --json it is a problem document, wherever --json stands', async () => {
    const lines = [
      ['--json', 'topics', 'create'],
      ['topics', '--json', 'create'],
      ['topics', 'create', '--json'],
    ]
    for (const { code, stdout, stderr } of await inTurns(lines, (words) => spool(words))) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(JSON.parse(stderr)).toEqual({
        verb: 'topics create',
        type: 'urn:spool:problem:USAGE',
        title: 'The command is not valid',
        code: 'USAGE',
        detail: '<name> is missing',
        retriable: false,
        nextStep: 'spool topics create --help shows what it takes',
      })
    }
  })

  test('names no topic can have are refused before a broker is asked, escaped on a terminal', async () => {
    const url = 'http://127.0.0.1:1'
    const names = ['a b', '..', '', 'a/b', 'ä', '\x1b[2J', '\u009b2J', 'x\ny', 'x'.repeat(250)]
    const verbsOfTopics = [
      ['topics', 'create'],
      ['topics', 'describe'],
      ['topics', 'delete', '--yes'],
      ['offsets'],
      ['consume'],
    ]
    const cases = names.flatMap((name, at) => [
      [...verbsOfTopics[at % verbsOfTopics.length]!, name],
    ])
    for (const { code, stderr } of await inTurns(cases, (words) => spool(words, { url }))) {
      expect(code, stderr).toBe(2)
      expect(stderr).toContain(
        'expected a name of 1 to 249 letters (a-z, A-Z), digits, ".", "_" and "-"',
      )
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
      expect(stderr.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
      expect(stderr.split('\n')).toHaveLength(3)
    }
  })
})

/** A few at a time: each is a process. */
async function inTurns<Case, Result>(
  cases: readonly Case[],
  run: (each: Case) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < cases.length; at += AT_ONCE) {
    results.push(...(await Promise.all(cases.slice(at, at + AT_ONCE).map(run))))
  }
  return results
}

const AT_ONCE = 4
