/** The words of `spool groups …`: declared here, their work in `groups/`. */

import { type Command, InvalidArgumentError } from 'commander'
import type { DeletionOptions } from './deletion.ts'
import { groupName, groupNames, integerFrom, partitionNumbers, topicName } from './option-values.ts'
import { runs } from './verb.ts'

const GROUP = 'the group'

/** Declares the verbs of consumer groups on the program. */
export function declareGroups(program: Command): void {
  const groups = program
    .command('groups')
    .alias('group')
    .description('list, describe, rewind and delete consumer groups')
    .helpCommand(false)
  declareList(groups)
  declareDescribe(groups)
  declareReset(groups)
  declareDelete(groups)
}

function declareList(groups: Command): void {
  const list = groups
    .command('list')
    .alias('ls')
    .description('list the groups, in the order of their names')
    .addHelpText(
      'after',
      `
STATE is empty (no members), stable, or reconciling: a member has yet to let go of a partition, or to be
given one. Not on a terminal: group, state, members and epoch, separated by tabs.

Examples:
  $ spool groups list
  $ spool groups list | awk -F'\\t' '$2 == "empty"'      # without members`,
    )
  runs(list, async () => (await import('./groups/list.ts')).listGroups)
}

function declareDescribe(groups: Command): void {
  const describe = groups
    .command('describe')
    .description('show members of a group, who has what, where it stands and how far behind')
    .argument('<group>', GROUP, groupName)
    .addHelpText(
      'after',
      `
LAG counts records from the committed offset to the end; BEHIND is how old the next of them is.

Not on a terminal, separated by tabs: "member", its id, client, host, instance, epoch, partitions, those
asked back; "offset", topic, partition, committed offset, first offset kept, end, lag, milliseconds
behind, member; and "total", lag, most milliseconds behind.

Examples:
  $ spool groups describe billing
  $ spool groups describe billing | awk '$1 == "total" && $2 > 1000'
  $ spool groups describe billing --json | jq '.offsets[] | select(.lag > 0)'`,
    )
  runs(describe, async () => (await import('./groups/describe.ts')).describeGroup)
}

/** A topic, or some of its partitions. */
export interface TopicPart {
  readonly topic: string
  /** `undefined`: all. */
  readonly partitions: readonly number[] | undefined
}

export interface ResetOptions {
  readonly topic?: readonly TopicPart[]
  readonly to?: string
  readonly shift?: number
  readonly offsets?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

function declareReset(groups: Command): void {
  const reset = groups
    .command('reset')
    .description('make a group read again from somewhere, or go on elsewhere, also while it runs')
    .argument('<group>', GROUP, groupName)
    .option(
      '-t, --topic <topic[:partitions]>',
      'only this: access, access:0,1, access:0-3; may be repeated; all it reads',
      topicPart,
    )
    .optionsGroup('Where to, one of these:')
    .option('--to <position>', 'to this place, see below')
    .option('--shift <records>', 'so many records on, or back: -100', integerFrom(-SHIFT_MAX))
    .option('--offsets <file>', 'to offsets in a file, or in stdin (-), see below')
    .optionsGroup('')
    .option('--dry-run', 'only say what would happen')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', RESET_HELP)
  runs<ResetOptions>(reset, async () => (await import('./groups/reset.ts')).resetGroup)
}

const SHIFT_MAX = Number.MAX_SAFE_INTEGER

const RESET_HELP = `
It says from where to where it would go and asks; where nobody can be asked it needs --yes. Members need
not be stopped: they go on from the new place, and what they commit of before is refused. What it says
afterwards undoes it.

POSITION: earliest, latest, -10 (the last ten of each partition), @1735689600000 or 2025-01-01T00:00Z (a
time), -PT1H (an hour ago), an offset of one partition (1500), or 0:1500,1:1742 with one --topic.

The file of --offsets holds JSON: [{"topic": "access", "partition": 0, "offset": 1500}, …], an offset of
null being nothing committed. Lists "from" and "to" of what --json prints are such files: "from" undoes
the reset, "to" of a --dry-run does what it said.

Examples:
  $ spool groups reset billing --topic access --to 2025-01-06T08:00Z --dry-run
  $ spool groups reset billing --topic access:0,1 --shift -100
  $ spool groups reset billing --to -PT1H --yes --json > before.json
  $ jq .from before.json | spool groups reset billing --offsets - --yes`

/** Collects `access`, `access:0,1`, `access:0-3`. */
function topicPart(word: string, before: readonly TopicPart[] = []): readonly TopicPart[] {
  const colon = word.indexOf(':')
  const topic = topicName(colon < 0 ? word : word.slice(0, colon))
  if (before.some((part) => part.topic === topic)) {
    throw new InvalidArgumentError(`${topic} is given twice.`)
  }
  const partitions = colon < 0 ? undefined : partitionNumbers(word.slice(colon + 1))
  return [...before, { topic, partitions }]
}

function declareDelete(groups: Command): void {
  const remove = groups
    .command('delete')
    .alias('rm')
    .description('forget groups without members, with what they have committed')
    .argument('<groups...>', 'the groups', groupNames)
    .option('--if-exists', 'a group that is not there is fine')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `
It says what would go and asks; where nobody can be asked it needs --yes.

Examples:
  $ spool groups delete billing
  $ spool groups delete test-1 test-2 --if-exists --yes`,
    )
  runs<DeletionOptions>(remove, async () => (await import('./groups/delete.ts')).deleteGroups)
}
