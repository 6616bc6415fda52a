/**
 * What the log engine says when it will not or can not do as asked. The codes are Kafka's error names,
 * so that every face of the broker maps them by name; HTTP statuses and numbers live in `client/api`.
 * A broken invariant is not one of these: that is an `assert` and takes the partition down.
 */

/** Whether a failed append is certainly absent from the log (`refused`) or may be there (`unknown`). */
export type Outcome = 'refused' | 'unknown'

export type StorageErrorCode =
  | 'CORRUPT_MESSAGE'
  | 'INVALID_RECORD'
  | 'INVALID_TIMESTAMP'
  | 'MESSAGE_TOO_LARGE'
  | 'RECORD_LIST_TOO_LARGE'
  | 'UNSUPPORTED_COMPRESSION_TYPE'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'INVALID_PRODUCER_EPOCH'
  | 'OFFSET_MISMATCH'
  | 'DISK_FULL'
  | 'KAFKA_STORAGE_ERROR'
  | 'NOT_LEADER_OR_FOLLOWER'
  | 'INVALID_CONFIG'
  | 'DATA_DIRECTORY_LOCKED'

/** An operating error of the log engine: typed, with the numbers that matter in its message. */
export class StorageError extends Error {
  readonly code: StorageErrorCode
  /** For appends: whether the records may be in the log. Absent for reads and administration. */
  readonly outcome: Outcome | undefined
  /** The values behind the message, for a caller that wants to act on them. */
  readonly values: Readonly<Record<string, number | string>>

  constructor(
    code: StorageErrorCode,
    message: string,
    options: {
      outcome?: Outcome
      values?: Record<string, number | string>
      cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'StorageError'
    this.code = code
    this.outcome = options.outcome
    this.values = options.values ?? {}
  }
}
