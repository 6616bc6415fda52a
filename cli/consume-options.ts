/** The words of `spool consume` and `spool cat`. Letters mean what they mean to kcat. */

import { type Command, Option } from 'commander'
import {
  each,
  groupName,
  integerFrom,
  partitionNumbers,
  topicName,
  topicNames,
} from './option-values.ts'
import { runs } from './verb.ts'

export interface ConsumeOptions {
  readonly topic?: string
  readonly group?: string
  readonly partition?: readonly number[]
  readonly offset?: readonly string[]
  readonly until?: string
  readonly count?: number
  readonly exit?: boolean
  readonly follow?: boolean
  readonly format?: string
  readonly delimiter?: string
  readonly keyDelimiter?: string
  readonly null?: boolean
  readonly nullAs?: string
  readonly as?: 'auto' | 'json' | 'base64'
  readonly key?: string
  readonly header?: string
  readonly contains?: string
  readonly outOfRange?: 'earliest' | 'latest'
}

/** Declares `consume` and `cat` on the program. */
export function declareConsume(program: Command): void {
  const consume = program
    .command('consume')
    .description('read records; goes on as new ones come unless told where to stop')
    .argument('[topics...]', 'the topic; with a group there may be several', topicNames)
    .addOption(
      new Option('-t, --topic <topic>', 'the topic, as kcat has it')
        .argParser(topicName)
        .hideHelp(),
    )
    .optionsGroup('What to read:')
    .option(
      '-G, --group <group>',
      'read as a member of this group, and commit what was printed',
      groupName,
    )
    .option('-p, --partition <numbers>', 'only these: 0, or 0,3, or 0-3; all', partitionNumbers)
    .option('-o, --offset <position>', 'where to begin, see below; beginning', each)
    .option('--until <position>', 'where to stop; the record there is not read')
    .option('-c, --count <records>', 'stop after so many', integerFrom(1))
    .option('-e, --exit', 'stop at the end as it is now')
    .option('--follow', 'go on past the end, as records come; the default')
    .addOption(
      new Option(
        '--out-of-range <where>',
        'where to begin if the offset is gone; an error',
      ).choices(['earliest', 'latest']),
    )
    .optionsGroup('Which records:')
    .option('--key <text>', 'only records with this key')
    .option('--header <name:value>', 'only records with this header')
    .option('--contains <text>', 'only records whose value contains this')
    .optionsGroup('How to print them:')
    .option('-f, --format <format>', 'what to print of each record, see below')
    .option('-D, --delimiter <text>', 'after each record; \\n')
    .option('-K, --key-delimiter <text>', 'print the key too, and this between key and value')
    .option('-Z, --null', 'print NULL for a key or value that is null, not nothing')
    .option('--null-as <text>', 'print this for a key or value that is null')
    .addOption(
      new Option('--as <view>', 'with --json: how values become JSON; auto').choices([
        'auto',
        'json',
        'base64',
      ]),
    )
    .optionsGroup('')
    .addHelpText('after', CONSUME_HELP)
  runs<ConsumeOptions>(consume, async () => (await import('./consume.ts')).consume)
  declareCat(program)
}

const CONSUME_HELP = `
POSITION is beginning (earliest), end (latest), an offset of one partition (1500), the last N of each
partition (-10), a time (s@1735689600000, @1735689600000, 2025-01-01T00:00:00Z), that long ago (-PT1H),
or an offset for each partition (0:1500,1:1742). -o e@MS is --until @MS.

FORMAT: %s value  %S its length (-1: null)  %R the same as 4 bytes  %k key  %K its length  %h headers
(name=value,…)  %t topic  %p partition  %o offset  %T timestamp in ms  %% a percent sign; \\n \\t \\r \\0 \\\\
\\xNN. Bytes are printed as they are stored. Nothing is added after a format.

With --json each line is a record: {"partition", "offset", "timestamp", "key", "value", "headers"}, with
"topic" first in a group. Ctrl-C says on stderr how to go on from there.

In a group the topics are shared out among its members, and where it goes on is kept by the broker: each
record is committed once it was written to stdout. Who is killed leaves what was not committed to be
read again. -o is where a group begins that has committed nothing; -e stops when the group has read what
was there.

Examples:
  $ spool consume access                               # everything, and then what comes
  $ spool consume access -o end                        # what comes from now on
  $ spool consume access -p 0 -o 1500 -c 20
  $ spool consume access -o -PT1H -e --json | jq .value.user
  $ spool consume access -e -f '%T %k %s\\n' --key user-17
  $ spool consume -G billing orders payments --json    # run it several times: they share the work`

export interface CatOptions {
  readonly headers?: boolean
}

function declareCat(program: Command): void {
  const cat = program
    .command('cat')
    .description('print the value of one record, byte for byte')
    .argument('<record>', 'topic/partition/offset, or the topic')
    .argument('[partition]', 'its partition')
    .argument('[offset]', 'its offset')
    .option('-i, --headers', 'print partition, offset, timestamp, key and headers above the value')
    .addHelpText(
      'after',
      `
A value that is null prints nothing, says so on stderr and exits with 9. With --json the whole record
is printed as the HTTP interface shows it.

Examples:
  $ spool cat access/0/17
  $ spool cat pictures 0 0 > picture.png`,
    )
  runs<CatOptions>(cat, async () => (await import('./cat.ts')).cat)
}
