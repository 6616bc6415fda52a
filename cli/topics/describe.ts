/** `spool topics describe`: partitions and settings. */

import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { counted } from '../numbers.ts'
import type { DescribeOptions } from '../topics-options.ts'
import type { VerbCall } from '../verb.ts'

export async function describeTopic(call: VerbCall<DescribeOptions>): Promise<ExitCode> {
  const { options, output } = call
  await using client = await openClient(call.global, { isPatient: false })
  const topic = await client.admin.describeTopic(String(call.words[0]))
  if (output.isJson) {
    output.document(topic)
    return exitCodes.done
  }
  const partitions = counted(topic.partitions.length, 'partition')
  output.heading(`${topic.name}  ${partitions}, topic id ${topic.topicId}\n`)
  await output.table(
    [
      ...(output.isTerminal ? [] : [{ name: 'what' }]),
      { name: 'partition', kind: 'number' },
      { name: 'leader', kind: 'number' },
      { name: 'in sync' },
      { name: 'first', kind: 'count' },
      { name: 'next', kind: 'count' },
      { name: 'records', kind: 'count' },
      { name: 'size', kind: 'bytes' },
      { name: 'state' },
    ],
    topic.partitions.map((each) => [
      ...(output.isTerminal ? [] : ['partition']),
      each.partition,
      each.leader,
      `${each.inSyncReplicas.join(',')} of ${each.replicas.join(',')}`,
      each.logStartOffset,
      each.highWatermark,
      each.logStartOffset === null || each.highWatermark === null
        ? null
        : each.highWatermark - each.logStartOffset,
      each.sizeBytes,
      each.isOffline ? 'offline' : 'online',
    ]),
  )
  const settings = Object.entries(topic.config).filter(
    ([, { source }]) => options.all === true || !output.isTerminal || source === 'topic',
  )
  if (settings.length > 0) output.heading('\nSettings\n')
  if (settings.length > 0) {
    await output.table(
      [
        ...(output.isTerminal ? [] : [{ name: 'what' }]),
        { name: 'key' },
        { name: 'value' },
        { name: 'from' },
      ],
      settings.map(([key, { value, source }]) => [
        ...(output.isTerminal ? [] : ['config']),
        key,
        value,
        source,
      ]),
    )
  }
  if (output.isTerminal && options.all !== true) {
    output.remark('\nThe other settings have their defaults; --all shows them.')
  }
  return exitCodes.done
}
