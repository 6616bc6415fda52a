/** The documents of topics: creating, listing, describing, changing them, and their offsets. */

import type { Static } from '@sinclair/typebox'
import { strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import {
  BrokerId,
  Bytes,
  Epoch,
  Offset,
  PartitionNumber,
  Timestamp,
  TopicId,
  TopicName,
} from './scalars.ts'

/** More than any broker may have; the broker's own limit is `partitions.max`. */
const PARTITIONS_MAX = 100_000
const REPLICAS_MAX = 32
/** Far more than there are settings. */
const CONFIG_KEYS_MAX = 200

const Partitions = Type.Integer({
  minimum: 1,
  maximum: PARTITIONS_MAX,
  'x-error': 'INVALID_PARTITIONS',
})
const ReplicationFactor = Type.Integer({
  minimum: 1,
  maximum: REPLICAS_MAX,
  'x-error': 'INVALID_REPLICATION_FACTOR',
})

const ConfigKey = Type.String({ maxLength: 100 })
const ConfigValue = Type.Union([Type.Number(), Type.String({ maxLength: 1_000 })], {
  'x-error': 'INVALID_CONFIG',
})
const ConfigChange = Type.Union([Type.Number(), Type.String({ maxLength: 1_000 }), Type.Null()], {
  'x-error': 'INVALID_CONFIG',
})

const Config = Type.Record(ConfigKey, ConfigValue, {
  maxProperties: CONFIG_KEYS_MAX,
  description: 'Settings by Kafka’s keys, such as {"retention.ms": 86400000}.',
})

export const CreateTopic = strictObject({
  name: TopicName,
  partitions: Type.Optional(Partitions),
  replicationFactor: Type.Optional(ReplicationFactor),
  config: Type.Optional(Config),
})

/** The same, but the name is in the path. */
export const PutTopic = strictObject({
  partitions: Type.Optional(Partitions),
  replicationFactor: Type.Optional(ReplicationFactor),
  config: Type.Optional(Config),
})

export const AlterTopic = strictObject({
  partitions: Type.Optional(Partitions),
  config: Type.Optional(
    Type.Record(ConfigKey, ConfigChange, {
      maxProperties: CONFIG_KEYS_MAX,
      description: 'Settings to change; null puts one back to its default. Others stay.',
    }),
  ),
})

export const TopicSummary = strictObject({
  name: TopicName,
  topicId: TopicId,
  partitions: Type.Integer({ minimum: 1 }),
  replicationFactor: Type.Integer({ minimum: 1 }),
  isInternal: Type.Boolean(),
})

export const TopicList = strictObject({
  topics: Type.Array(TopicSummary),
  next: Type.Optional(
    Type.String({ description: 'There are more: ask again with after= this name.' }),
  ),
})

export const TopicConfigEntry = strictObject({
  value: Type.Union([Type.Number(), Type.String()]),
  source: Type.Union([Type.Literal('default'), Type.Literal('broker'), Type.Literal('topic')], {
    description: 'Where the value comes from.',
  }),
  description: Type.String(),
})

export const PartitionDescription = strictObject({
  partition: PartitionNumber,
  leader: BrokerId,
  leaderEpoch: Epoch,
  replicas: Type.Array(BrokerId),
  inSyncReplicas: Type.Array(BrokerId),
  isOffline: Type.Boolean({ description: 'True: its disk failed; nothing is read or written.' }),
  logStartOffset: Type.Union([Offset, Type.Null()]),
  highWatermark: Type.Union([Offset, Type.Null()]),
  logEndOffset: Type.Union([Offset, Type.Null()]),
  sizeBytes: Type.Union([Bytes, Type.Null()]),
  compaction: Type.Optional(
    strictObject(
      {
        dirtyRatio: Type.Number({
          minimum: 0,
          maximum: 1,
          description: 'The part of the closed segments that no compaction has looked at.',
        }),
        failure: Type.Union([Type.String(), Type.Null()], {
          description: 'Why the last compaction came to nothing; the log is as it was.',
        }),
      },
      { description: 'Where the topic is compacted (cleanup.policy).' },
    ),
  ),
})

export const TopicDescription = strictObject({
  name: TopicName,
  topicId: TopicId,
  replicationFactor: Type.Integer({ minimum: 1 }),
  isInternal: Type.Boolean(),
  config: Type.Record(Type.String(), TopicConfigEntry),
  partitions: Type.Array(PartitionDescription),
})

export const TopicOffsets = strictObject({
  topic: TopicName,
  topicId: TopicId,
  partitions: Type.Array(
    strictObject({
      partition: PartitionNumber,
      offset: Offset,
      timestamp: Type.Optional(Timestamp),
      logStartOffset: Offset,
      highWatermark: Offset,
    }),
  ),
})

export const TrimmedPartition = strictObject({
  topic: TopicName,
  partition: PartitionNumber,
  logStartOffset: Offset,
})

export type TopicDescription = Static<typeof TopicDescription>
export type PartitionDescription = Static<typeof PartitionDescription>
export type TopicOffsets = Static<typeof TopicOffsets>
export type TopicList = Static<typeof TopicList>
export type TopicSummary = Static<typeof TopicSummary>
