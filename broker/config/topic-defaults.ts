/**
 * The defaults of topics, settable for a broker under the keys Kafka gives them there (`log.roll.ms` is
 * the default of a topic's `segment.ms`). Bounds, units and sentences come from the engine's table.
 */

import { LOG_SETTINGS, type LogSetting } from '../../storage/config.ts'
import type { Setting } from './settings.ts'

/** Kafka's broker-wide key where it is not simply `log.` and the topic's key. */
const BROKER_KEYS: Readonly<Record<string, string>> = {
  'segment.ms': 'log.roll.ms',
  'max.message.bytes': 'message.max.bytes',
  'flush.messages': 'log.flush.interval.messages',
  'flush.ms': 'log.flush.interval.ms',
  'file.delete.delay.ms': 'log.segment.delete.delay.ms',
}

export interface TopicDefault {
  /** The key in a topic's own configuration. */
  readonly topicKey: string
  /** The same thing as a setting of the broker. */
  readonly setting: Setting
}

function topicDefault(log: LogSetting): TopicDefault {
  const key = BROKER_KEYS[log.key] ?? `log.${log.key}`
  const { field: _, ...described } = log
  return { topicKey: log.key, setting: { ...described, key } }
}

export const TOPIC_DEFAULTS: readonly TopicDefault[] = LOG_SETTINGS.map(topicDefault)
