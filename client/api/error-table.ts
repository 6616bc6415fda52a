/**
 * The one table of errors: every name the broker can answer with, on any face. A row gives Kafka's
 * number for it, the HTTP status, whether the same request may succeed later, and a title for people.
 * Names, numbers and `retriable` of Kafka's own errors are those of its protocol
 * (org.apache.kafka.common.protocol.Errors); the rows of our own say which Kafka number stands for
 * them on the Kafka face. No behaviour lives here: see `errors.ts`.
 */

export interface ErrorRow {
  /** Kafka's error code: a signed 16-bit number. */
  readonly kafkaCode: number
  readonly httpStatus: number
  /** True when repeating the same request, unchanged, can succeed. */
  readonly retriable: boolean
  /** A short sentence that is the same every time; the values are in a problem's `detail`. */
  readonly title: string
}

function row(kafkaCode: number, httpStatus: number, retriable: boolean, title: string): ErrorRow {
  return { kafkaCode, httpStatus, retriable, title }
}

const KAFKA_ERRORS = {
  UNKNOWN_SERVER_ERROR: row(-1, 500, false, 'The broker failed unexpectedly'),
  OFFSET_OUT_OF_RANGE: row(1, 416, false, 'The offset is outside what the partition holds'),
  CORRUPT_MESSAGE: row(2, 422, true, 'The record batch is corrupt'),
  UNKNOWN_TOPIC_OR_PARTITION: row(3, 404, true, 'There is no such topic or partition'),
  INVALID_FETCH_SIZE: row(4, 400, false, 'The fetch size is not valid'),
  LEADER_NOT_AVAILABLE: row(5, 503, true, 'The partition has no leader now'),
  NOT_LEADER_OR_FOLLOWER: row(6, 503, true, 'This broker does not serve the partition now'),
  REQUEST_TIMED_OUT: row(7, 504, true, 'The request timed out'),
  BROKER_NOT_AVAILABLE: row(8, 503, false, 'The broker is not available'),
  REPLICA_NOT_AVAILABLE: row(9, 503, true, 'The replica is not available now'),
  MESSAGE_TOO_LARGE: row(10, 413, false, 'The record or batch is larger than the topic takes'),
  OFFSET_METADATA_TOO_LARGE: row(12, 400, false, "The commit's metadata is too large"),
  NETWORK_EXCEPTION: row(13, 503, true, 'The connection broke before there was a reply'),
  COORDINATOR_LOAD_IN_PROGRESS: row(14, 503, true, 'The group is still being loaded'),
  COORDINATOR_NOT_AVAILABLE: row(15, 503, true, 'The group coordinator is not available now'),
  NOT_COORDINATOR: row(16, 503, true, 'This broker does not coordinate the group'),
  INVALID_TOPIC_EXCEPTION: row(17, 400, false, 'The topic name is not valid'),
  RECORD_LIST_TOO_LARGE: row(18, 413, false, 'The batch is larger than a segment'),
  NOT_ENOUGH_REPLICAS: row(19, 503, true, 'Too few replicas are in sync to append'),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: row(20, 503, true, 'Appended, but too few replicas have it'),
  INVALID_REQUIRED_ACKS: row(21, 400, false, 'The required acks are not valid'),
  ILLEGAL_GENERATION: row(22, 409, false, 'The group generation is not the current one'),
  INCONSISTENT_GROUP_PROTOCOL: row(23, 409, false, 'The member shares no protocol with the group'),
  INVALID_GROUP_ID: row(24, 400, false, 'The group id is not valid'),
  UNKNOWN_MEMBER_ID: row(25, 404, false, 'The group has no such member'),
  INVALID_SESSION_TIMEOUT: row(26, 400, false, 'The session timeout is out of bounds'),
  REBALANCE_IN_PROGRESS: row(27, 409, false, 'The group is rebalancing'),
  INVALID_COMMIT_OFFSET_SIZE: row(28, 413, false, 'The committed offset is too large to store'),
  TOPIC_AUTHORIZATION_FAILED: row(29, 403, false, 'Not allowed on this topic'),
  GROUP_AUTHORIZATION_FAILED: row(30, 403, false, 'Not allowed on this group'),
  CLUSTER_AUTHORIZATION_FAILED: row(31, 403, false, 'Only brokers of the cluster may do this'),
  INVALID_TIMESTAMP: row(32, 422, false, 'The record timestamp is out of bounds'),
  UNSUPPORTED_SASL_MECHANISM: row(33, 400, false, 'The SASL mechanism is not supported'),
  ILLEGAL_SASL_STATE: row(34, 400, false, 'The request is not allowed in this SASL state'),
  UNSUPPORTED_VERSION: row(35, 400, false, 'The API version is not supported'),
  TOPIC_ALREADY_EXISTS: row(36, 409, false, 'The topic exists already'),
  INVALID_PARTITIONS: row(37, 400, false, 'The number of partitions is not valid'),
  INVALID_REPLICATION_FACTOR: row(38, 400, false, 'The replication factor is not valid'),
  INVALID_REPLICA_ASSIGNMENT: row(39, 400, false, 'The replica assignment is not valid'),
  INVALID_CONFIG: row(40, 400, false, 'The configuration is not valid'),
  NOT_CONTROLLER: row(41, 503, true, 'This broker is not the controller'),
  INVALID_REQUEST: row(42, 400, false, 'The request is not valid'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: row(43, 422, false, 'The message format does not support this'),
  POLICY_VIOLATION: row(44, 403, false, 'The request violates a policy of this broker'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: row(45, 409, false, "The producer's sequence has a gap"),
  DUPLICATE_SEQUENCE_NUMBER: row(46, 409, false, "The producer's sequence was used already"),
  INVALID_PRODUCER_EPOCH: row(47, 409, false, 'A newer instance of the producer took over'),
  INVALID_TXN_STATE: row(48, 409, false, 'The transaction is not in a state for this'),
  INVALID_PRODUCER_ID_MAPPING: row(49, 409, false, 'The producer id is not the current one'),
  INVALID_TRANSACTION_TIMEOUT: row(50, 400, false, 'The transaction timeout is out of bounds'),
  CONCURRENT_TRANSACTIONS: row(51, 409, true, 'Another transaction is still being completed'),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: row(53, 403, false, 'Not allowed on this transaction'),
  SECURITY_DISABLED: row(54, 403, false, 'Security features are off'),
  OPERATION_NOT_ATTEMPTED: row(55, 503, false, 'Not attempted, because another part failed first'),
  KAFKA_STORAGE_ERROR: row(56, 503, true, 'The disk failed'),
  LOG_DIR_NOT_FOUND: row(57, 500, false, 'The log directory is not there'),
  SASL_AUTHENTICATION_FAILED: row(58, 401, false, 'The SASL authentication failed'),
  UNKNOWN_PRODUCER_ID: row(59, 409, false, 'The producer id is not known'),
  REASSIGNMENT_IN_PROGRESS: row(60, 409, false, 'A reassignment of the partition is in progress'),
  NON_EMPTY_GROUP: row(68, 409, false, 'The group still has members'),
  GROUP_ID_NOT_FOUND: row(69, 404, false, 'There is no such group'),
  FETCH_SESSION_ID_NOT_FOUND: row(70, 404, true, 'The fetch session is not known'),
  INVALID_FETCH_SESSION_EPOCH: row(71, 409, true, 'The fetch session epoch is not valid'),
  LISTENER_NOT_FOUND: row(72, 503, true, 'The leader has no such listener'),
  TOPIC_DELETION_DISABLED: row(73, 403, false, 'Topics can not be deleted on this broker'),
  FENCED_LEADER_EPOCH: row(74, 409, true, 'The leader epoch is older than the current one'),
  UNKNOWN_LEADER_EPOCH: row(75, 409, true, 'The leader epoch is newer than this broker knows'),
  UNSUPPORTED_COMPRESSION_TYPE: row(76, 422, false, 'The compression is not supported'),
  STALE_BROKER_EPOCH: row(77, 409, false, "The broker's epoch is not the current one"),
  OFFSET_NOT_AVAILABLE: row(78, 503, true, 'The offset is not available yet'),
  MEMBER_ID_REQUIRED: row(79, 409, false, 'Join again with the member id given'),
  PREFERRED_LEADER_NOT_AVAILABLE: row(80, 503, true, 'The preferred leader is not available'),
  GROUP_MAX_SIZE_REACHED: row(81, 429, false, 'The group is full'),
  FENCED_INSTANCE_ID: row(82, 409, false, 'Another member took over the instance id'),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: row(83, 503, true, 'No replica may become leader now'),
  ELECTION_NOT_NEEDED: row(84, 409, true, 'The election is not needed'),
  NO_REASSIGNMENT_IN_PROGRESS: row(85, 409, false, 'No reassignment is in progress'),
  GROUP_SUBSCRIBED_TO_TOPIC: row(86, 409, false, 'The group still reads the topic'),
  INVALID_RECORD: row(87, 422, false, 'The record is not valid'),
  UNSTABLE_OFFSET_COMMIT: row(88, 503, true, 'A commit is still in an open transaction'),
  THROTTLING_QUOTA_EXCEEDED: row(89, 429, true, 'A quota is used up'),
  PRODUCER_FENCED: row(90, 409, false, 'A newer instance of the producer took over'),
  RESOURCE_NOT_FOUND: row(91, 404, false, 'There is no such resource'),
  DUPLICATE_RESOURCE: row(92, 409, false, 'The resource is named twice'),
  INVALID_UPDATE_VERSION: row(95, 409, false, 'The update is not based on the current version'),
  UNKNOWN_TOPIC_ID: row(100, 404, true, 'There is no topic with this id'),
  DUPLICATE_BROKER_REGISTRATION: row(101, 409, false, 'Another broker has this id'),
  BROKER_ID_NOT_REGISTERED: row(102, 404, false, 'No broker has this id'),
  INCONSISTENT_TOPIC_ID: row(103, 410, true, 'The topic was created anew since'),
  INCONSISTENT_CLUSTER_ID: row(104, 409, false, 'The cluster id is another one'),
  TRANSACTIONAL_ID_NOT_FOUND: row(105, 404, false, 'There is no such transactional id'),
  FETCH_SESSION_TOPIC_ID_ERROR: row(106, 409, true, 'The fetch session uses topic ids otherwise'),
  INELIGIBLE_REPLICA: row(107, 409, false, 'The replica may not join the in-sync replicas'),
  NEW_LEADER_ELECTED: row(108, 409, false, 'Another leader was elected by this change'),
  FENCED_MEMBER_EPOCH: row(110, 409, false, 'The member epoch is not the current one'),
  UNRELEASED_INSTANCE_ID: row(111, 409, false, 'The instance id is still in use'),
  UNSUPPORTED_ASSIGNOR: row(112, 400, false, 'The assignor is not known'),
  STALE_MEMBER_EPOCH: row(113, 409, false, 'The member epoch is old: heartbeat, then try again'),
  INVALID_REGULAR_EXPRESSION: row(128, 400, false, 'The regular expression is not valid'),
} as const satisfies Record<string, ErrorRow>

/** What Kafka has no name for. The number is the closest one a Kafka client understands. */
const OWN_ERRORS = {
  DISK_FULL: row(56, 507, true, 'The disk is full'),
  OFFSET_MISMATCH: row(42, 412, false, 'The next offset is not the expected one'),
  DATA_DIRECTORY_LOCKED: row(57, 503, false, 'Another process uses the data directory'),
  LIMIT_EXCEEDED: row(89, 429, true, 'A limit of this broker is reached'),
  BROKER_BUSY: row(89, 503, true, 'The broker has too much to do now'),
  BROKER_STOPPING: row(8, 503, true, 'The broker is stopping'),
  BROKER_NOT_READY: row(8, 503, true, 'The broker has not recovered its logs yet'),
  NOT_IMPLEMENTED: row(35, 501, false, 'This broker can not do that yet'),
  RECORD_NOT_FOUND: row(1, 404, true, 'The offset is not written yet'),
  RECORD_GONE: row(1, 410, false, 'The record is no longer kept'),
  ROUTE_NOT_FOUND: row(42, 404, false, 'There is nothing at this path'),
  METHOD_NOT_ALLOWED: row(42, 405, false, 'The path does not take this method'),
  NOT_ACCEPTABLE: row(42, 406, false, 'Nothing here has an accepted media type'),
  REQUEST_BODY_TIMEOUT: row(7, 408, true, 'The request arrived too slowly'),
  REQUEST_TOO_LARGE: row(42, 413, false, 'The request body is too large'),
  URI_TOO_LONG: row(42, 414, false, 'The path is too long'),
  UNSUPPORTED_MEDIA_TYPE: row(42, 415, false, 'The body has a media type not taken here'),
  HEADERS_TOO_LARGE: row(42, 431, false, 'The request headers are too large'),
  UNAUTHORIZED: row(58, 401, false, 'A valid token is needed'),
  FORBIDDEN_ORIGIN: row(31, 403, false, 'Pages of this origin may not use the broker'),
  FORBIDDEN_HOST: row(31, 403, false, 'The broker does not answer under this host name'),
  // The client's own: no broker answers with these, hence no status of theirs means anything.
  CLIENT_CLOSED: row(8, 503, false, 'The client, producer or reader was closed'),
  SERIALIZATION_FAILED: row(87, 422, false, 'A key or value does not fit its serde'),
  BUFFER_EXHAUSTED: row(89, 429, true, 'The producer holds as many bytes as it may'),
} as const satisfies Record<string, ErrorRow>

export const ERRORS = { ...KAFKA_ERRORS, ...OWN_ERRORS } as const

/** The name of an error: Kafka's where it has one. */
export type ErrorCode = keyof typeof ERRORS

/** True when `name` is a row of the table. */
export function isErrorCode(name: unknown): name is ErrorCode {
  return typeof name === 'string' && Object.hasOwn(ERRORS, name)
}

const NAME_BY_KAFKA_CODE = new Map<number, ErrorCode>(
  Object.entries(KAFKA_ERRORS).map(([name, { kafkaCode }]) => [kafkaCode, name as ErrorCode]),
)

/** Kafka's name for one of its codes; `UNKNOWN_SERVER_ERROR` for a code not in the table. */
export function errorCodeOfKafka(kafkaCode: number): ErrorCode {
  return NAME_BY_KAFKA_CODE.get(kafkaCode) ?? 'UNKNOWN_SERVER_ERROR'
}
