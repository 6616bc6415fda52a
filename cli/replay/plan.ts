/**
 * What `spool replay` was asked to do, checked as far as that goes without a broker: options that
 * contradict each other, or mean nothing together, are refused by name.
 */

import type { ConsumeRequest } from '../consume-plan.ts'
import { toTypedPosition } from '../position-words.ts'
import type { ReplayOptions } from '../replay-options.ts'
import { UsageError } from '../usage-error.ts'
import type { Pacings } from './pacing.ts'

export interface ReplayPlan {
  /** From where to where. */
  readonly request: ConsumeRequest
  readonly pacings: Pacings
  /** `undefined`: standard output. */
  readonly into: string | undefined
  readonly samePartitions: boolean
}

/** Options, by their names here, and how they are typed. */
const OF_PRINTING = {
  format: '-f',
  delimiter: '-D',
  keyDelimiter: '-K',
  null: '-Z',
  nullAs: '--null-as',
  as: '--as',
} as const satisfies Partial<Record<keyof ReplayOptions, string>>

/** @throws UsageError naming the options that do not go together, or the word that means nothing. */
export function replayPlan(topic: string, options: ReplayOptions): ReplayPlan {
  const { from = 'earliest', until, into, rate, speed, pauseMax } = options
  if (rate !== undefined && speed !== undefined) {
    throw new UsageError('--rate and --speed each say how fast: leave out one of them')
  }
  if (pauseMax !== undefined && speed === undefined) {
    throw new UsageError('--pause-max is about the pauses that --speed makes: give that too')
  }
  if (into === topic) {
    throw new UsageError(`--into ${into}: the topic would get all its records a second time`)
  }
  checkPrinting(options)
  return {
    request: {
      topic,
      partitions: options.partitions,
      from: toTypedPosition(from, '--from'),
      fromOption: '--from',
      until: until === undefined ? undefined : toTypedPosition(until, '--until'),
      endsAtEnd: true,
      countMax: Number.POSITIVE_INFINITY,
      outOfRange: options.outOfRange,
    },
    pacings: {
      perSecond: rate?.value,
      speed: speed?.value,
      pauseMsMax: pauseMax ?? Number.POSITIVE_INFINITY,
    },
    into,
    samePartitions: options.samePartitions === true,
  }
}

function checkPrinting(options: ReplayOptions): void {
  if (options.into === undefined) {
    if (options.samePartitions !== true) return
    throw new UsageError('--same-partitions is about another topic: give --into')
  }
  for (const [name, word] of Object.entries(OF_PRINTING)) {
    if (options[name as keyof typeof OF_PRINTING] === undefined) continue
    throw new UsageError(`${word} is about printing, and --into prints no records: leave out one`)
  }
}
