/** The options of a consumer: their types, defaults and checks, in one place. Pure. */

import type { JoinGroup } from '../api/schemas/groups.ts'
import { WAIT_MS_MAX } from '../api/schemas/records.ts'
import { integerWithin, invalid, shown, TIMER_MS_MAX } from '../option-checks.ts'
import { type PositionLike, positionText } from '../reader/position-text.ts'
import { auto, autoKey } from '../serdes/auto.ts'
import type { Deserializer } from '../serdes/serde.ts'
import type { OutOfRange } from '../transport.ts'
import type { ConsumerHooks } from './consumer-hooks.ts'

export interface ConsumerOptions<K = string | Uint8Array, V = unknown> extends ConsumerHooks {
  /** Who shares the work: each partition is read by one consumer of a group at a time. */
  readonly group: string
  /** What to read: give `topics` or `topicPattern`. A topic need not be there yet. */
  readonly topics?: readonly string[]
  /** A regular expression in RE2 syntax that the whole name of a topic matches. */
  readonly topicPattern?: string
  /** How keys are read; text where they are UTF-8, else bytes, when absent. */
  readonly key?: Deserializer<K>
  /** How values are read; `auto` when absent. */
  readonly value?: Deserializer<V>
  /** Where a group begins in topics of which it has committed nothing; `'earliest'` when absent. */
  readonly from?: PositionLike
  /**
   * A name that stays over restarts of the program, and that no other consumer of the group has now: what it
   * reads waits for it, for the length of its session, instead of going to others.
   */
  readonly instanceId?: string
  /** For people: shown where the group is described. */
  readonly clientId?: string
  /** How partitions are shared out, if most consumers of the group say so; `'uniform'` when absent. */
  readonly assignor?: 'uniform' | 'range'
  /** A consumer that was silent for longer has left; the broker's default (45 s) when absent. */
  readonly sessionTimeoutMs?: number
  /**
   * How long a record or batch may be in hand: until the loop asks for the next, or the handler is done. Who
   * takes longer leaves the group, its partitions go to others, and what it has in hand is not committed any
   * more; it joins again when the loop goes on, or, with `run`, at once. As Kafka's max.poll.interval.ms; 5
   * minutes when absent, 24 days at most.
   */
  readonly maxPollIntervalMs?: number
  /** How long letting go of a partition may take, work in hand included; 60 s when absent. */
  readonly rebalanceTimeoutMs?: number
  /**
   * True, the default: what the loop is done with is committed, every `autoCommitIntervalMs`, before a
   * partition is let go of, and at the end. False: only `commit` commits.
   */
  readonly autoCommit?: boolean
  /** 5 s when absent. */
  readonly autoCommitIntervalMs?: number
  /** Where to go on when the offset to read was removed; `'earliest'` when absent; `'error'` ends the loop. */
  readonly outOfRange?: 'earliest' | 'latest' | 'error'
  /** As of a reader, for all topics together; 16 MiB when absent. */
  readonly prefetchBytes?: number
  /** As of a reader. */
  readonly maxWaitMs?: number
  /** How long `close` waits for what is in hand, and for the commit; 10 s when absent. */
  readonly closeTimeoutMs?: number
  /** Aborted: the loop commits, leaves and rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** The broker takes none longer. */
const DAY_MS = 86_400_000

const NUMBERS = {
  rebalanceTimeoutMs: { default: 60_000, min: 1, max: DAY_MS },
  maxPollIntervalMs: { default: 300_000, min: 1, max: TIMER_MS_MAX },
  autoCommitIntervalMs: { default: 5_000, min: 1, max: TIMER_MS_MAX },
  prefetchBytes: { default: 16 * 1024 * 1024, min: 1, max: 2 ** 31 - 1 },
  maxWaitMs: { default: 1_000, min: 0, max: WAIT_MS_MAX },
  closeTimeoutMs: { default: 10_000, min: 0, max: TIMER_MS_MAX },
} as const

type NumberName = keyof typeof NUMBERS

const HOOKS = ['onAssigned', 'onRevoked', 'onLost', 'onReset', 'onTrouble', 'onRecovered'] as const
const TEXTS = ['topicPattern', 'instanceId', 'clientId'] as const
const OTHERS: readonly (keyof ConsumerOptions)[] = [
  'group',
  'topics',
  'key',
  'value',
  'from',
  'assignor',
  'sessionTimeoutMs',
  'autoCommit',
  'outOfRange',
  'signal',
]
const NAMES = new Set<string>([...Object.keys(NUMBERS), ...HOOKS, ...TEXTS, ...OTHERS])

export type Subscription = Omit<JoinGroup, 'memberId'>

type SubscriptionOptions = Pick<
  ConsumerOptions,
  (typeof TEXTS)[number] | 'topics' | 'from' | 'assignor' | 'sessionTimeoutMs'
>

export interface ConsumerSettings<K, V> extends Readonly<Record<NumberName, number>> {
  readonly group: string
  /** What it says of itself when it joins. */
  readonly subscription: Subscription
  readonly key: Deserializer<K>
  readonly value: Deserializer<V>
  readonly autoCommit: boolean
  readonly outOfRange: OutOfRange
  readonly hooks: ConsumerHooks
  readonly signal: AbortSignal | undefined
}

/**
 * Checks the options and fills in what is not given. Names of groups and topics, and what the broker has
 * bounds for, are for the broker to judge.
 *
 * @throws SpoolError INVALID_CONFIG naming the option, its value and what is allowed; INVALID_REQUEST for a
 * position.
 */
export function consumerSettings<K, V>(options: ConsumerOptions<K, V>): ConsumerSettings<K, V> {
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) throw invalid(`there is no option ${name} of a consumer`)
  }
  const { group, autoCommit = true, signal } = options
  if (typeof group !== 'string' || group === '') {
    throw invalid(`group is ${shown(group)}, not the name of a group`)
  }
  if ((options.topics === undefined) === (options.topicPattern === undefined)) {
    throw invalid('give topics or topicPattern, one of them')
  }
  if (typeof autoCommit !== 'boolean') {
    throw invalid(`autoCommit is ${shown(autoCommit)}, not true or false`)
  }
  const numbers = Object.fromEntries(
    Object.keys(NUMBERS).map((name) => [name, checkedNumber(name as NumberName, options)]),
  ) as Record<NumberName, number>
  const outOfRange = oneOf('outOfRange', options.outOfRange ?? 'earliest', OUT_OF_RANGE)
  return {
    ...numbers,
    group,
    subscription: subscriptionOf(options, numbers),
    // Where no serde is given, the type parameters are those of these two.
    key: options.key ?? (autoKey as Deserializer<unknown> as Deserializer<K>),
    value: options.value ?? (auto as Deserializer<unknown> as Deserializer<V>),
    autoCommit,
    outOfRange: outOfRange === 'error' ? undefined : outOfRange,
    hooks: checkedHooks(options),
    signal,
  }
}

const OUT_OF_RANGE = ['earliest', 'latest', 'error'] as const
const ASSIGNORS = ['uniform', 'range'] as const

function subscriptionOf(
  options: SubscriptionOptions,
  { rebalanceTimeoutMs }: Pick<ConsumerSettings<never, never>, 'rebalanceTimeoutMs'>,
): Subscription {
  const { topics, from, assignor, sessionTimeoutMs } = options
  const said = {
    topics: topics === undefined ? undefined : checkedTopics(topics),
    topicPattern: checkedText('topicPattern', options),
    instanceId: checkedText('instanceId', options),
    clientId: checkedText('clientId', options),
    from: from === undefined ? undefined : positionText(from, 'from'),
    assignor: assignor && oneOf('assignor', assignor, ASSIGNORS),
    sessionTimeoutMs:
      sessionTimeoutMs === undefined
        ? undefined
        : integerWithin('sessionTimeoutMs', sessionTimeoutMs, { min: 1, max: DAY_MS }),
    rebalanceTimeoutMs,
  }
  const isSaid = ([, value]: [string, unknown]) => value !== undefined
  return Object.fromEntries(Object.entries(said).filter(isSaid))
}

function checkedTopics(topics: readonly string[]): readonly string[] {
  const isRight =
    Array.isArray(topics) && topics.length > 0 && topics.every((it) => typeof it === 'string')
  if (!isRight) throw invalid('topics is not a list of names of topics with at least one')
  return [...new Set(topics)]
}

function checkedText(
  name: (typeof TEXTS)[number],
  options: Pick<ConsumerOptions, (typeof TEXTS)[number]>,
): string | undefined {
  const value = options[name]
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw invalid(`${name} is ${shown(value)}, not a text`)
}

/** Called as methods of the options, as they were given. */
function checkedHooks(options: ConsumerHooks): ConsumerHooks {
  for (const name of HOOKS) {
    const hook = options[name]
    if (hook !== undefined && typeof hook !== 'function') {
      throw invalid(`${name} is ${shown(hook)}, not a function`)
    }
  }
  return options
}

function checkedNumber(name: NumberName, options: Partial<Record<NumberName, number>>): number {
  const bounds = NUMBERS[name]
  return integerWithin(name, options[name] ?? bounds.default, bounds)
}

function oneOf<T>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw invalid(`${name} is ${shown(value)}, not one of ${allowed.join(', ')}`)
}
