/**
 * The topic that is written to, as the broker described it: what it asks of a record, checked here so
 * that a line which can not be taken is named, and which partition a record goes to.
 */

import { type ProducedRecord, RecordRefusal } from '../../broker/http/records/produced-record.ts'
import { RecordRules, type RuledTopic } from '../../broker/http/records/record-rules.ts'
import type { TopicDescription } from '../../client/index.ts'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import type { CompressionName } from '../../storage/record/compression.ts'
import { RECORD_BATCH_HEADER_BYTES } from '../../storage/record/record-batch.ts'
import { noPartition } from '../missing-partition.ts'
import type { SendingPlan } from './plan.ts'

/** A record as the producer takes it. */
export interface PlacedRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[] | undefined
  readonly partition: number
  readonly timestamp: number
}

export class Target {
  readonly topic: string
  readonly topicId: string
  readonly partitions: number
  readonly #rules: RecordRules
  readonly #partition: number
  readonly #compression: CompressionName
  readonly #needsKeys: boolean
  /** A record of at most so many bytes fits whatever compression makes of it. */
  readonly #safeBytes: number

  /**
   * `partitions`: how many of them to use.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION for a partition that is not there.
   */
  constructor(
    description: TopicDescription,
    { partition, compression }: SendingPlan,
    partitions = description.partitions.length,
  ) {
    const topic = { ...ruledTopic(description), partitions }
    this.topic = topic.name
    this.topicId = description.topicId
    this.partitions = topic.partitions
    this.#rules = new RecordRules(topic)
    this.#partition = partition
    this.#compression = compression
    this.#needsKeys = String(description.config['cleanup.policy']?.value).includes('compact')
    this.#safeBytes = Math.floor(this.lineBytesMax * SAFE_SHARE) - RECORD_BATCH_HEADER_BYTES
    if (partition >= this.partitions) throw noPartition(this.topic, partition, this.partitions)
  }

  /** The topic's `max.message.bytes`. */
  get lineBytesMax(): number {
    return this.#rules.batchBytesMax
  }

  /**
   * The record with its partition, `anyPartition` where neither it nor its key says one. `nowMs` is the
   * timestamp of a record that has none. Throws `RecordRefusal`.
   */
  place(record: ProducedRecord, anyPartition: number, nowMs: number): PlacedRecord {
    const { key, value, headers } = record
    if (key === null && this.#needsKeys) {
      throw new RecordRefusal('INVALID_RECORD', 'it has no key, which a compacted topic needs')
    }
    const rules = this.#rules
    const partition = rules.partition(record.partition, this.#partition, key)
    const timestamp = rules.timestamp(record.timestamp, nowMs)
    const sizeBytes = rules.checkedSize(key, value, headers)
    if (sizeBytes > this.#safeBytes) this.#checkCompressed(record, timestamp)
    return {
      key,
      value,
      headers:
        headers.length === 0
          ? undefined
          : headers.map((header) => [header.name.toString(), header.value] as const),
      partition: partition < 0 ? anyPartition : partition,
      timestamp,
    }
  }

  /** What does not compress grows a little: close to the limit it is tried. */
  #checkCompressed({ key, value, headers }: ProducedRecord, timestamp: number): void {
    const builder = new BatchBuilder({ compression: this.#compression })
    builder.append(timestamp, key, value, headers)
    const { length } = builder.build()
    if (length <= this.lineBytesMax) return
    throw new RecordRefusal(
      'MESSAGE_TOO_LARGE',
      `the record has ${length} bytes in its batch, compressed with ${this.#compression}; max.message.bytes is ${this.lineBytesMax}`,
    )
  }
}

/** snappy may add a sixth. */
const SAFE_SHARE = 0.8

function ruledTopic({ name, partitions, config }: TopicDescription): RuledTopic {
  const value = <T>(key: string): T => config[key]?.value as T
  return {
    name,
    partitions: partitions.length,
    config: {
      partitioner: value('spool.partitioner'),
      compressionType: value('compression.type'),
      log: {
        maxMessageBytes: value('max.message.bytes'),
        messageTimestampType: value('message.timestamp.type'),
        messageTimestampAfterMaxMs: value('message.timestamp.after.max.ms'),
        messageTimestampBeforeMaxMs: value('message.timestamp.before.max.ms'),
      },
    },
  }
}
