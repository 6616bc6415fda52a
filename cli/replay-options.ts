/** The words of `spool replay`: declared here, its work loaded when it is called. */

import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ConsumeOptions } from './consume-options.ts'
import { duration, partitionNumbers, topicName } from './option-values.ts'
import { TOPIC } from './topics-options.ts'
import { runs } from './verb.ts'

/** What is printed, and how, as `spool consume` has it. */
type PrintOptions = Pick<
  ConsumeOptions,
  'format' | 'delimiter' | 'keyDelimiter' | 'null' | 'nullAs' | 'as'
>

/** A number, and how it was typed. */
export interface TypedNumber {
  readonly value: number
  readonly word: string
}

export interface ReplayOptions
  extends PrintOptions,
    Pick<ConsumeOptions, 'key' | 'header' | 'contains' | 'outOfRange'> {
  readonly from?: string
  readonly until?: string
  readonly partitions?: readonly number[]
  readonly into?: string
  readonly samePartitions?: boolean
  /** Records a second. */
  readonly rate?: TypedNumber
  readonly speed?: TypedNumber
  readonly pauseMax?: number
  readonly progress?: boolean
}

/** Declares `spool replay` on the program. */
export function declareReplay(program: Command): void {
  const replay = program
    .command('replay')
    .description(
      'play records again: to another topic or to stdout, as fast or as slowly as they came',
    )
    .argument('<topic>', TOPIC, topicName)
    .optionsGroup('What to play:')
    .option('--from <position>', 'where to begin, see below; earliest')
    .option(
      '--until <position>',
      'where to stop; the record there is not played; the end as it is now',
    )
    .option('-p, --partitions <numbers>', 'only these: 0, or 0,3, or 0-3; all', partitionNumbers)
    .addOption(
      new Option(
        '--out-of-range <where>',
        'where to go on if the offset is gone; an error',
      ).choices(['earliest', 'latest']),
    )
    .optionsGroup('Which records:')
    .option('--key <text>', 'only records with this key')
    .option('--header <name:value>', 'only records with this header')
    .option('--contains <text>', 'only records whose value contains this')
    .optionsGroup('How fast:')
    .option('--rate <records>', 'so many a second: 5000, 5000/s, 100/m', rate)
    .option('--speed <times>', 'as far apart as they were: 1x, or faster: 10x', speed)
    .option('--pause-max <time>', 'with --speed: wait no longer than this for the next', duration)
    .optionsGroup('Where to:')
    .option('--into <topic>', 'append them to this topic; without it they are printed', topicName)
    .option('--same-partitions', 'to the partitions they are in, not those of their keys')
    .optionsGroup('How to print them:')
    .option('-f, --format <format>', 'what to print of each record, as for consume')
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
    .option('--progress', 'report progress on stderr where it is no terminal: a line a second')
    .optionsGroup('')
    .addHelpText('after', REPLAY_HELP)
  runs<ReplayOptions>(replay, async () => (await import('./replay.ts')).replayTopic)
}

const REPLAY_HELP = `
POSITION is as for consume: earliest, 1500, -10, 2025-01-01T00:00Z, @1735689600000, -PT1H, 0:1500,1:1742.
What is appended after the replay began is not part of it.

Each partition keeps its order. Across partitions the record with the oldest timestamp comes first. Two
things blur that: timestamps that go backwards within a partition, and topics so wide (above 64
partitions) or batches so large (256 MiB open at once) that not all that would have to be waited for can
be held.

With --into records keep key, value, headers and timestamp. They are appended by an idempotent producer
to the partition of their key, without a key to that of their own number. Done twice, they are there
twice. Ctrl-C says how far it got and the command that goes on.

Examples:
  $ spool replay access --from 2025-01-06T08:00Z --until 2025-01-06T09:00Z --into access-test
  $ spool replay access --from -PT1H --into access-test --speed 10x
  $ spool replay orders.dlq --into orders --rate 50/s
  $ spool replay access --from -P1D --speed 1x --json | my-program
  $ spool replay access --contains user-17 --into user-17 --same-partitions`

const PER_SECOND: Readonly<Record<string, number>> = { s: 1, m: 1 / 60, h: 1 / 3_600 }
/** Above this the machine is the limit. */
const RATE_MAX = 1_000_000_000
/** Below this nobody would see it move. */
const SPEED_MIN = 0.001
const SPEED_MAX = 1_000_000

/** Records a second of `5000`, `5000/s`, `100/m`, `10/h`. */
function rate(word: string): TypedNumber {
  const found = /^(\d{1,10}(?:\.\d{1,3})?)(?:\/(s|m|h))?$/.exec(word)
  const value = Number(found?.[1]) * (PER_SECOND[found?.[2] ?? 's'] ?? Number.NaN)
  if (value > 0 && value <= RATE_MAX) return { value, word }
  throw new InvalidArgumentError(
    'Expected so many records a second, minute or hour: 5000/s, 100/m.',
  )
}

/** `10x`, `0.5x`, or the number alone. */
function speed(word: string): TypedNumber {
  const found = /^(\d{1,7}(?:\.\d{1,3})?)x?$/.exec(word)
  const value = Number(found?.[1])
  if (value >= SPEED_MIN && value <= SPEED_MAX) return { value, word }
  throw new InvalidArgumentError(
    `Expected a speed from ${SPEED_MIN}x to ${SPEED_MAX}x: 1x is as it was, 10x ten times as fast.`,
  )
}
