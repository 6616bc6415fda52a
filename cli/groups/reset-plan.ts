/**
 * What `spool groups reset` was asked to do: from words, or a file, to what the broker is asked. Checked as
 * far as that goes without a broker.
 */

import { readFile, stat } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { GroupPartition, GroupReset } from '../../client/index.ts'
import type { ResetOptions, TopicPart } from '../groups-options.ts'
import { isTopicName } from '../option-values.ts'
import { toTypedPosition } from '../position-words.ts'
import { UsageError } from '../usage-error.ts'

/** `-` among the files, as elsewhere. */
const STDIN = '-'
/** A hundred thousand offsets, as many as a broker may have partitions, need less. */
const FILE_BYTES_MAX = 16 * 1024 * 1024

export type ResetTarget = GroupPartition & { readonly offset: number | null }
/** What is asked, but for whether it is a trial. */
export type ResetPlan = Pick<GroupReset, 'to' | 'topics' | 'partitions'>

/** @throws UsageError for options that contradict each other, or a file that holds no offsets. */
export async function resetPlan(options: ResetOptions): Promise<ResetPlan> {
  const { topic: parts = [], to, shift, offsets } = options
  const ways = Object.entries({ '--to': to, '--shift': shift, '--offsets': offsets })
  const given = ways.filter(([, value]) => value !== undefined).map(([flag]) => flag)
  if (given.length === 0) {
    throw new UsageError('where to? give --to POSITION, --shift RECORDS or --offsets FILE')
  }
  if (given.length > 1) {
    throw new UsageError(`${given.join(' and ')} each say where to: leave out one of them`)
  }
  if (offsets !== undefined) {
    if (parts.length > 0) {
      throw new UsageError('--offsets names topics and partitions itself: leave out --topic')
    }
    return { to: { offsets: targetsIn(await contentOf(offsets), offsets) } }
  }
  if (shift !== undefined) return { to: { shift }, ...scopeOf(parts) }
  const position = toTypedPosition(to!, '--to')
  if (typeof position === 'string') return { to: position, ...scopeOf(parts) }
  return { to: { offsets: targetsOf(position, to!, parts) } }
}

function scopeOf(parts: readonly TopicPart[]): Pick<ResetPlan, 'topics' | 'partitions'> {
  const topics = parts.filter((part) => part.partitions === undefined).map(({ topic }) => topic)
  const partitions = parts.flatMap(({ topic, partitions: numbers = [] }) =>
    numbers.map((partition) => ({ topic, partition })),
  )
  return {
    ...(topics.length === 0 ? {} : { topics }),
    ...(partitions.length === 0 ? {} : { partitions }),
  }
}

/** `--to 0:1500,1:1742` of one topic. */
function targetsOf(
  offsets: Readonly<Record<number, number>>,
  word: string,
  parts: readonly TopicPart[],
): ResetTarget[] {
  const [part] = parts
  if (part === undefined || parts.length > 1) {
    throw new UsageError(`--to ${word} is about partitions of one topic: name it with --topic`)
  }
  if (part.partitions !== undefined) {
    throw new UsageError(`--to ${word} names partitions itself: --topic ${part.topic} is enough`)
  }
  return Object.entries(offsets).map(([partition, offset]) => ({
    topic: part.topic,
    partition: Number(partition),
    offset,
  }))
}

async function contentOf(file: string): Promise<string> {
  if (file === STDIN) {
    if (process.stdin.isTTY) process.stderr.write('offsets as JSON; Ctrl-D ends\n')
    return text(boundedInput())
  }
  const { size } = await stat(file)
  if (size > FILE_BYTES_MAX) throw tooLarge(file)
  return readFile(file, 'utf8')
}

async function* boundedInput(): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > FILE_BYTES_MAX) throw tooLarge(STDIN)
    yield piece
  }
}

function tooLarge(file: string): UsageError {
  return new UsageError(`--offsets ${file}: it is larger than ${FILE_BYTES_MAX} bytes`)
}

/**
 * The offsets in a file: a list, or a document with the one member `offsets`.
 *
 * @throws UsageError naming the file and what is wrong in it.
 */
export function targetsIn(content: string, file: string): ResetTarget[] {
  const refuse = (why: string) => new UsageError(`--offsets ${file}: ${why}`)
  let document: unknown
  try {
    document = JSON.parse(content)
  } catch (error) {
    throw refuse(`not JSON (${(error as Error).message})`)
  }
  if (isObject(document) && 'from' in document && 'to' in document) {
    throw refuse(
      'it is a whole answer: its "from" list undoes it (jq .from), its "to" list does what a --dry-run said (jq .to)',
    )
  }
  const list = isObject(document) ? document.offsets : document
  if (!Array.isArray(list) || list.length === 0) {
    throw refuse('expected a list of {"topic": …, "partition": …, "offset": …}')
  }
  return list.map((each, at) => {
    const wrong = whatIsWrong(each)
    if (wrong === undefined) return each as ResetTarget
    throw refuse(`entry ${at + 1}: ${wrong}`)
  })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const MEMBERS = ['topic', 'partition', 'offset']

function whatIsWrong(entry: unknown): string | undefined {
  if (!isObject(entry)) return 'expected {"topic": …, "partition": …, "offset": …}'
  const unknown = Object.keys(entry).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) return `there is no member ${JSON.stringify(unknown)}`
  const { topic, partition, offset } = entry
  if (typeof topic !== 'string' || !isTopicName(topic)) return 'its topic is no name of a topic'
  if (!isCount(partition)) return 'its partition is no number of one'
  if (offset !== null && !isCount(offset)) return 'its offset is neither an offset nor null'
  return undefined
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
