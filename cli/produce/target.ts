/**
 * The topic that is written to, as the broker described it: what it asks of a record, checked here so
 * that a line which can not be taken is named, and which partition a record goes to.
 */

import { type ProducedRecord, RecordRefusal } from '../../broker/http/records/produced-record.ts'
import { RecordRules, type RuledTopic } from '../../broker/http/records/record-rules.ts'
import type { TopicDescription } from '../../client/index.ts'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
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
  readonly #sending: SendingPlan
  readonly #partitions: number | undefined
  #topicId!: string
  #rules!: RecordRules
  #partitionsNow!: number
  /** A record of at most so many bytes fits whatever compression makes of it. */
  #safeBytes!: number

  /**
   * `partitions`: how many of them to use, however many there are.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION for a partition that is not there.
   */
  constructor(description: TopicDescription, sending: SendingPlan, partitions?: number) {
    this.topic = description.name
    this.#sending = sending
    this.#partitions = partitions
    this.update(description)
    if (sending.partition >= this.partitions) {
      throw noPartition(this.topic, sending.partition, this.partitions)
    }
  }

  /** The topic may be changed while somebody writes to it for weeks. */
  update(description: TopicDescription): void {
    const partitions = this.#partitions ?? description.partitions.length
    this.#rules = new RecordRules({ ...ruledTopic(description), partitions })
    this.#topicId = description.topicId
    this.#partitionsNow = partitions
    this.#safeBytes = Math.floor(this.lineBytesMax * SAFE_SHARE) - RECORD_BATCH_HEADER_BYTES
  }

  get topicId(): string {
    return this.#topicId
  }

  get partitions(): number {
    return this.#partitionsNow
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
    const rules = this.#rules
    const partition = rules.partition(record.partition, this.#sending.partition, key)
    const timestamp = rules.timestamp(record.timestamp, nowMs)
    rules.checkKey(key)
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
    const { compression } = this.#sending
    const builder = new BatchBuilder({ compression })
    builder.append(timestamp, key, value, headers)
    const { length } = builder.build()
    if (length <= this.lineBytesMax) return
    throw new RecordRefusal(
      'MESSAGE_TOO_LARGE',
      `the record has ${length} bytes in its batch, compressed with ${compression}; max.message.bytes is ${this.lineBytesMax}`,
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
        cleanupPolicy: value('cleanup.policy'),
        maxMessageBytes: value('max.message.bytes'),
        messageTimestampType: value('message.timestamp.type'),
        messageTimestampAfterMaxMs: value('message.timestamp.after.max.ms'),
        messageTimestampBeforeMaxMs: value('message.timestamp.before.max.ms'),
      },
    },
  }
}
