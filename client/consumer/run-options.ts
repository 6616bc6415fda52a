/** The options of `run` and `runBatches`: their types, defaults and checks, in one place. Pure. */

import { SpoolError } from '../api/errors.ts'
import { integerWithin, invalid, shown, TIMER_MS_MAX } from '../option-checks.ts'

/** What a handler gets besides the record or batch. */
export interface RunContext {
  /**
   * Aborted when the partition is somebody else's, when a handler has taken longer than `maxPollIntervalMs`,
   * or when the consumer was closed and its time is up. What it does then does not count any more.
   */
  readonly signal: AbortSignal
  /** From 1 on; of a batch whose handler named a record that failed, that record's. */
  readonly attempt: number
}

export type Handler<T> = (given: T, context: RunContext) => unknown

export interface RunRetry {
  /** How often a handler is called for the same record at most, the first time included; 3 when absent. */
  readonly attempts?: number
  /** The wait before the second attempt; each further one is twice as long. 1 s when absent. */
  readonly backoffMs?: number
  /** 30 s when absent. */
  readonly backoffMsMax?: number
  /** False: another attempt would fail as well. When absent: false for what a serde can not read. */
  readonly isWorthIt?: (error: unknown) => boolean
}

export interface DeadLetters {
  /**
   * Where records go that failed: a name, or one for each topic; `<topic>.dlq` when absent. A topic that this
   * consumer reads as well may not send its own there, straight or by way of others: that would never end.
   */
  readonly topic?: string | ((topic: string) => string)
  /**
   * True, the default: the topic is created where it is not there, with the broker's defaults, but for
   * `max.message.bytes`, which is as large as that of the topic where the record is. What has no room in it goes there without its value.
   */
  readonly create?: boolean
  /** Told of each record that went there. */
  readonly onDeadLetter?: (letter: DeadLetter) => unknown
}

export interface DeadLetter {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Of a batch that can not be read, all of which is one letter: one past its last record. */
  readonly nextOffset?: number
  readonly error: unknown
  /** Where it is now. */
  readonly to: { readonly topic: string; readonly partition: number; readonly offset: number }
}

export interface RunOptions {
  /**
   * How many partitions are worked on at one time; 1 when absent. Of each, one record after another. Those
   * whose record waits for another attempt do not count.
   */
  readonly concurrency?: number
  /** When a handler throws; without it, it is called once. */
  readonly retry?: RunRetry
  /**
   * Where records go whose handler threw, for the last time, and batches whose bytes can not be read; then
   * the next is worked on. Absent: `run` rejects with what it threw, or with CORRUPT_MESSAGE.
   */
  readonly deadLetter?: boolean | DeadLetters
}

export interface RetrySettings {
  readonly attempts: number
  readonly backoffMs: number
  readonly backoffMsMax: number
  readonly isWorthIt: (error: unknown) => boolean
}

export interface DeadLetterSettings {
  readonly topicFor: (topic: string) => string
  readonly create: boolean
  readonly onDeadLetter: ((letter: DeadLetter) => unknown) | undefined
}

export interface RunSettings {
  readonly concurrency: number
  readonly retry: RetrySettings
  readonly deadLetter: DeadLetterSettings | undefined
}

const CONCURRENCY_MAX = 10_000
const ATTEMPTS_DEFAULT = 3
const BACKOFF_MS_DEFAULT = 1_000
const BACKOFF_MS_MAX_DEFAULT = 30_000

const NAMES = new Set(['concurrency', 'retry', 'deadLetter'])
const RETRY_NAMES = new Set(['attempts', 'backoffMs', 'backoffMsMax', 'isWorthIt'])
const LETTER_NAMES = new Set(['topic', 'create', 'onDeadLetter'])

/**
 * `topics` are those the consumer reads, as far as it names them.
 *
 * @throws SpoolError INVALID_CONFIG naming the option, its value and what is allowed.
 */
export function runSettings(options: RunOptions, topics: readonly string[] = []): RunSettings {
  checkNames(options, NAMES, 'run')
  const deadLetter = deadLetterSettings(options.deadLetter)
  if (deadLetter !== undefined) checkNoCircle(topics, deadLetter.topicFor)
  return {
    concurrency: integerWithin('concurrency', options.concurrency ?? 1, {
      min: 1,
      max: CONCURRENCY_MAX,
    }),
    retry: retrySettings(options.retry),
    deadLetter,
  }
}

function retrySettings(retry: RunRetry | undefined): RetrySettings {
  if (retry !== undefined) checkNames(retry, RETRY_NAMES, 'retry')
  const { attempts = ATTEMPTS_DEFAULT, backoffMs = BACKOFF_MS_DEFAULT } = retry ?? { attempts: 1 }
  const { backoffMsMax = Math.max(backoffMs, BACKOFF_MS_MAX_DEFAULT) } = retry ?? {}
  return {
    attempts: integerWithin('retry.attempts', attempts, { min: 1, max: Number.MAX_SAFE_INTEGER }),
    backoffMs: integerWithin('retry.backoffMs', backoffMs, { min: 0, max: TIMER_MS_MAX }),
    backoffMsMax: integerWithin('retry.backoffMsMax', backoffMsMax, {
      min: backoffMs,
      max: TIMER_MS_MAX,
    }),
    isWorthIt: checkedFunction('retry.isWorthIt', retry?.isWorthIt) ?? isReadable,
  }
}

/** The same bytes will not become readable. */
function isReadable(error: unknown): boolean {
  return !(error instanceof SpoolError && error.code === 'SERIALIZATION_FAILED')
}

function deadLetterSettings(given: boolean | DeadLetters | undefined) {
  if (given === undefined || given === false) return undefined
  const { topic, create = true, onDeadLetter } = given === true ? {} : given
  if (given !== true) checkNames(given, LETTER_NAMES, 'deadLetter')
  if (typeof create !== 'boolean') {
    throw invalid(`deadLetter.create is ${shown(create)}, not true or false`)
  }
  return {
    topicFor: topicNaming(topic),
    create,
    onDeadLetter: checkedFunction('deadLetter.onDeadLetter', onDeadLetter),
  }
}

function topicNaming(topic: DeadLetters['topic']): (topic: string) => string {
  if (topic === undefined) return (name) => `${name}.dlq`
  if (typeof topic === 'string' && topic !== '') return () => topic
  if (typeof topic !== 'function') {
    throw invalid(`deadLetter.topic is ${shown(topic)}, not the name of a topic or a function`)
  }
  return (name) => {
    const given: unknown = topic(name)
    if (typeof given === 'string' && given !== '') return given
    throw invalid(`deadLetter.topic gives ${shown(given)} for ${name}, not the name of a topic`)
  }
}

/** A record that fails in every topic of a circle would be written again and again, for ever. */
function checkNoCircle(topics: readonly string[], topicFor: (topic: string) => string): void {
  for (const topic of topics) {
    const way = [topic]
    while (topics.includes(way.at(-1)!)) {
      const next = topicFor(way.at(-1)!)
      if (way.includes(next)) throw circle([...way, next])
      way.push(next)
    }
  }
}

/** What is to be said of dead letters that would come back. */
export function circle(way: readonly string[]): SpoolError {
  return invalid(
    `deadLetter.topic sends what fails round in a circle, ${way.join(' → ')}: name a topic that this consumer does not read`,
  )
}

function checkNames(options: object, names: ReadonlySet<string>, of: string): void {
  for (const name of Object.keys(options)) {
    if (!names.has(name)) throw invalid(`there is no option ${name} of ${of}`)
  }
}

function checkedFunction<F>(name: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw invalid(`${name} is ${shown(value)}, not a function`)
}
