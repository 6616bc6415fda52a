/**
 * The numbers a group lives by, as one object that the coordinator fills from the broker's settings
 * (Kafka's names where Kafka has one), and the fixed bounds that are no settings. No behaviour.
 */

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS

export interface GroupLimits {
  /** `group.consumer.max.size` */
  readonly membersMax: number
  /** `group.consumer.session.timeout.ms`: for a member that asks for none. */
  readonly sessionTimeoutMs: number
  /** `group.consumer.min.session.timeout.ms` */
  readonly sessionTimeoutMsMin: number
  /** `group.consumer.max.session.timeout.ms` */
  readonly sessionTimeoutMsMax: number
  /** `group.consumer.heartbeat.interval.ms`: told to members, who are to heartbeat that often. */
  readonly heartbeatIntervalMs: number
  /** `offsets.retention.minutes`, in milliseconds. */
  readonly offsetsRetentionMs: number
  /** `offset.metadata.max.bytes`: of the text beside a committed offset, in UTF-8. */
  readonly offsetMetadataBytesMax: number
}

export const DEFAULT_GROUP_LIMITS: GroupLimits = {
  membersMax: 1_000,
  sessionTimeoutMs: 45 * SECOND_MS,
  sessionTimeoutMsMin: SECOND_MS,
  // Kafka's is 60 s. Longer here, because a member may be a script that polls every few minutes.
  sessionTimeoutMsMax: 30 * MINUTE_MS,
  heartbeatIntervalMs: 5 * SECOND_MS,
  offsetsRetentionMs: 7 * 24 * 60 * MINUTE_MS,
  offsetMetadataBytesMax: 4_096,
}

/** How long a member may take to let go of partitions, when it does not say: HTTP's 60 s. */
export const REBALANCE_TIMEOUT_MS_DEFAULT = 60 * SECOND_MS
export const REBALANCE_TIMEOUT_MS_MIN = SECOND_MS
/** Nobody gets the partitions meanwhile, so a longer promise serves nobody. */
export const REBALANCE_TIMEOUT_MS_MAX = 30 * MINUTE_MS

/** An empty group without a committed offset is forgotten after this long: there is nothing to keep. */
export const EMPTY_GROUP_KEEP_MS = 10 * MINUTE_MS

/** Of a pattern; a list of topics is bounded by the topics there may be. */
export const PATTERN_CHARACTERS_MAX = 1_024
/** Of a compiled pattern: fifty names of twenty characters. The worst of that size take some 20 ms for a name. */
export const PATTERN_INSTRUCTIONS_MAX = 1_024
/**
 * Different ones in a group. Workers of a group share one; two while it is being changed. When topics come all
 * that changes of them is one batch: with 10,000 topics of the longest names 40 of the 64 MiB a batch may have.
 */
export const PATTERNS_MAX = 16
/** Of a group id, member id, instance id or client id: beyond that it is no name but a payload. */
export const ID_CHARACTERS_MAX = 255
/** Of one member's list: beyond it a pattern is the better way. */
export const SUBSCRIBED_TOPICS_MAX = 10_000
/**
 * Of all different lists in a group; members that share one add nothing. Whenever somebody joins or topics
 * change each list is looked up: at this many that takes 10 to 80 ms, in which nobody else has a turn.
 */
export const LISTED_TOPICS_MAX = 100_000
export const TOPIC_NAME_CHARACTERS_MAX = 249
