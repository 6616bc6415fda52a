/**
 * What is said of an upload: the document of `--json`, the sentence when it is done, how far it got when
 * it is not, and the command that goes on from there. Makes text; prints nothing.
 */

import { toProblem } from '../../client/api/errors.ts'
import { SpoolError } from '../../client/index.ts'
import { counted, countForPeople, paceForPeople } from '../numbers.ts'
import type { Acknowledged, PartitionTotals } from './acknowledged.ts'
import type { RefusedLine } from './line-upload.ts'

/** What became of it. */
export interface UploadResult {
  readonly topic: string
  /** As they were typed; none: stdin. */
  readonly files: readonly string[]
  readonly acknowledged: Acknowledged
  readonly refusals: readonly RefusedLine[]
  /** Records given to the producer: some may not be acknowledged. */
  readonly records: number
  readonly refused: number
  readonly hasOffsets: boolean
  readonly elapsedMs: number
}

/** What `--json` prints: the members are those of the HTTP interface where it has them. */
export function reportDocument(result: UploadResult): Readonly<Record<string, unknown>> {
  const { acknowledged, files, hasOffsets } = result
  const { place } = acknowledged.reached
  const file = files[place.file]
  return {
    topic: result.topic,
    lines: place.lines,
    appended: acknowledged.count,
    ...(acknowledged.earlier === 0 ? {} : { appendedEarlier: acknowledged.earlier }),
    refused: result.refused,
    resumeAtLine: place.lines + 1,
    ...(file === undefined || files.length < 2 ? {} : { resumeAt: { file, line: place.line + 1 } }),
    ...(hasOffsets
      ? { durability: acknowledged.durability, partitions: acknowledged.totals() }
      : {}),
    errors: result.refusals,
    elapsedMs: Math.round(result.elapsedMs),
  }
}

/** `1,813,022 records to access in 2.1 s, 863,000 a second`, or where the one record is. */
export function doneSentence(result: UploadResult): string {
  const { topic, elapsedMs, acknowledged, refused } = result
  const { count } = acknowledged
  const totals = acknowledged.totals()
  const where = `${counted(count, 'record')} to ${topic}${placeOfOne(topic, count, totals)}`
  const parts = [`${where}${paceForPeople(count, elapsedMs)}`]
  if (acknowledged.earlier > 0) {
    parts.push(`${countForPeople(acknowledged.earlier)} were there already`)
  }
  if (refused > 0) parts.push(`${counted(refused, 'line')} refused`)
  return parts.join('; ')
}

function placeOfOne(topic: string, count: number, totals: readonly PartitionTotals[]): string {
  const [first] = totals
  return count === 1 && first !== undefined
    ? `: ${topic}/${first.partition}/${first.firstOffset}`
    : ''
}

/** How far it got. */
export function reachedSentence({ acknowledged, files, records }: UploadResult): string {
  const { place } = acknowledged.reached
  const file = files[place.file]
  const upTo =
    place.lines === 0
      ? 'nothing was acknowledged'
      : `acknowledged: ${counted(acknowledged.count, 'record')}, up to line ${countForPeople(place.line)}${file === undefined ? '' : ` of ${file}`}`
  return records > place.records
    ? `${upTo}; ${counted(records - place.records, 'record')} after that may or may not be there`
    : upTo
}

/** `access.ndjson:12`, as compilers say it. */
function whereOf({ file, line }: RefusedLine): string {
  if (file === undefined) return `line ${line}`
  return line === undefined ? file : `${file}:${line}`
}

/** A line that can not be taken, for people. */
export function refusalSentence(refused: RefusedLine): string {
  return `spool produce: ${whereOf(refused)}: ${refused.detail}`
}

/** The same for programs. */
export function refusalDocument(refused: RefusedLine): Readonly<Record<string, unknown>> {
  const { file, line, code, detail } = refused
  const problem = toProblem(new SpoolError(code, detail, { outcome: 'refused' }))
  // JSON leaves out what is undefined.
  return { verb: 'produce', ...problem, file, line }
}
