/**
 * Every setting of one log, with Kafka's key, unit, default and bounds, in one table. The broker turns
 * it into topic configuration and documentation; the engine reads the typed `LogConfig` made from it.
 */

export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** The settings of one log, typed, after defaults. Times in milliseconds, sizes in bytes. */
export interface LogConfig {
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly maxMessageBytes: number
  readonly flushMessages: number
  readonly flushMs: number
  readonly messageTimestampType: TimestampType
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly fileDeleteDelayMs: number
}

interface Described {
  /** Kafka's key for it. */
  readonly key: string
  readonly field: keyof LogConfig
  /** One sentence for a person. */
  readonly sentence: string
}

export interface NumberSetting extends Described {
  readonly kind: 'number'
  readonly unit: 'ms' | 'bytes' | 'records'
  readonly default: number
  readonly min: number
  readonly max: number
  /** What -1 means, where it is allowed beside [min, max]. */
  readonly minusOne?: string
}

export interface ChoiceSetting extends Described {
  readonly kind: 'choice'
  readonly choices: readonly string[]
  readonly default: string
}

export type LogSetting = NumberSetting | ChoiceSetting

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Larger than any wait or size we mean: "no limit", as Kafka's Long.MAX_VALUE, but an exact number. */
export const UNLIMITED = Number.MAX_SAFE_INTEGER

/** The largest batch any log may be set to take. */
export const MESSAGE_BYTES_MAX = 64 * MIB

export const LOG_SETTINGS: readonly LogSetting[] = [
  {
    kind: 'number',
    key: 'retention.ms',
    field: 'retentionMs',
    unit: 'ms',
    default: 7 * DAY_MS,
    min: 1,
    max: UNLIMITED,
    minusOne: 'keep for ever',
    sentence:
      'A closed segment is deleted when both its newest record and its last append are older than this.',
  },
  {
    kind: 'number',
    key: 'retention.bytes',
    field: 'retentionBytes',
    unit: 'bytes',
    default: -1,
    min: 0,
    max: UNLIMITED,
    minusOne: 'no limit',
    sentence:
      'Oldest closed segments of a partition are deleted while it holds at least this much without them.',
  },
  {
    kind: 'number',
    key: 'segment.bytes',
    field: 'segmentBytes',
    unit: 'bytes',
    default: GIB,
    min: 1 * KIB,
    max: 2 * GIB - 1,
    sentence: 'A segment file is closed and a new one begun before it would exceed this.',
  },
  {
    kind: 'number',
    key: 'segment.ms',
    field: 'segmentMs',
    unit: 'ms',
    default: 7 * DAY_MS,
    min: 1_000,
    max: UNLIMITED,
    sentence: 'A segment that is not empty is closed when it is older than this.',
  },
  {
    kind: 'number',
    key: 'index.interval.bytes',
    field: 'indexIntervalBytes',
    unit: 'bytes',
    default: 4 * KIB,
    min: 0,
    max: GIB,
    sentence: 'One index entry is written for about every so many bytes of record batches.',
  },
  {
    kind: 'number',
    key: 'max.message.bytes',
    field: 'maxMessageBytes',
    unit: 'bytes',
    default: 8 * MIB,
    min: 1 * KIB,
    max: MESSAGE_BYTES_MAX,
    sentence: 'The largest record batch, as it arrives (compressed), that the topic takes.',
  },
  {
    kind: 'number',
    key: 'flush.messages',
    field: 'flushMessages',
    unit: 'records',
    default: 1,
    min: 1,
    max: UNLIMITED,
    sentence:
      'How many records may be unsynced. 1: a write is acknowledged only after it is on stable storage. More: it is acknowledged once written to the operating system.',
  },
  {
    kind: 'number',
    key: 'flush.ms',
    field: 'flushMs',
    unit: 'ms',
    default: 1_000,
    min: 1,
    max: UNLIMITED,
    sentence: 'Where flush.messages is above 1: the longest a written record stays unsynced.',
  },
  {
    kind: 'choice',
    key: 'message.timestamp.type',
    field: 'messageTimestampType',
    choices: ['CreateTime', 'LogAppendTime'],
    default: 'CreateTime',
    sentence:
      'Whether a record keeps the timestamp it was sent with or gets the time of its append.',
  },
  {
    kind: 'number',
    key: 'message.timestamp.before.max.ms',
    field: 'messageTimestampBeforeMaxMs',
    unit: 'ms',
    default: UNLIMITED,
    min: 0,
    max: UNLIMITED,
    sentence:
      'A record whose timestamp is further in the past than this is refused (CreateTime only).',
  },
  {
    kind: 'number',
    key: 'message.timestamp.after.max.ms',
    field: 'messageTimestampAfterMaxMs',
    unit: 'ms',
    default: HOUR_MS,
    min: 0,
    max: UNLIMITED,
    sentence:
      'A record whose timestamp is further in the future than this is refused (CreateTime only).',
  },
  {
    kind: 'number',
    key: 'file.delete.delay.ms',
    field: 'fileDeleteDelayMs',
    unit: 'ms',
    default: 1_000,
    min: 0,
    max: DAY_MS,
    sentence: 'How long a deleted segment file stays on disk, out of reach, before it is removed.',
  },
]

/** The configuration of a log for which nothing was said. */
export const DEFAULT_LOG_CONFIG: LogConfig = logConfigFrom({})

/**
 * Builds the typed configuration from values that were already checked against `LOG_SETTINGS`
 * (the broker checks them where they enter); what is absent gets its default.
 */
export function logConfigFrom(values: Readonly<Record<string, number | string>>): LogConfig {
  const config: Partial<Record<keyof LogConfig, number | string>> = {}
  for (const setting of LOG_SETTINGS) config[setting.field] = values[setting.key] ?? setting.default
  return config as unknown as LogConfig
}

/** Every acknowledgement of this log waits for stable storage. */
export function acknowledgesAfterSync(config: LogConfig): boolean {
  return config.flushMessages === 1
}
