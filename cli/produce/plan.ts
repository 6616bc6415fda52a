/**
 * What `spool produce` was asked to do, checked as far as that goes without a broker: options that
 * contradict each other, or mean nothing together, are refused by name. Reads no file.
 */

import { type JsonPointer, parsePointer } from '../../broker/http/records/json-pointer.ts'
import { NO_HEADERS, type ProducedHeader } from '../../broker/http/records/produced-record.ts'
import { CONTENT_TYPE_NAME } from '../../broker/http/records/raw-headers.ts'
import { mediaTypeOf } from '../../client/api/media-types.ts'
import type { Acks, CompressionName } from '../../client/index.ts'
import { unescapeBytes } from '../escapes.ts'
import type { ProduceOptions } from '../produce-options.ts'
import { UsageError } from '../usage-error.ts'
import { contentTypeOf } from './content-type.ts'

/** `-` among the files, as elsewhere. */
export const STDIN = '-'

/** How a line becomes a record. */
export interface ReadingPlan {
  readonly format: 'lines' | 'json'
  /** Between key and value of a line. */
  readonly keyDelimiter: Buffer | undefined
  readonly keyFrom: JsonPointer | undefined
  readonly timestampFrom: JsonPointer | undefined
  /** Of records that have none of their own. */
  readonly key: Buffer | null
  readonly headers: readonly ProducedHeader[]
  readonly emptyIsNull: boolean
}

export interface SendingPlan {
  /** -1: by key. */
  readonly partition: number
  readonly compression: CompressionName
  readonly acks: Acks
  readonly lingerMs: number
  readonly deliveryTimeoutMs: number
}

export interface ProducePlan {
  readonly topic: string
  /** Files to load line by line; none: stdin. */
  readonly files: readonly string[]
  /** One file that is one record, instead. */
  readonly valueFile: string | undefined
  readonly delimiter: Buffer
  readonly reading: ReadingPlan
  readonly sending: SendingPlan
  readonly countMax: number
  /** Records a second. */
  readonly rate: number | undefined
  readonly skipsErrors: boolean
  /** Of files: go on where an interrupted upload stopped, begin again, or do not say. */
  readonly after: 'resume' | 'restart' | undefined
  readonly resumeFile: string | undefined
  readonly showsProgress: boolean
}

const LINGER_MS = 5
const DELIVERY_TIMEOUT_MS = 120_000

/** @throws UsageError naming the options that do not go together, or the word that means nothing. */
export function producePlan(word: unknown, options: ProduceOptions): ProducePlan {
  checkCombination(options)
  const files = options.fromFile ?? []
  if (files.length > 1 && files.includes(STDIN)) {
    throw new UsageError('-l - is stdin: it goes with no other file')
  }
  return {
    topic: topicOf(word, options),
    files: files[0] === STDIN ? [] : files,
    valueFile: options.valueFile,
    delimiter: delimiter(options.delimiter ?? '\\n', '-D'),
    reading: {
      format: options.format ?? 'lines',
      keyDelimiter:
        options.keyDelimiter === undefined ? undefined : delimiter(options.keyDelimiter, '-K'),
      keyFrom: pointer('--key-from', options.keyFrom),
      timestampFrom: pointer('--timestamp-from', options.timestampFrom),
      key: options.key === undefined ? null : Buffer.from(options.key),
      headers: headersOf(options),
      emptyIsNull: options.null === true,
    },
    sending: sendingPlan(options),
    countMax: options.count ?? Number.POSITIVE_INFINITY,
    rate: options.rate,
    skipsErrors: options.skipErrors === true,
    after: options.resume ? 'resume' : options.restart ? 'restart' : undefined,
    resumeFile: options.resumeFile,
    showsProgress: options.progress === true,
  }
}

function topicOf(word: unknown, { topic }: ProduceOptions): string {
  const name = (word as string | undefined) ?? topic
  if (name === undefined) throw new UsageError('which topic? spool produce TOPIC')
  if (word === undefined || topic === undefined || word === topic) return name
  throw new UsageError(`two topics are given: ${word} and -t ${topic}; there is one at a time`)
}

/** Options, by their names here, and how they are typed. */
const WORDS = {
  fromFile: '--from-file',
  format: '--format',
  delimiter: '-D',
  count: '-c',
  keyDelimiter: '-K',
  keyFrom: '--key-from',
  timestampFrom: '--timestamp-from',
  key: '-k',
  null: '-Z',
  rate: '--rate',
  skipErrors: '--skip-errors',
  resume: '--resume',
  restart: '--restart',
  resumeFile: '--resume-file',
  progress: '--progress',
} as const satisfies Partial<Record<keyof ProduceOptions, string>>

type Word = keyof typeof WORDS

const OF_FILES: readonly Word[] = ['resume', 'restart', 'resumeFile']
const OF_LINES: readonly Word[] = [
  'fromFile',
  'format',
  'delimiter',
  'count',
  'keyDelimiter',
  'rate',
  'skipErrors',
  ...OF_FILES,
  'progress',
]

function checkCombination(options: ProduceOptions): void {
  const refuse = (why: string, words: readonly Word[]) => {
    const given = words.find((word) => options[word] !== undefined)
    if (given !== undefined) throw new UsageError(`${why}: leave out ${WORDS[given]}`)
  }
  if (options.valueFile !== undefined) refuse('--value-file is one record, not lines', OF_LINES)
  else if (options.contentType !== undefined) {
    throw new UsageError('--content-type is of a value file: give --value-file')
  }
  if (options.format === 'json') {
    refuse('--format json says the parts of a record itself', [
      'keyDelimiter',
      'keyFrom',
      'timestampFrom',
      'null',
    ])
  }
  if (options.keyDelimiter !== undefined) {
    refuse('-K finds the key in the line, before the value', ['keyFrom'])
  }
  if (options.resume && options.restart) {
    throw new UsageError('--resume goes on and --restart begins again: leave out one of them')
  }
  const files = options.fromFile ?? []
  if (options.valueFile === undefined && (files.length === 0 || files[0] === STDIN)) {
    refuse('stdin can not be read again: only files, given with -l', OF_FILES)
  }
  if (options.acks === '0') {
    refuse('with --acks 0 nobody says what has arrived', OF_FILES)
  }
  if (options.keyFrom !== undefined) refuse('--key-from gives every record a key', ['key'])
}

/** @throws UsageError */
function delimiter(text: string, option: string): Buffer {
  const bytes = unescapeBytes(text, option)
  if (bytes.length > 0) return bytes
  throw new UsageError(`${option} is empty: expected what stands there, such as \\0 or \\t`)
}

function pointer(option: string, text: string | undefined): JsonPointer | undefined {
  if (text === undefined) return undefined
  const parsed = parsePointer(text)
  if (parsed !== undefined) return parsed
  throw new UsageError(
    `${option} ${JSON.stringify(text)} is no JSON Pointer: expected one such as /user or /user/id`,
  )
}

/** Visible ASCII, as it stands in a header of HTTP later. */
const CONTENT_TYPE = /^[\x20-\x7e]{1,256}$/

function headersOf(options: ProduceOptions): readonly ProducedHeader[] {
  const headers: ProducedHeader[] = []
  const add = (name: string, value: string) =>
    headers.push({ name: Buffer.from(name), value: Buffer.from(value) })
  const { valueFile, contentType } = options
  if (contentType !== undefined) {
    if (!CONTENT_TYPE.test(contentType) || mediaTypeOf(contentType) === null) {
      throw new UsageError(
        `--content-type ${JSON.stringify(contentType)}: expected a media type, such as image/png`,
      )
    }
    add(CONTENT_TYPE_NAME, contentType)
  } else if (valueFile !== undefined) {
    const told = contentTypeOf(valueFile)
    if (told !== undefined) add(CONTENT_TYPE_NAME, told)
  }
  for (const word of options.header ?? []) {
    const equals = word.indexOf('=')
    if (equals < 1) throw new UsageError(`-H ${JSON.stringify(word)}: expected name=value`)
    add(word.slice(0, equals), word.slice(equals + 1))
  }
  return headers.length === 0 ? NO_HEADERS : headers
}

function sendingPlan(options: ProduceOptions): SendingPlan {
  const { acks = 'all', lingerMs = LINGER_MS } = options
  const { deliveryTimeoutMs = DELIVERY_TIMEOUT_MS } = options
  if (lingerMs >= deliveryTimeoutMs) {
    throw new UsageError(
      `--linger-ms ${lingerMs} must be less than --delivery-timeout-ms ${deliveryTimeoutMs}: a line would run out of time before it goes`,
    )
  }
  return {
    partition: options.partition ?? -1,
    compression: options.compression ?? 'lz4',
    acks: acks === '0' ? 0 : acks === '1' ? 1 : 'all',
    lingerMs,
    deliveryTimeoutMs,
  }
}
