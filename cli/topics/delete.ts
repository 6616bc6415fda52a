/** `spool topics delete`: says what goes, asks, deletes. */

import type { TopicDescription } from '../../client/index.ts'
import { type Deletable, type DeletionOptions, deleteNamed } from '../deletion.ts'
import type { ExitCode } from '../exit-codes.ts'
import { bytesForPeople, counted } from '../numbers.ts'
import type { VerbCall } from '../verb.ts'

const TOPIC: Deletable<TopicDescription> = {
  noun: 'topic',
  missingCode: 'UNKNOWN_TOPIC_OR_PARTITION',
  withIt: ' with all records',
  describe: ({ admin }, name) => admin.describeTopic(name),
  nameOf: ({ name }) => name,
  contentOf,
  delete: ({ admin }, name) => admin.deleteTopic(name),
  goneSentence: (topic) => `deleted ${topic.name} with ${contentOf(topic)}`,
}

export function deleteTopics(call: VerbCall<DeletionOptions>): Promise<ExitCode> {
  return deleteNamed(call, TOPIC)
}

function contentOf({ partitions }: TopicDescription): string {
  let records = 0
  let sizeBytes = 0
  for (const each of partitions) {
    records += (each.highWatermark ?? 0) - (each.logStartOffset ?? 0)
    sizeBytes += each.sizeBytes ?? 0
  }
  const where = counted(partitions.length, 'partition')
  return `${counted(records, 'record')} in ${where} (${bytesForPeople(sizeBytes)})`
}
