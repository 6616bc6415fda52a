/**
 * The partitions a member holds, each with the member epoch at which it came: what commits are checked
 * against (KIP-1251). Immutable; made from records and made into them.
 */

import type { TopicPartitions } from './group-topics.ts'
import type { EpochTopicPartitions } from './records/group-record.ts'

/** topic id → partition → assignment epoch. No topic is empty. */
export type PartitionEpochs = ReadonlyMap<string, ReadonlyMap<number, number>>

/** The same, while it is being made. */
export type PartitionEpochsDraft = Map<string, Map<number, number>>

export const NO_PARTITIONS: PartitionEpochs = new Map()

export function setEpoch(
  into: PartitionEpochsDraft,
  topicId: string,
  partition: number,
  epoch: number,
): void {
  const partitions = into.get(topicId)
  if (partitions === undefined) into.set(topicId, new Map([[partition, epoch]]))
  else partitions.set(partition, epoch)
}

export function epochOf(
  held: PartitionEpochs,
  topicId: string,
  partition: number,
): number | undefined {
  return held.get(topicId)?.get(partition)
}

/** Where a record keeps no epochs (Kafka before 4.3), the partitions count as got at `memberEpoch`. */
export function fromRecord(
  topics: readonly EpochTopicPartitions[],
  memberEpoch: number,
): PartitionEpochs {
  const held: PartitionEpochsDraft = new Map()
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    for (const [index, partition] of partitions.entries()) {
      setEpoch(held, topicId, partition, assignmentEpochs?.[index] ?? memberEpoch)
    }
  }
  return held
}

/** Topics by id, partitions rising: the same partitions are the same record, however they came. */
export function toRecord(held: PartitionEpochs): EpochTopicPartitions[] {
  return [...held]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([topicId, epochs]) => {
      const partitions = [...epochs.keys()].sort((a, b) => a - b)
      return {
        topicId,
        partitions,
        assignmentEpochs: partitions.map((partition) => epochs.get(partition)!),
      }
    })
}

export function* eachPartition(
  held: PartitionEpochs,
): Iterable<readonly [topicId: string, partition: number, epoch: number]> {
  for (const [topicId, epochs] of held) {
    for (const [partition, epoch] of epochs) yield [topicId, partition, epoch]
  }
}

/** The same partitions, all got at `epoch`. */
export function withEpoch(held: PartitionEpochs, epoch: number): PartitionEpochs {
  const renewed: PartitionEpochsDraft = new Map()
  for (const [topicId, partition] of eachPartition(held)) {
    setEpoch(renewed, topicId, partition, epoch)
  }
  return renewed
}

/** Whether any of `partitions` is held. */
export function overlaps(held: PartitionEpochs, partitions: readonly TopicPartitions[]): boolean {
  return partitions.some(({ topicId, partitions }) => {
    const epochs = held.get(topicId)
    return epochs !== undefined && partitions.some((partition) => epochs.has(partition))
  })
}

/** Whether all of `partitions` are held. */
export function holdsAll(held: PartitionEpochs, partitions: readonly TopicPartitions[]): boolean {
  return partitions.every(({ topicId, partitions }) => {
    const epochs = held.get(topicId)
    return partitions.every((partition) => epochs?.has(partition) === true)
  })
}
