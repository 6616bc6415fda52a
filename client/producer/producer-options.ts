/** The options of a producer: their types, defaults and checks, in one place. Pure. */

import { TIMEOUT_MS_MAX } from '../api/schemas/records.ts'
import { integerWithin, invalid, shown, TIMER_MS_MAX } from '../option-checks.ts'
import { auto, autoKey } from '../serdes/auto.ts'
import type { Serializer } from '../serdes/serde.ts'
import type { Acks, CompressionName } from '../transport.ts'
import type { Delivery } from './delivery.ts'
import { EPOCH_MAX } from './partition-line.ts'

/**
 * A producer that was there before, perhaps in another process: its id and epoch (`admin.createProducer`
 * gave them), and the number that the next record of each partition has. Every record is numbered by its
 * place in its partition, from 0 on, for ever, and none is given another number: the broker then appends
 * each once, whoever sends it and in whatever batches, as long as it remembers the producer. So whoever
 * looks up in the log how many are there, and goes on with the next, repeats nothing and leaves out
 * nothing. A batch that fails takes everything behind it in its partition along;
 * OUT_OF_ORDER_SEQUENCE_NUMBER says that the log holds other numbers than these.
 */
export interface ProducerContinuation {
  /** Of the one topic that is written to. */
  readonly topicId: string
  readonly producerId: number
  readonly producerEpoch: number
  /** By partition, modulo 2^31; 0 where absent. */
  readonly sequences: Readonly<Record<number, number>>
}

export interface ProducerOptions<K = string | number | bigint | Uint8Array, V = unknown> {
  /** Where records go that name no topic. */
  readonly topic?: string
  /** How keys are written; text as UTF-8, integers as their decimal text, bytes as they are, when absent. */
  readonly key?: Serializer<K>
  /** How values are written; `auto` when absent: text, bytes, anything else as JSON. */
  readonly value?: Serializer<V>
  /**
   * How long a batch waits to be filled. 0, the default: it goes at the end of the current tick, or fills
   * until those of its partition that are under way make room for it.
   */
  readonly lingerMs?: number
  /** How large a batch grows before compression; the topic's `max.message.bytes` where that is less. */
  readonly batchBytes?: number
  /** What may be held that is not acknowledged, before compression: 64 MiB when absent. */
  readonly bufferBytesMax?: number
  /** The most that goes in one request: the batches of several partitions share it. */
  readonly requestBytesMax?: number
  /** `lz4` when absent. Over `fetch` the broker compresses. */
  readonly compression?: CompressionName
  /** Who must have the records before they count as sent: all in sync (default), the leader, nobody. */
  readonly acks?: Acks
  /**
   * Each record is appended once, whatever has to be repeated: true when absent, but with `acks: 0`.
   * Without it a repeat after a lost answer may append a batch a second time, and one batch of a
   * partition is under way at a time, so that they keep their order.
   */
  readonly idempotent?: boolean
  /** Goes on as a producer that was there before. */
  readonly continues?: ProducerContinuation
  /** From when a batch is begun to its fate, retries included; then it fails with REQUEST_TIMED_OUT. */
  readonly deliveryTimeoutMs?: number
  /** How long the broker may take to acknowledge one request; not longer than `deliveryTimeoutMs`. */
  readonly requestTimeoutMs?: number
  /** The first wait before a repeat; each further one is twice as long. */
  readonly retryBackoffMs?: number
  readonly retryBackoffMsMax?: number
  /** How long `close` goes on trying to send what is there. */
  readonly closeTimeoutMs?: number
  /** Hears the fate of every batch, once. Must not throw. */
  readonly onDelivery?: (delivery: Delivery) => void
}

const MIB = 1024 * 1024

const NUMBERS = {
  lingerMs: { default: 0, min: 0, max: 60_000 },
  // A fifth more bytes a second than with 256 KiB; only a busy producer ever fills one.
  batchBytes: { default: 1 * MIB, min: 1, max: 512 * MIB },
  bufferBytesMax: { default: 64 * MIB, min: 1, max: Number.MAX_SAFE_INTEGER },
  // A quarter of what a broker takes by default (`http.body.bytes.max`).
  requestBytesMax: { default: 8 * MIB, min: 1, max: 1024 * MIB },
  deliveryTimeoutMs: { default: 120_000, min: 1, max: TIMER_MS_MAX },
  requestTimeoutMs: { default: 30_000, min: 1, max: TIMEOUT_MS_MAX },
  retryBackoffMs: { default: 100, min: 1, max: 3_600_000 },
  retryBackoffMsMax: { default: 1_000, min: 1, max: 3_600_000 },
  closeTimeoutMs: { default: 30_000, min: 0, max: TIMER_MS_MAX },
} as const

type NumberName = keyof typeof NUMBERS

/** Every option with its value. */
export interface ProducerSettings<K, V> extends Readonly<Record<NumberName, number>> {
  readonly topic: string | undefined
  readonly key: Serializer<K>
  readonly value: Serializer<V>
  readonly compression: CompressionName
  readonly acks: Acks
  readonly idempotent: boolean
  readonly continues: ProducerContinuation | undefined
  readonly onDelivery: ((delivery: Delivery) => void) | undefined
}

/** What the sending half needs to know: nothing of keys and values. */
export type SendingSettings = Omit<ProducerSettings<never, never>, 'key' | 'value' | 'topic'>

const COMPRESSIONS: readonly CompressionName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const ACKS: readonly Acks[] = ['all', 1, 0]
const OTHERS = [
  'topic',
  'key',
  'value',
  'compression',
  'acks',
  'idempotent',
  'continues',
  'onDelivery',
]
const SEQUENCE_MAX = 2 ** 31 - 1

/**
 * Checks the options and fills in what is not given.
 *
 * @throws SpoolError INVALID_CONFIG naming the option, its value and what is allowed.
 */
export function producerSettings<K, V>(options: ProducerOptions<K, V>): ProducerSettings<K, V> {
  for (const name of Object.keys(options)) {
    if (name in NUMBERS || OTHERS.includes(name)) continue
    const known = [...OTHERS, ...Object.keys(NUMBERS)].join(', ')
    throw invalid(`there is no option ${name}; there are ${known}`)
  }
  const numbers = Object.fromEntries(
    Object.keys(NUMBERS).map((name) => [name, checkedNumber(name as NumberName, options)]),
  ) as Record<NumberName, number>
  const acks = oneOf('acks', options.acks ?? 'all', ACKS)
  const idempotent = checkedIdempotent(options.idempotent, acks)
  const settings = {
    ...numbers,
    // Who gave a record up waits no longer for what holds up those behind it.
    requestTimeoutMs: Math.min(numbers.requestTimeoutMs, numbers.deliveryTimeoutMs),
    topic: checkedTopic(options.topic),
    // The defaults take what the default types allow.
    key: checkedSerde('key', options.key ?? (autoKey as Serializer<K>)),
    value: checkedSerde('value', options.value ?? (auto as Serializer<V>)),
    compression: oneOf('compression', options.compression ?? 'lz4', COMPRESSIONS),
    acks,
    idempotent,
    continues: checkedContinuation(options.continues, idempotent),
    onDelivery: checkedListener(options.onDelivery),
  }
  if (settings.lingerMs < settings.deliveryTimeoutMs) return settings
  throw invalid(
    `lingerMs is ${settings.lingerMs}, and must be less than deliveryTimeoutMs, ${settings.deliveryTimeoutMs}: a batch would run out of time before it goes`,
  )
}

function checkedNumber(name: NumberName, options: Partial<Record<NumberName, number>>): number {
  const bounds = NUMBERS[name]
  return integerWithin(name, options[name] ?? bounds.default, bounds)
}

function checkedTopic(topic: string | undefined): string | undefined {
  if (topic === undefined || (typeof topic === 'string' && topic !== '')) return topic
  throw invalid(`topic is ${shown(topic)}, not the name of a topic`)
}

function checkedSerde<T>(name: string, serde: Serializer<T>): Serializer<T> {
  if (typeof serde?.serialize === 'function') return serde
  throw invalid(`${name} is ${shown(serde)}, not a serde: an object with a method serialize`)
}

function checkedIdempotent(given: boolean | undefined, acks: Acks): boolean {
  const value = given ?? acks !== 0
  if (typeof value !== 'boolean') {
    throw invalid(`idempotent is ${shown(value)}, not true or false`)
  }
  if (!value || acks !== 0) return value
  throw invalid('idempotent is true and acks is 0: who hears no answer can repeat nothing')
}

function checkedContinuation(
  continues: ProducerContinuation | undefined,
  isIdempotent: boolean,
): ProducerContinuation | undefined {
  if (continues === undefined) return undefined
  if (!isIdempotent) {
    throw invalid('continues is given and idempotent is false: it is numbers that are continued')
  }
  const { topicId, producerId, producerEpoch, sequences } = continues
  const isRight =
    typeof topicId === 'string' &&
    isIntegerUpTo(producerId, Number.MAX_SAFE_INTEGER) &&
    isIntegerUpTo(producerEpoch, EPOCH_MAX) &&
    typeof sequences === 'object' &&
    Object.values(sequences).every((sequence) => isIntegerUpTo(sequence, SEQUENCE_MAX))
  if (isRight) return continues
  throw invalid(
    `continues is not {topicId, producerId, producerEpoch, sequences} with sequences from 0 to ${SEQUENCE_MAX}`,
  )
}

function isIntegerUpTo(value: unknown, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max
}

function checkedListener<T>(listener: T | undefined): T | undefined {
  if (listener === undefined || typeof listener === 'function') return listener
  throw invalid(`onDelivery is ${shown(listener)}, not a function`)
}

function oneOf<T>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw invalid(`${name} is ${shown(value)}, not one of ${allowed.join(', ')}`)
}
