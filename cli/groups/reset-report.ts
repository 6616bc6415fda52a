/** What is said of a reset, before and after it: from where to where, how much is read again, what undoes it. */

import type { ResetReply } from '../../client/index.ts'
import { counted, countForPeople } from '../numbers.ts'
import type { Column, Output } from '../output.ts'
import { offsetsWord } from '../position-words.ts'
import { shellWord } from '../verb.ts'

type PartitionReset = ResetReply['partitions'][number]

/** More lines than this nobody reads before answering. */
const FACTS_MAX = 20
/** A longer list is better given as JSON. */
const TYPED_OFFSETS_MAX = 50

/** Lines for a question: every partition, as long as they are few. */
export function factsOf(reply: ResetReply): string[] {
  const lines = reply.partitions.slice(0, FACTS_MAX).map(factOf)
  const more = reply.partitions.length - lines.length
  return [...lines, ...(more === 0 ? [] : [`and ${counted(more, 'more partition')}`])]
}

/** `access/0: 1,500 → 1,200, 300 records again`. */
function factOf(partition: PartitionReset): string {
  const { topic, from, to, recordsAgain, clamped } = partition
  const parts = [`${topic}/${partition.partition}: ${placeWord(from)} → ${placeWord(to)}`]
  if (recordsAgain > 0) parts.push(`${counted(recordsAgain, 'record')} again`)
  const skipped = skippedIn(partition)
  if (skipped > 0) parts.push(`${counted(skipped, 'record')} skipped`)
  if (clamped === true) parts.push(CLAMPED)
  return parts.join(', ')
}

const CLAMPED = 'the nearest there is'

function placeWord(offset: number | null): string {
  return offset === null ? 'nothing committed' : countForPeople(offset)
}

function skippedIn({ from, to }: PartitionReset): number {
  return from === null || to === null ? 0 : Math.max(0, to - from)
}

/** `4 partitions of billing, 1,200 records again, 30 skipped`. */
export function totalsOf({ groupId, partitions, recordsAgain }: ResetReply): string {
  const skipped = partitions.reduce((sum, each) => sum + skippedIn(each), 0)
  const parts = [`${counted(partitions.length, 'partition')} of ${groupId}`]
  parts.push(`${counted(recordsAgain, 'record')} again`)
  if (skipped > 0) parts.push(`${countForPeople(skipped)} skipped`)
  return parts.join(', ')
}

const COLUMNS: readonly Column[] = [
  { name: 'topic' },
  { name: 'partition', kind: 'number' },
  { name: 'from', kind: 'count' },
  { name: 'to', kind: 'count' },
  { name: 'again', kind: 'count' },
]

/** One row for each partition. */
export async function printReset(output: Output, { partitions }: ResetReply): Promise<void> {
  const hasNotes = !output.isTerminal || partitions.some(({ clamped }) => clamped === true)
  await output.table(
    [...COLUMNS, ...(hasNotes ? [{ name: 'note' }] : [])],
    partitions.map(({ topic, partition, from, to, recordsAgain, clamped }) => [
      topic,
      partition,
      from,
      to,
      recordsAgain,
      ...(hasNotes ? [clamped === true ? (output.isTerminal ? CLAMPED : 'clamped') : ''] : []),
    ]),
  )
}

/** The command that puts the group back where it was; it asks nothing, so that it works in a script too. */
export function undoCommand({ groupId, from }: ResetReply, flagsToRepeat: string): string {
  const command = `spool groups reset ${shellWord(groupId)}${flagsToRepeat}`
  const [first] = from
  const isTyped =
    from.length <= TYPED_OFFSETS_MAX &&
    from.every(({ topic, offset }) => topic === first?.topic && offset !== null)
  if (first === undefined || !isTyped) {
    return `echo ${shellWord(JSON.stringify(from))} | ${command} --offsets - --yes`
  }
  const offsets = Object.fromEntries(from.map(({ partition, offset }) => [partition, offset!]))
  return `${command} --topic ${first.topic} --to ${offsetsWord(offsets)} --yes`
}
