/**
 * Every setting of one log, with Kafka's key, unit, default and bounds, in one table. The broker turns
 * it into topic configuration and documentation; the engine reads the typed `LogConfig` made from it.
 */

export type TimestampType = 'CreateTime' | 'LogAppendTime'
/** What happens to old records: they go by age and size, by a later one with their key, or by both. */
export type CleanupPolicy = 'delete' | 'compact' | 'compact,delete'

/** The settings of one log, typed, after defaults. Times in milliseconds, sizes in bytes. */
export interface LogConfig {
  readonly cleanupPolicy: CleanupPolicy
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
  readonly minCleanableDirtyRatio: number
  readonly deleteRetentionMs: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
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
  readonly unit: 'ms' | 'bytes' | 'records' | 'ratio'
  readonly default: number
  readonly min: number
  readonly max: number
  /** Any number in the range, not only integers. */
  readonly isFraction?: boolean
  /** What -1 means, where it is allowed beside [min, max]. */
  readonly minusOne?: string
}

export interface ChoiceSetting extends Described {
  readonly kind: 'choice'
  readonly choices: readonly string[]
  readonly default: string
  /** Other words for a choice. */
  readonly synonyms?: Readonly<Record<string, string>>
}

export type LogSetting = NumberSetting | ChoiceSetting

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Larger than any wait or size we mean: "no limit", as Kafka's Long.MAX_VALUE, but an exact number. */
export const UNLIMITED = Number.MAX_SAFE_INTEGER

/** Added to a time of day, it must stay an exact number. */
const UNLIMITED_MS = 2 ** 52

/** The largest batch any log may be set to take. */
export const MESSAGE_BYTES_MAX = 64 * MIB

export const LOG_SETTINGS: readonly LogSetting[] = [
  {
    kind: 'choice',
    key: 'cleanup.policy',
    field: 'cleanupPolicy',
    choices: ['delete', 'compact', 'compact,delete'],
    synonyms: { 'delete,compact': 'compact,delete' },
    default: 'delete',
    sentence:
      'What becomes of old records: delete removes segments by age and size; compact keeps the last record of every key, and refuses records without one; compact,delete does both.',
  },
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
      'A closed segment is deleted when both its newest record and its last append are older than this (where cleanup.policy has delete).',
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
      'Oldest closed segments of a partition are deleted while it holds at least this much without them (where cleanup.policy has delete).',
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
  {
    kind: 'number',
    key: 'min.cleanable.dirty.ratio',
    field: 'minCleanableDirtyRatio',
    unit: 'ratio',
    default: 0.5,
    min: 0,
    max: 1,
    isFraction: true,
    sentence:
      'A log is compacted when at least this part of its closed segments was not looked at yet.',
  },
  {
    kind: 'number',
    key: 'delete.retention.ms',
    field: 'deleteRetentionMs',
    unit: 'ms',
    default: DAY_MS,
    min: 0,
    max: UNLIMITED_MS,
    sentence:
      'How long compaction keeps a tombstone after it first met it: a reader must get from the start to the end within this time to learn of every deletion.',
  },
  {
    kind: 'number',
    key: 'min.compaction.lag.ms',
    field: 'minCompactionLagMs',
    unit: 'ms',
    default: 0,
    min: 0,
    max: UNLIMITED,
    sentence: 'A segment is not compacted while it has a record younger than this.',
  },
  {
    kind: 'number',
    key: 'max.compaction.lag.ms',
    field: 'maxCompactionLagMs',
    unit: 'ms',
    default: UNLIMITED,
    min: 1,
    max: UNLIMITED,
    sentence:
      'A record older than this is looked at, however little there is: the segment is closed and the log compacted.',
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

/** Of each key only the last record is kept. */
export function isCompacted(config: Pick<LogConfig, 'cleanupPolicy'>): boolean {
  return config.cleanupPolicy !== 'delete'
}

/** Old segments are deleted, by age and size. */
export function isDeletedByAge(config: LogConfig): boolean {
  return config.cleanupPolicy !== 'compact'
}

/** How old a segment may become before it is closed: only closed ones can be compacted. */
export function segmentAgeMsMax(config: LogConfig): number {
  const { segmentMs, maxCompactionLagMs } = config
  return isCompacted(config) ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs
}
