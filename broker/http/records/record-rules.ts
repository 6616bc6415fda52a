/**
 * What a topic asks of a single record, checked before the record joins a batch: the engine refuses whole
 * batches, and one line of an upload must not take its neighbours with it. Also where a record goes.
 */

import { isCompacted } from '../../../storage/config.ts'
import type { CompressionName } from '../../../storage/record/compression.ts'
import { partitionForKey } from '../../../storage/record/partitioner.ts'
import { RECORD_BATCH_HEADER_BYTES } from '../../../storage/record/record-batch.ts'
import type { Topic } from '../../topics/topic.ts'
import { type ProducedHeader, RecordRefusal } from './produced-record.ts'

/** Lengths, deltas, attributes of one record, at most. */
const RECORD_OVERHEAD_BYTES = 32
const HEADER_OVERHEAD_BYTES = 10

/** A batch smaller than this, whatever compresses it, would not become smaller by much. */
export const COMPRESS_FROM_BYTES = 1024

/** What is asked of a topic: the command line has it from the topic's description. */
export interface RuledTopic extends Pick<Topic, 'name' | 'partitions'> {
  readonly config: Pick<Topic['config'], 'partitioner' | 'compressionType'> & {
    readonly log: Pick<
      Topic['config']['log'],
      | 'cleanupPolicy'
      | 'maxMessageBytes'
      | 'messageTimestampType'
      | 'messageTimestampAfterMaxMs'
      | 'messageTimestampBeforeMaxMs'
    >
  }
}

export class RecordRules {
  readonly #topic: RuledTopic
  readonly #needsKey: boolean

  constructor(topic: RuledTopic) {
    this.#topic = topic
    this.#needsKey = isCompacted(topic.config.log)
  }

  /** Throws INVALID_RECORD for a record without a key where only a later one with its key replaces it. */
  checkKey(key: Uint8Array | null): void {
    if (key !== null || !this.#needsKey) return
    const { name, config } = this.#topic
    throw new RecordRefusal(
      'INVALID_RECORD',
      `the record has no key, which topic ${name} needs: its cleanup.policy is ${config.log.cleanupPolicy}`,
    )
  }

  /** How the batches this face builds are compressed, given about how large they are. */
  compression(sizeBytes: number): CompressionName {
    const { compressionType } = this.#topic.config
    if (compressionType !== 'producer') return compressionType
    return sizeBytes < COMPRESS_FROM_BYTES ? 'none' : 'lz4'
  }

  /** The most bytes of a batch, as it is before compression. */
  get batchBytesMax(): number {
    return this.#topic.config.log.maxMessageBytes
  }

  /** The bytes a record adds to a batch, at most; throws MESSAGE_TOO_LARGE for one that fits in none. */
  checkedSize(
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly ProducedHeader[],
  ): number {
    let size = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
    for (const header of headers) {
      size += HEADER_OVERHEAD_BYTES + header.name.length + (header.value?.length ?? 0)
    }
    if (size + RECORD_BATCH_HEADER_BYTES <= this.batchBytesMax) return size
    throw new RecordRefusal(
      'MESSAGE_TOO_LARGE',
      `the record has ${size} bytes; with its batch it would exceed max.message.bytes ${this.batchBytesMax}`,
    )
  }

  /** The timestamp a record is stored with; -1 becomes `now`. Throws INVALID_TIMESTAMP. */
  timestamp(timestamp: number, now: number): number {
    if (timestamp === -1) return now
    const { log } = this.#topic.config
    if (log.messageTimestampType === 'LogAppendTime') return timestamp < 0 ? now : timestamp
    if (timestamp < 0) {
      throw new RecordRefusal('INVALID_TIMESTAMP', `the timestamp ${timestamp} lies before 1970`)
    }
    if (timestamp - now > log.messageTimestampAfterMaxMs) {
      throw new RecordRefusal(
        'INVALID_TIMESTAMP',
        `the timestamp ${timestamp} is ${timestamp - now} ms ahead; message.timestamp.after.max.ms is ${log.messageTimestampAfterMaxMs}`,
      )
    }
    if (now - timestamp > log.messageTimestampBeforeMaxMs) {
      throw new RecordRefusal(
        'INVALID_TIMESTAMP',
        `the timestamp ${timestamp} is ${now - timestamp} ms old; message.timestamp.before.max.ms is ${log.messageTimestampBeforeMaxMs}`,
      )
    }
    return timestamp
  }

  /**
   * The partition of a record: `own` as it asks for, else `common` as the request does, else by its key;
   * -1 when none of them says.
   */
  partition(own: number, common: number, key: Uint8Array | null): number {
    if (own >= 0) {
      if (common >= 0 && own !== common) {
        throw new RecordRefusal(
          'INVALID_RECORD',
          `the record asks for partition ${own}, the request for ${common}`,
        )
      }
      const { partitions, name } = this.#topic
      if (own < partitions) return own
      throw new RecordRefusal(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `topic ${name} has partitions 0 to ${partitions - 1}, not ${own}`,
      )
    }
    if (common >= 0) return common
    if (key === null) return -1
    return partitionForKey(this.#topic.config.partitioner, key, this.#topic.partitions)
  }
}
