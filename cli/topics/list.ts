/** `spool topics list`. */

import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { ListOptions } from '../topics-options.ts'
import type { VerbCall } from '../verb.ts'

/** The most the broker gives at a time. */
const PAGE_SIZE = 1_000

export async function listTopics({
  options,
  output,
  global,
}: VerbCall<ListOptions>): Promise<ExitCode> {
  await using client = await openClient(global, { isPatient: false })
  const found = client.admin.listTopics({
    pageSize: PAGE_SIZE,
    isInternal: options.internal === true,
  })
  const topics = await Array.fromAsync(found)
  if (output.isJson) {
    output.document({ topics })
    return exitCodes.done
  }
  if (topics.length === 0) {
    output.remark('there are no topics yet; create one with: spool topics create NAME')
    return exitCodes.done
  }
  await output.table(
    [
      { name: 'topic' },
      { name: 'partitions', kind: 'count' },
      { name: 'replicas', kind: 'count' },
      { name: 'topic id' },
    ],
    topics.map((topic) => [topic.name, topic.partitions, topic.replicationFactor, topic.topicId]),
  )
  return exitCodes.done
}
