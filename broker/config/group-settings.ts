/** The settings of consumer groups, as part of the table of all (`settings-table.ts`). Kafka's keys where Kafka has one. */

import { ConfigError } from './setting-value.ts'
import type { BrokerSettings, SettingFor } from './settings.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const DAY_MS = 24 * 60 * MINUTE_MS
const DAY_MINUTES = 24 * 60

export type GroupField =
  | 'groupsMax'
  | 'groupsBytesMax'
  | 'groupMembersMax'
  | 'groupSessionMs'
  | 'groupSessionMsMin'
  | 'groupSessionMsMax'
  | 'groupHeartbeatMs'
  | 'groupPollMsMax'
  | 'offsetsRetentionMinutes'
  | 'offsetMetadataBytesMax'
  | 'offsetsTopicPartitions'

export const GROUP_SETTINGS: {
  readonly [Field in GroupField]: SettingFor<BrokerSettings[Field]>
} = {
  groupsMax: {
    kind: 'number',
    key: 'groups.max',
    unit: 'count',
    default: 10_000,
    min: 1,
    max: 1_000_000,
    sentence: 'Consumer groups at most; beginning another is refused.',
  },
  groupsBytesMax: {
    kind: 'number',
    key: 'groups.max.bytes',
    unit: 'bytes',
    default: 256 * MIB,
    min: MIB,
    max: 64 * GIB,
    sentence:
      'Memory that members, patterns and committed offsets of all groups may take, about; beyond it new members and commits for further partitions are refused.',
  },
  groupMembersMax: {
    kind: 'number',
    key: 'group.consumer.max.size',
    unit: 'count',
    default: 1_000,
    min: 1,
    max: 100_000,
    sentence: 'Members of one group at most; one more is refused.',
  },
  groupSessionMs: {
    kind: 'number',
    key: 'group.consumer.session.timeout.ms',
    unit: 'ms',
    default: 45 * SECOND_MS,
    min: SECOND_MS,
    max: DAY_MS,
    sentence:
      'A member that is silent for this long has left, where it does not say otherwise itself.',
  },
  groupSessionMsMin: {
    kind: 'number',
    key: 'group.consumer.min.session.timeout.ms',
    unit: 'ms',
    default: SECOND_MS,
    min: 100,
    max: DAY_MS,
    sentence: 'The shortest session a member may ask for.',
  },
  groupSessionMsMax: {
    kind: 'number',
    key: 'group.consumer.max.session.timeout.ms',
    unit: 'ms',
    default: 30 * MINUTE_MS,
    min: SECOND_MS,
    max: DAY_MS,
    sentence: 'The longest session a member may ask for.',
  },
  groupHeartbeatMs: {
    kind: 'number',
    key: 'group.consumer.heartbeat.interval.ms',
    unit: 'ms',
    default: 5 * SECOND_MS,
    min: 50,
    max: DAY_MS,
    sentence: 'How often members are told to say that they are there.',
  },
  groupPollMsMax: {
    kind: 'number',
    key: 'max.poll.interval.ms',
    unit: 'ms',
    default: 5 * MINUTE_MS,
    min: 100,
    max: DAY_MS,
    sentence:
      'The reader of a group’s stream that takes nothing for this long loses its partitions.',
  },
  offsetsRetentionMinutes: {
    kind: 'number',
    key: 'offsets.retention.minutes',
    unit: 'minutes',
    default: 7 * DAY_MINUTES,
    min: 1,
    max: 100 * 365 * DAY_MINUTES,
    sentence: 'How long the offsets of a group without members are kept.',
  },
  offsetMetadataBytesMax: {
    kind: 'number',
    key: 'offset.metadata.max.bytes',
    unit: 'bytes',
    default: 4 * KIB,
    min: 0,
    max: 4 * KIB,
    sentence: 'The longest text beside a committed offset.',
  },
  offsetsTopicPartitions: {
    kind: 'number',
    key: 'offsets.topic.num.partitions',
    unit: 'count',
    default: 4,
    min: 1,
    max: 1_000,
    sentence:
      'Partitions of __consumer_offsets, fixed when the first group begins. Few, so that the commits of many groups share a sync.',
  },
}

/** @throws ConfigError where the session of a member that asks for none is one that nobody may ask for. */
export function checkGroupSessions({
  groupSessionMs,
  groupSessionMsMin,
  groupSessionMsMax,
}: BrokerSettings): void {
  const session = `${GROUP_SETTINGS.groupSessionMs.key} is ${groupSessionMs}`
  if (groupSessionMs < groupSessionMsMin) {
    const { key } = GROUP_SETTINGS.groupSessionMsMin
    throw new ConfigError(`setting ${session}, less than ${key}, ${groupSessionMsMin}`)
  }
  if (groupSessionMs > groupSessionMsMax) {
    const { key } = GROUP_SETTINGS.groupSessionMsMax
    throw new ConfigError(`setting ${session}, more than ${key}, ${groupSessionMsMax}`)
  }
}
