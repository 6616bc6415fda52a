/**
 * The words of `spool produce`: declared here, its work loaded when it is called. Letters mean what they
 * mean to kcat. What the words say together is checked in `produce/plan.ts`.
 */

import { type Command, Option } from 'commander'
import { each, integerFrom, topicName } from './option-values.ts'
import { TOPIC } from './topics-options.ts'
import { runs } from './verb.ts'

/** The options as commander gives them. */
export interface ProduceOptions {
  readonly topic?: string
  readonly fromFile?: readonly string[]
  readonly valueFile?: string
  readonly contentType?: string
  readonly format?: 'lines' | 'json'
  readonly delimiter?: string
  readonly keyDelimiter?: string
  readonly key?: string
  readonly keyFrom?: string
  readonly timestampFrom?: string
  readonly header?: readonly string[]
  readonly partition?: number
  readonly null?: boolean
  readonly count?: number
  readonly skipErrors?: boolean
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly acks?: 'all' | '-1' | '1' | '0'
  readonly lingerMs?: number
  readonly deliveryTimeoutMs?: number
  readonly rate?: number
  readonly resume?: boolean
  readonly restart?: boolean
  readonly resumeFile?: string
  readonly progress?: boolean
}

const PARTITION_MAX = 2 ** 31 - 1
const TIMER_MS_MAX = 2 ** 31 - 1
const LINGER_MS_MAX = 60_000
/** Above this the machine is the limit. */
const RATE_MAX = 1_000_000_000

/** Declares `spool produce` on the program. */
export function declareProduce(program: Command): void {
  const produce = program
    .command('produce')
    .description('append records to a topic: lines of stdin or of files, or one whole file')
    .argument('[topic]', TOPIC, topicName)
    .addOption(
      new Option('-t, --topic <topic>', 'the topic, as kcat has it')
        .argParser(topicName)
        .hideHelp(),
    )
    .optionsGroup('What to append:')
    .option('-l, --from-file <file>', 'load this file instead of stdin; may be repeated', each)
    .addOption(
      new Option('--format <format>', 'lines: each is a value; json: each is a record').choices([
        'lines',
        'json',
      ]),
    )
    .option('-D, --delimiter <text>', 'what ends a record, such as \\0 or \\r\\n; \\n')
    .option('-Z, --null', 'an empty value is null (a tombstone), an empty key none')
    .option('-c, --count <records>', 'stop after so many', integerFrom(1))
    .option('--value-file <file>', 'the whole file is the value of one record')
    .option('--content-type <type>', 'of the value file; told from its name')
    .optionsGroup('Keys, headers, partitions:')
    .option('-K, --key-delimiter <text>', 'in each line the key, this, and the value')
    .option('-k, --key <text>', 'the key of records that have none of their own')
    .option('--key-from <pointer>', 'the key stands in the line, which is JSON: /user/id')
    .option('--timestamp-from <pointer>', 'the timestamp stands in the line: RFC 3339, or ms')
    .option('-H, --header <name=value>', 'a header of every record; may be repeated', each)
    .option(
      '-p, --partition <number>',
      'append to this one, whatever the key',
      integerFrom(0, PARTITION_MAX),
    )
    .optionsGroup('How to append it:')
    .addOption(
      new Option('-z, --compression <codec>', 'of batches; lz4').choices([
        'none',
        'gzip',
        'snappy',
        'lz4',
        'zstd',
      ]),
    )
    .addOption(
      new Option(
        '--acks <acks>',
        'who must have it before it counts: all in sync, the leader, nobody; all',
      ).choices(['all', '-1', '1', '0']),
    )
    .option(
      '--linger-ms <ms>',
      'how long a line waits for others to go with it; 5',
      integerFrom(0, LINGER_MS_MAX),
    )
    .option(
      '--delivery-timeout-ms <ms>',
      'how long to try again while the broker is away; 120000',
      integerFrom(1, TIMER_MS_MAX),
    )
    .option('--rate <records>', 'at most so many a second', integerFrom(1, RATE_MAX))
    .option('--skip-errors', 'name lines that can not be taken on stderr and go on')
    .option('--progress', 'report progress on stderr where it is no terminal: a line a second')
    .optionsGroup('Files that were interrupted:')
    .option('--resume', 'go on where the last upload of the file stopped; load it once')
    .option('--restart', 'load it from its beginning, whatever was loaded before')
    .option('--resume-file <file>', 'where it is kept how far it got; beside the file')
    .optionsGroup('')
    .addHelpText('after', PRODUCE_HELP)
  runs<ProduceOptions>(produce, async () => (await import('./produce.ts')).produce)
}

const PRODUCE_HELP = `
Without a key a record goes to any partition, with one to the partition of its key. A line ends with \\n
or \\r\\n; an empty line is an empty value. -D and -K take \\n \\r \\t \\0 \\\\ \\xNN.

With --format json each line is {"value": …, "key": …, "headers": {…}, "partition": 0, "timestamp": …},
of which all but value may be absent, as the HTTP interface takes it: a string is its text, {"base64": …}
those bytes, null a tombstone, anything else JSON as it stands there.

A line that can not be taken ends the work, with everything before it appended. With --skip-errors such
lines are named and left out, and the exit code is 10.

Ctrl-C says how far it got. A file that was interrupted, by whatever, is loaded to its end with --resume:
each line once. With --resume the same command may be run until it succeeds, and again afterwards.

Examples:
  $ echo hello | spool produce greetings
  $ spool produce access --from-file access.ndjson --key-from /user --timestamp-from /ts
  $ printf 'anna:1\\nbert:2\\n' | spool produce scores -K :
  $ tail -f server.log | spool produce logs -H host=web-1
  $ spool produce pictures -k cat.png --value-file cat.png
  $ spool consume old -e --json | jq -c '{key, value, headers}' | spool produce new --format json`
