/**
 * `docs/cli.md`: every verb with its help, kcat's letters, positions, exit codes. Made from the declared
 * program and the tables, so that the page can not lie.
 */

import type { Command } from 'commander'
import { exitCodeRows } from './exit-codes.ts'
import { KCAT_LETTERS } from './kcat-letters.ts'
import { buildProgram, commandsOf } from './program.ts'
import { GLOBAL_GROUP, nameOf } from './verb.ts'

/** Has a page of its own, `docs/configuration.md`. */
const SERVE = 'serve'
/** Of the help texts, whatever terminal the page is made in. */
const PAGE_COLUMNS = 100

/** The whole of `docs/cli.md`. */
export function cliPage(): string {
  const program = buildProgram({ columns: PAGE_COLUMNS })
  const verbs = commandsOf(program).filter(
    (command) => command.commands.length === 0 && command.name() !== 'help',
  )
  return `${[
    INTRODUCTION,
    verbList(verbs),
    ENVIRONMENT,
    globalOptions(program),
    OUTPUT,
    exitCodes(),
    POSITIONS,
    kcatTable(),
    ...verbs.filter((verb) => nameOf(verb) !== SERVE).map(verbSection),
  ].join('\n\n')}\n`
}

const INTRODUCTION = `# The command line

<!-- Made by \`npm run docs\` from the program itself: change that. -->

\`\`\`
$ spool serve                                        # a broker here, its data in ./spool-data
$ spool topics create access --partitions 4
$ spool produce access --from-file access.ndjson --key-from /user
$ spool consume access -o -10 -e                     # the last ten records of each partition
$ spool consume access -f '%p/%o %k %s\\n'            # go on as records come
$ spool cat access/0/17                              # one value, byte for byte
$ spool consume -G billing access                    # a worker: run it several times, they share the work
$ spool groups describe billing                      # who has what, and how far behind
$ spool groups reset billing --to -PT1H              # back by an hour, while they run
$ spool replay access --from -PT1H --into test       # the last hour once more, elsewhere
\`\`\``

function verbList(verbs: readonly Command[]): string {
  const rows = verbs.map((verb) => {
    const name = nameOf(verb)
    const target = name === SERVE ? 'configuration.md' : `#spool-${name.replaceAll(' ', '-')}`
    return `| [\`spool ${name}\`](${target}) | ${cell(verb.description())} |`
  })
  return ['| verb | |', '|---|---|', ...rows].join('\n')
}

const ENVIRONMENT = `## Which broker

\`--url\` (\`-b\`) or \`SPOOL_URL\` names the broker, as \`http://127.0.0.1:7766\` or \`host:port\`; without either it is the
one on this machine. A broker that wants a token gets it from the file that \`--token-file\` or \`SPOOL_TOKEN_FILE\`
names; the token itself is never given on the command line, where every user of the machine can read it.

Completion of verbs, options, settings and the names of topics and groups:

\`\`\`
$ source <(spool completion bash)                    # in ~/.bashrc, to have it always
$ source <(spool completion zsh)                     # in ~/.zshrc, after compinit
$ spool completion fish > ~/.config/fish/completions/spool.fish
\`\`\``

const OUTPUT = `## What is printed

Results go to stdout, remarks and errors to stderr. On a terminal results are tables; elsewhere the same values
separated by tabs, one row a line and without a head, numbers as they are. With \`--json\` every verb prints JSON, and
errors are problem documents on stderr: \`code\` is the name of the error, \`detail\` the sentence, \`retriable\` says
whether the same command may work later, \`nextStep\` what to do.

Names, keys and values in tables have their control characters escaped: nothing that was stored moves the cursor of a
terminal. \`consume\` and \`cat\` print bytes as they are stored. A reader that leaves (\`| head\`) is an end, not an error.`

function exitCodes(): string {
  const rows = new Map([...exitCodeRows('serve'), ...exitCodeRows('others')])
  const sorted = [...rows].sort(([one], [other]) => one - other)
  return [
    '## Exit codes',
    '',
    '| code | |',
    '|---|---|',
    ...sorted.map(([code, meaning]) => `| ${code} | ${cell(meaning)} |`),
    '',
    '3, 4 and 5 are of `spool serve` only. After Ctrl-C a program ends by the signal itself, as a shell expects; a shell',
    'shows that as 130, and SIGTERM as 143.',
  ].join('\n')
}

const POSITIONS = `## Positions

One grammar for \`-o\`, \`--from\`, \`--to\`, \`--until\`, \`--at\` and \`--before\`, the same as in the HTTP interface, and kcat's words for the same things.

| position | is |
|---|---|
| \`earliest\`, \`beginning\` | the first record kept |
| \`latest\`, \`end\` | the end: what comes after |
| \`1500\` | an offset, of one partition |
| \`0:1500,1:1742\` | an offset for each partition (not with \`--at\` and \`--before\`) |
| \`-10\` | the last ten records of each partition |
| \`@1735689600000\`, \`s@1735689600000\` | a time, in milliseconds since 1970 |
| \`2025-01-01T00:00:00Z\`, \`2025-01-01T00:00+02:00\` | a time |
| \`-PT1H\`, \`-P7D\` | that long ago |
| \`e@1735689600000\` | with \`-o\`: the end, not the beginning |

A time means the first record whose timestamp is at or after it.`

function kcatTable(): string {
  const rows = KCAT_LETTERS.map(({ letter, means, here }) => {
    return `| \`${letter}\` | ${cell(means)} | ${cell(here)} |`
  })
  return ["## kcat's letters", '', '| kcat | means | here |', '|---|---|---|', ...rows].join('\n')
}

function verbSection(verb: Command): string {
  return [`## spool ${nameOf(verb)}`, '', '```', withoutGlobalOptions(helpOf(verb)), '```'].join(
    '\n',
  )
}

/** What `--help` prints. */
export function helpOf(verb: Command): string {
  let text = ''
  const writeOut = (part: string) => {
    text += part
  }
  verb.configureOutput({ writeOut, getOutHasColors: () => false }).outputHelp()
  return text.trim()
}

/** They are the same for every verb, and said once. */
const GLOBAL_OPTIONS = new RegExp(`^${GLOBAL_GROUP}\\n(?:  .*(?:\\n|$))+`, 'm')

function withoutGlobalOptions(help: string): string {
  return help.replace(GLOBAL_OPTIONS, '').replaceAll(/\n{3,}/g, '\n\n')
}

function globalOptions(program: Command): string {
  const found = GLOBAL_OPTIONS.exec(helpOf(program))?.[0] ?? ''
  return [
    '## Options of every verb',
    '',
    '```',
    found.split('\n').slice(1).join('\n').trimEnd(),
    '```',
  ].join('\n')
}

/** A table cell must not hold the character that ends it. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
