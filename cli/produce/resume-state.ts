/**
 * What is kept of an upload so that it can go on after any interruption: who its producer is, a place
 * everything before which is acknowledged, and how to tell that files, topic and options are still the
 * same. Text and comparisons; reads and writes nothing.
 */

import type { ProducerIdentity } from '../../client/index.ts'
import type { Mark } from './acknowledged.ts'
import type { ReadingPlan, SendingPlan } from './plan.ts'

/** A file as it was when the upload came to it. */
export interface FileState {
  /** From the directory of the resume file, so that both may be moved together. */
  readonly path: string
  readonly device: number
  readonly inode: number
  readonly modifiedMs: number
  readonly sizeBytes: number
}

/** The first and the last bytes before a position, by their checksums. */
export interface Surroundings {
  readonly head: number
  readonly tail: number
}

export interface ResumeState extends ProducerIdentity {
  readonly topic: string
  readonly topicId: string
  /** How many there were at the beginning: records are spread over those. */
  readonly partitions: number
  /** Where records went first that no key sends anywhere. */
  readonly firstPartition: number
  /** The options that decide what the records are and where they go, as they were typed. */
  readonly words: Readonly<Record<string, string>>
  readonly files: readonly FileState[]
  readonly mark: Mark
  /** Of the mark's place in its file. */
  readonly surroundings: Surroundings
  /** Nothing after the mark was given to the producer. */
  readonly isSettled: boolean
  /** The input was loaded to its end. */
  readonly isDone: boolean
  /** The last line of the last file was taken though it had no end. */
  readonly endsOpen: boolean
}

/** The options whose change would make other records of the same lines, by how they are typed. */
export function decidingWords(
  { format, keyDelimiter, keyFrom, timestampFrom, key, emptyIsNull }: ReadingPlan,
  { partition }: SendingPlan,
  delimiter: Buffer,
): Readonly<Record<string, string>> {
  const words: Record<string, string | undefined> = {
    '--format': format,
    '-D': shown(delimiter),
    '-K': shown(keyDelimiter),
    '--key-from': keyFrom?.text,
    '--timestamp-from': timestampFrom?.text,
    '-k': shown(key),
    '-Z': emptyIsNull ? 'given' : undefined,
    '-p': partition < 0 ? undefined : String(partition),
  }
  return Object.fromEntries(
    Object.entries(words).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

/** Bytes as text that is the same for the same bytes only. */
function shown(bytes: Buffer | undefined | null): string | undefined {
  return bytes === undefined || bytes === null
    ? undefined
    : JSON.stringify(bytes.toString('latin1'))
}

/** What is different in the options, in a few words; `undefined`: nothing. */
export function difference(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string | undefined {
  for (const option of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const [was, is] = [before[option], now[option]]
    if (was === is) continue
    if (was === undefined) return `it was begun without ${option}`
    return was === 'given'
      ? `it was begun with ${option}`
      : `it was begun with ${option} ${was}${is === undefined ? '' : `, not ${is}`}`
  }
  return undefined
}

export function encodeState(state: ResumeState): Buffer {
  return Buffer.from(JSON.stringify(state))
}

/**
 * The bytes have passed their checksum, but anybody may have written them.
 *
 * @throws Error where they are no state.
 */
export function decodeState(bytes: Buffer): ResumeState {
  const state = JSON.parse(bytes.toString()) as Partial<ResumeState> | null
  const { mark, surroundings, partitions, files, words } = state ?? {}
  const { place, taken, offsets } = mark ?? {}
  const isState =
    areTexts([state?.topic, state?.topicId]) &&
    areCounts([state?.producerId, state?.producerEpoch, partitions, state?.firstPartition]) &&
    areCounts(PLACE_MEMBERS.map((name) => place?.[name])) &&
    areCounts([surroundings?.head, surroundings?.tail]) &&
    areCounts(taken) &&
    areCounts(offsets) &&
    taken?.length === partitions &&
    offsets?.length === partitions &&
    typeof words === 'object' &&
    words !== null &&
    areTexts(Object.values(words)) &&
    Array.isArray(files) &&
    areTexts(files.map((file) => file?.path)) &&
    place !== undefined &&
    place.file < files.length
  if (isState) return state as ResumeState
  throw new Error('it is not what this program writes')
}

const PLACE_MEMBERS = ['file', 'position', 'line', 'lines', 'records', 'refused'] as const

function areCounts(values: unknown): boolean {
  return Array.isArray(values) && values.every((value) => Number.isSafeInteger(value) && value >= 0)
}

function areTexts(values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'string')
}
