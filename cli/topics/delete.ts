/** `spool topics delete`: says what goes, asks, deletes. */

import { SpoolError } from '../../client/api/errors.ts'
import type { Client, TopicDescription } from '../../client/index.ts'
import { confirm } from '../confirmation.ts'
import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { bytesForPeople, counted } from '../numbers.ts'
import type { DeleteOptions } from '../topics-options.ts'
import type { VerbCall } from '../verb.ts'

export async function deleteTopics(call: VerbCall<DeleteOptions>): Promise<ExitCode> {
  const { options, output } = call
  const names = [...new Set(call.words[0] as readonly string[])]
  await using client = await openClient(call.global, { isPatient: false })
  const topics: TopicDescription[] = []
  // All are looked up before any is deleted: a name typed wrong stops the whole.
  for (const name of names) {
    const topic = await find(client, name, options.ifExists === true)
    if (topic !== undefined) topics.push(topic)
    else output.remark(`${name} is not there`)
  }
  if (topics.length > 0 && options.yes !== true) {
    const what = topics.length === 1 ? `topic ${topics[0]?.name}` : `these ${topics.length} topics`
    await confirm({
      facts: topics.map((topic) => `${topic.name}: ${contentOf(topic)}`),
      question: `Delete ${what} with all records?`,
      refusal: 'nothing was deleted',
      isJson: output.isJson,
    })
  }
  const deleted: string[] = []
  try {
    for (const topic of topics) {
      await client.admin.deleteTopic(topic.name)
      deleted.push(topic.name)
      output.done(`deleted ${topic.name} with ${contentOf(topic)}`)
    }
  } finally {
    // Also where it failed midway: those are gone.
    if (output.isJson) output.document({ deleted })
  }
  return exitCodes.done
}

async function find(
  client: Client,
  name: string,
  mayBeMissing: boolean,
): Promise<TopicDescription | undefined> {
  try {
    return await client.admin.describeTopic(name)
  } catch (error) {
    const isMissing = error instanceof SpoolError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
    if (isMissing && mayBeMissing) return undefined
    throw error
  }
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
