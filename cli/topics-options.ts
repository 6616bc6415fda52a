/** The words of `spool topics …` and `spool offsets`: declared here, their work in `topics/` and `offsets.ts`. */

import type { Command } from 'commander'
import type { DeletionOptions } from './deletion.ts'
import {
  each,
  integerFrom,
  keyValue,
  partitionNumbers,
  topicName,
  topicNames,
} from './option-values.ts'
import { runs } from './verb.ts'

export const TOPIC = 'the topic'

/** Declares the verbs of topics on the program. */
export function declareTopics(program: Command): void {
  const topics = program
    .command('topics')
    .alias('topic')
    .description('create, list, describe, alter, trim and delete topics')
    .helpCommand(false)
  declareCreate(topics)
  declareList(topics)
  declareDescribe(topics)
  declareAlter(topics)
  declareTrim(topics)
  declareDelete(topics)
  declareOffsets(program)
}

export interface CreateOptions {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly config?: Readonly<Record<string, string>>
  readonly ifNotExists?: boolean
}

function declareCreate(topics: Command): void {
  const create = topics
    .command('create')
    .description('create a topic')
    .argument('<name>', 'its name: letters, digits, ".", "_" and "-"', topicName)
    .option(
      '-p, --partitions <count>',
      'how many partitions; the broker has a default',
      integerFrom(1),
    )
    .option(
      '-r, --replication-factor <count>',
      'how many brokers keep each partition',
      integerFrom(1),
    )
    .option('-c, --config <key=value>', 'a setting of the topic; may be repeated', keyValue)
    .option('--if-not-exists', 'also fine if it is there already, and as described here')
    .addHelpText(
      'after',
      `
Examples:
  $ spool topics create access --partitions 4
  $ spool topics create clicks -p 8 -c retention.ms=86400000 -c segment.bytes=134217728
  $ spool topics create access --partitions 4 --if-not-exists`,
    )
  runs<CreateOptions>(create, async () => (await import('./topics/create.ts')).createTopic)
}

export interface ListOptions {
  readonly internal?: boolean
}

function declareList(topics: Command): void {
  const list = topics
    .command('list')
    .alias('ls')
    .description('list the topics, in the order of their names')
    .option('--internal', "also the broker's own topics")
    .addHelpText(
      'after',
      `
Not on a terminal: name, partitions, replication factor and topic id, separated by tabs.

Examples:
  $ spool topics list
  $ spool topics list | cut -f1                        # the names alone`,
    )
  runs<ListOptions>(list, async () => (await import('./topics/list.ts')).listTopics)
}

export interface DescribeOptions {
  readonly all?: boolean
}

function declareDescribe(topics: Command): void {
  const describe = topics
    .command('describe')
    .description('show settings, partitions and offsets of a topic')
    .argument('<topic>', TOPIC, topicName)
    .option('-a, --all', 'also the settings that have their default')
    .addHelpText(
      'after',
      `
Not on a terminal, separated by tabs: "partition", its number, leader, replicas, in-sync replicas, first
offset, next offset, records, bytes, state; and "config", key, value, where the value comes from.

Examples:
  $ spool topics describe access
  $ spool topics describe access --json | jq .config`,
    )
  runs<DescribeOptions>(describe, async () => (await import('./topics/describe.ts')).describeTopic)
}

export interface AlterOptions {
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
  readonly unset?: readonly string[]
}

function declareAlter(topics: Command): void {
  const alter = topics
    .command('alter')
    .description('change settings of a topic, or give it more partitions')
    .argument('<topic>', TOPIC, topicName)
    .option('-p, --partitions <count>', 'so many from now on; never fewer', integerFrom(1))
    .option('-c, --config <key=value>', 'a setting of the topic; may be repeated', keyValue)
    .option('--unset <key>', 'back to the default; may be repeated', each)
    .addHelpText(
      'after',
      `
More partitions change which partition a key belongs to; records that are there stay where they are.

Examples:
  $ spool topics alter access -c retention.ms=604800000
  $ spool topics alter access --unset retention.ms --partitions 8`,
    )
  runs<AlterOptions>(alter, async () => (await import('./topics/alter.ts')).alterTopic)
}

export interface TrimOptions {
  readonly partition?: readonly number[]
  readonly before?: string
  readonly yes?: boolean
  readonly dryRun?: boolean
}

function declareTrim(topics: Command): void {
  const trim = topics
    .command('trim')
    .description('delete the oldest records of partitions')
    .argument('<topic>', TOPIC, topicName)
    .requiredOption('-p, --partition <numbers>', 'which: 0, or 0,3, or 0-3', partitionNumbers)
    .requiredOption('--before <position>', 'records before this go; the one there stays')
    .option('--dry-run', 'only say what would go')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
It says what would go and asks; where nobody can be asked it needs --yes. What is trimmed is gone.
POSITION: an offset (1500), latest (everything), -10 (all but the last ten), @1735689600000 or
2025-01-01T00:00:00Z (a time), -PT1H (an hour ago).

Examples:
  $ spool topics trim access --partition 0 --before 1500
  $ spool topics trim access -p 0-3 --before -P7D --dry-run`,
    )
  runs<TrimOptions>(trim, async () => (await import('./topics/trim.ts')).trimTopic)
}

function declareDelete(topics: Command): void {
  const remove = topics
    .command('delete')
    .alias('rm')
    .description('delete topics with all their records')
    .argument('<topics...>', 'the topics', topicNames)
    .option('--if-exists', 'a topic that is not there is fine')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
It says what would go and asks; where nobody can be asked it needs --yes.

Examples:
  $ spool topics delete access
  $ spool topics delete tmp-1 tmp-2 --if-exists --yes`,
    )
  runs<DeletionOptions>(remove, async () => (await import('./topics/delete.ts')).deleteTopics)
}

export interface OffsetsOptions {
  readonly at?: string
}

function declareOffsets(program: Command): void {
  const offsets = program
    .command('offsets')
    .description('show which offset a position means, in every partition')
    .argument('<topic>', TOPIC, topicName)
    .option('--at <position>', 'the position; latest')
    .addHelpText(
      'after',
      `
POSITION: earliest, latest, the last N (-10), a time (@1735689600000, 2025-01-01T00:00:00Z), that long
ago (-PT1H). A time means the first record at or after it.
Not on a terminal, separated by tabs: partition, offset, first offset, next offset and, where a time was
asked for, the timestamp of the record.

Examples:
  $ spool offsets access
  $ spool offsets access --at 2025-01-06T08:00:00Z
  $ spool offsets access --at -PT1H --json`,
    )
  runs<OffsetsOptions>(offsets, async () => (await import('./offsets.ts')).showOffsets)
}
