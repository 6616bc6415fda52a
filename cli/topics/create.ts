/** `spool topics create`: asks the broker for a topic; everything about it is checked there. */

import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { counted } from '../numbers.ts'
import type { CreateOptions } from '../topics-options.ts'
import type { VerbCall } from '../verb.ts'

export async function createTopic(call: VerbCall<CreateOptions>): Promise<ExitCode> {
  const { options, output } = call
  const wanted = {
    name: String(call.words[0]),
    ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
    ...(options.replicationFactor === undefined
      ? {}
      : { replicationFactor: options.replicationFactor }),
    ...(options.config === undefined ? {} : { config: options.config }),
  }
  await using client = await openClient(call.global, { isPatient: false })
  const { isCreated, ...topic } =
    options.ifNotExists === true
      ? await client.admin.ensureTopic(wanted)
      : { ...(await client.admin.createTopic(wanted)), isCreated: true }
  if (output.isJson) output.document(topic)
  const partitions = counted(topic.partitions.length, 'partition')
  output.done(
    isCreated
      ? `created ${topic.name} with ${partitions}`
      : `${topic.name} is there, ${partitions}`,
  )
  return exitCodes.done
}
