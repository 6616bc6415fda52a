/**
 * What a broker runs with, typed, and what it means for a setting to be described: the kinds, and how a
 * key becomes a flag and an environment variable. The settings themselves are `settings-table.ts`.
 */

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** What a broker runs with, after defaults. Times in milliseconds, sizes in bytes. */
export interface BrokerSettings {
  readonly nodeId: number
  readonly dataDir: string
  readonly host: string
  readonly port: number

  readonly insecure: boolean
  readonly authTokenFile: string | undefined
  readonly allowedHosts: readonly string[]
  readonly corsAllowedOrigins: readonly string[]

  readonly connectionsMax: number
  readonly waitingRequestsMax: number
  readonly queuedBytesMax: number
  readonly httpBodyBytesMax: number
  readonly decompressedBytesMax: number
  readonly fetchBytesMax: number
  readonly lingerMs: number
  readonly httpHeadersMsMax: number
  readonly httpIdleMsMax: number
  readonly httpRequestMsMax: number
  readonly httpKeepAliveMsMax: number
  readonly streamBytesMax: number
  readonly streamStalledMsMax: number

  readonly numPartitions: number
  readonly defaultReplicationFactor: number
  readonly topicsMax: number
  readonly partitionsMax: number

  readonly groupsMax: number
  readonly groupsBytesMax: number
  readonly groupMembersMax: number
  readonly groupSessionMs: number
  readonly groupSessionMsMin: number
  readonly groupSessionMsMax: number
  readonly groupHeartbeatMs: number
  readonly groupPollMsMax: number
  readonly offsetsRetentionMinutes: number
  readonly offsetMetadataBytesMax: number
  readonly offsetsTopicPartitions: number

  readonly retentionCheckIntervalMs: number
  readonly producerIdExpirationMs: number
  readonly producerIdsPerPartitionMax: number
  readonly appendGroupBytesMax: number
  readonly diskReserveBytes: number
  readonly openFilesMax: number

  readonly cleanerEnabled: boolean
  readonly cleanerThreads: number
  readonly cleanerMapBytesMax: number
  readonly cleanerBufferBytes: number
  readonly cleanerBytesPerSecond: number
  readonly cleanerBackoffMs: number

  readonly logLevel: LogLevel
  readonly shutdownTimeoutMs: number

  /** Topic key → value, for topics that do not say otherwise: only what was set for this broker. */
  readonly topicDefaults: Readonly<Record<string, number | string>>
}

interface Described {
  readonly key: string
  /** Without the dashes; absent: the key with dots as dashes. */
  readonly flag?: string
  /** Absent: `SPOOL_` and the flag in capitals. */
  readonly environment?: string
  /** One sentence for a person. */
  readonly sentence: string
}

export type Unit =
  | 'ms'
  | 'minutes'
  | 'bytes'
  | 'records'
  | 'replicas'
  | 'count'
  | 'id'
  | 'port'
  | 'ratio'

export interface NumberSetting extends Described {
  readonly kind: 'number'
  readonly unit: Unit
  readonly default: number
  readonly min: number
  readonly max: number
  /** Any number in the range, not only integers. */
  readonly isFraction?: boolean
  /** What -1 means, where it is allowed beside [min, max]. */
  readonly minusOne?: string
}
export interface TextSetting extends Described {
  readonly kind: 'text'
  readonly default: string | undefined
  /** What stands for the value in the help, such as `DIR`. */
  readonly placeholder: string
}
export interface ChoiceSetting extends Described {
  readonly kind: 'choice'
  readonly default: string
  readonly choices: readonly string[]
  /** Other words for a choice. */
  readonly synonyms?: Readonly<Record<string, string>>
}
/** True or false; as a flag it needs no value. */
export interface SwitchSetting extends Described {
  readonly kind: 'switch'
  readonly default: boolean
}
/** Comma separated on the command line and in the environment, a list in the file. */
export interface ListSetting extends Described {
  readonly kind: 'list'
  readonly default: readonly string[]
  readonly placeholder: string
}
export type Setting = NumberSetting | TextSetting | ChoiceSetting | SwitchSetting | ListSetting

/** The kind of setting that yields a value of type T, so that table and type cannot drift apart. */
export type SettingFor<T> = [T] extends [number]
  ? NumberSetting
  : [T] extends [boolean]
    ? SwitchSetting
    : [T] extends [readonly string[]]
      ? ListSetting
      : TextSetting | ChoiceSetting

export type BrokerField = Exclude<keyof BrokerSettings, 'topicDefaults'>

/** The setting's flag, without the dashes. */
export function flagOf(setting: Setting): string {
  return setting.flag ?? setting.key.replaceAll('.', '-')
}

/** The setting's environment variable. */
export function environmentOf(setting: Setting): string {
  return setting.environment ?? `SPOOL_${flagOf(setting).replaceAll('-', '_').toUpperCase()}`
}
