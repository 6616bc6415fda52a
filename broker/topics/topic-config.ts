/**
 * A topic's configuration: checks what a client sets, keeps only what was set, and gives the typed
 * values after defaults together with where each came from. Storing it is the topic service's.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { type LogConfig, logConfigFrom } from '../../storage/config.ts'
import { choiceFrom, numberFrom } from '../config/setting-value.ts'
import {
  COMPRESSION_TYPE,
  type CompressionType,
  MIN_INSYNC_REPLICAS,
  PARTITIONER,
  type Partitioner,
  TOPIC_SETTINGS,
  type TopicSetting,
  topicSetting,
} from './topic-settings.ts'

/** Key → value: numbers for numbers, text for choices. */
export type ConfigValues = Readonly<Record<string, number | string>>

/** What a client may send: numbers also as their decimal text (Kafka's way); null puts a key back to its default. */
export type ConfigChanges = Readonly<Record<string, number | string | null>>

/** A topic's settings, typed, after defaults. */
export interface TopicConfig {
  /** Only what was set for this topic. */
  readonly set: ConfigValues
  /** What its logs run with. */
  readonly log: LogConfig
  readonly compressionType: CompressionType
  readonly minInSyncReplicas: number
  readonly partitioner: Partitioner
}

export type ConfigSource = 'default' | 'broker' | 'topic'

export interface ConfigEntry {
  readonly key: string
  readonly value: number | string
  readonly source: ConfigSource
  /** One sentence for a person. */
  readonly sentence: string
}

/**
 * Applies checked changes over what was set before.
 *
 * @throws SpoolError INVALID_CONFIG naming the key, the value and what is allowed.
 */
export function changedConfig(before: ConfigValues, changes: ConfigChanges): ConfigValues {
  const after: Record<string, number | string> = { ...before }
  for (const [key, value] of Object.entries(changes)) {
    const setting = topicSetting(key)
    if (setting === undefined) throw unknownKey(key)
    if (value === null) delete after[key]
    else after[key] = parseValue(setting, value)
  }
  return after
}

/** The typed configuration from what was set for the topic and for this broker; both already checked. */
export function topicConfigFrom(set: ConfigValues, brokerDefaults: ConfigValues): TopicConfig {
  const value = (key: string) => effective(topicSetting(key)!, set, brokerDefaults)
  return {
    set,
    log: logConfigFrom({ ...brokerDefaults, ...set }),
    compressionType: value(COMPRESSION_TYPE) as CompressionType,
    minInSyncReplicas: value(MIN_INSYNC_REPLICAS) as number,
    partitioner: value(PARTITIONER) as Partitioner,
  }
}

/** Every setting with its value and source, in the order of the table. */
export function describeConfig(set: ConfigValues, brokerDefaults: ConfigValues): ConfigEntry[] {
  return TOPIC_SETTINGS.map((setting) => ({
    key: setting.key,
    value: effective(setting, set, brokerDefaults),
    source: sourceOf(setting.key, set, brokerDefaults),
    sentence: setting.sentence,
  }))
}

/**
 * The keys of `wanted` whose value in force is another one, each with both values: what a 409 names. Keys
 * that `wanted` does not have are not compared.
 */
export function configDifferences(
  wanted: ConfigValues,
  actual: ConfigValues,
  brokerDefaults: ConfigValues,
): { key: string; wanted: number | string; actual: number | string }[] {
  return TOPIC_SETTINGS.flatMap((setting) => {
    const value = wanted[setting.key]
    const inForce = effective(setting, actual, brokerDefaults)
    if (value === undefined || value === inForce) return []
    return [{ key: setting.key, wanted: value, actual: inForce }]
  })
}

function effective(setting: TopicSetting, set: ConfigValues, brokerDefaults: ConfigValues) {
  return set[setting.key] ?? brokerDefaults[setting.key] ?? setting.default
}

function sourceOf(key: string, set: ConfigValues, brokerDefaults: ConfigValues): ConfigSource {
  if (set[key] !== undefined) return 'topic'
  return brokerDefaults[key] !== undefined ? 'broker' : 'default'
}

function parseValue(setting: TopicSetting, value: number | string): number | string {
  const parsed = setting.kind === 'choice' ? choiceFrom(setting, value) : numberFrom(setting, value)
  if (parsed === undefined) throw outOfBounds(setting, value)
  return parsed
}

function outOfBounds(setting: TopicSetting, value: number | string): SpoolError {
  return new SpoolError(
    'INVALID_CONFIG',
    `${setting.key} is ${shown(value)}, which is not ${allowed(setting)}`,
  )
}

/** What a value may be, in words: "an integer from 1 to 32", "one of delete". */
export function allowed(setting: TopicSetting): string {
  if (setting.kind === 'choice') return `one of ${setting.choices.join(', ')}`
  const special = setting.minusOne === undefined ? '' : `, or -1 (${setting.minusOne})`
  const kind = setting.isFraction === true ? 'a number' : 'an integer'
  return `${kind} from ${setting.min} to ${setting.max} (${setting.unit})${special}`
}

function unknownKey(key: string): SpoolError {
  return new SpoolError(
    'INVALID_CONFIG',
    `${shown(key)} is no setting of a topic; these are: ${TOPIC_SETTINGS.map((setting) => setting.key).join(', ')}`,
  )
}

/** A client's text, quoted and cut short, so that it cannot pose as ours. */
function shown(value: number | string): string {
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value)
}
