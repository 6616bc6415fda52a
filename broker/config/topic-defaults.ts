/**
 * The defaults of topics, settable for a broker under the keys Kafka gives them there (`log.roll.ms` is
 * the default of a topic's `segment.ms`). Bounds, units and sentences come from the topics' own table.
 */

import { TOPIC_SETTINGS, type TopicSetting } from '../topics/topic-settings.ts'
import type { Setting } from './settings.ts'

/** Kafka's broker-wide key where it is not `log.` and the topic's key. */
const BROKER_KEYS: Readonly<Record<string, string>> = {
  'segment.ms': 'log.roll.ms',
  'max.message.bytes': 'message.max.bytes',
  'flush.messages': 'log.flush.interval.messages',
  'flush.ms': 'log.flush.interval.ms',
  'file.delete.delay.ms': 'log.segment.delete.delay.ms',
  'min.cleanable.dirty.ratio': 'log.cleaner.min.cleanable.ratio',
  'delete.retention.ms': 'log.cleaner.delete.retention.ms',
  'min.compaction.lag.ms': 'log.cleaner.min.compaction.lag.ms',
  'max.compaction.lag.ms': 'log.cleaner.max.compaction.lag.ms',
  'compression.type': 'compression.type',
  'min.insync.replicas': 'min.insync.replicas',
  'spool.partitioner': 'spool.partitioner',
}

export interface TopicDefault {
  /** The key in a topic's own configuration. */
  readonly topicKey: string
  /** The same thing as a setting of the broker. */
  readonly setting: Setting
}

function topicDefault(topic: TopicSetting): TopicDefault {
  const key = BROKER_KEYS[topic.key] ?? `log.${topic.key}`
  return { topicKey: topic.key, setting: { ...topic, key } }
}

export const TOPIC_DEFAULTS: readonly TopicDefault[] = TOPIC_SETTINGS.map(topicDefault)
