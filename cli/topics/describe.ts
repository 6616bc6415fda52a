/** `spool topics describe`: partitions and settings. */

import type { TopicDescription } from '../../client/index.ts'
import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { counted } from '../numbers.ts'
import type { Output } from '../output.ts'
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
  output.heading(`${topic.name}  ${partitions}, topic id ${topic.topicId}`)
  output.gap()
  await printPartitions(output, topic)
  await printSettings(output, topic, options.all === true)
  return exitCodes.done
}

/** Where there are no headings, each row says what it is. */
function kindColumn(output: Output) {
  return output.isTerminal ? [] : [{ name: 'what' }]
}

async function printPartitions(output: Output, { partitions }: TopicDescription): Promise<void> {
  await output.table(
    [
      ...kindColumn(output),
      { name: 'partition', kind: 'number' },
      { name: 'leader', kind: 'number' },
      { name: 'replicas' },
      { name: 'in sync' },
      { name: 'first', kind: 'count' },
      { name: 'next', kind: 'count' },
      { name: 'records', kind: 'count' },
      { name: 'size', kind: 'bytes' },
      { name: 'state' },
    ],
    partitions.map((each) => [
      ...(output.isTerminal ? [] : ['partition']),
      each.partition,
      each.leader,
      each.replicas.join(','),
      each.inSyncReplicas.join(','),
      each.logStartOffset,
      each.highWatermark,
      each.logStartOffset === null || each.highWatermark === null
        ? null
        : each.highWatermark - each.logStartOffset,
      each.sizeBytes,
      each.isOffline ? 'offline' : 'online',
    ]),
  )
}

async function printSettings(
  output: Output,
  { config }: TopicDescription,
  isAll: boolean,
): Promise<void> {
  const settings = Object.entries(config).filter(
    ([, { source }]) => isAll || !output.isTerminal || source === 'topic',
  )
  output.gap()
  if (settings.length > 0) {
    output.heading('Settings')
    output.gap()
    await output.table(
      [...kindColumn(output), { name: 'key' }, { name: 'value' }, { name: 'from' }],
      settings.map(([key, { value, source }]) => [
        ...(output.isTerminal ? [] : ['config']),
        key,
        value,
        source,
      ]),
    )
    output.gap()
  }
  if (output.isTerminal && !isAll) {
    const which = settings.length > 0 ? 'The other settings' : 'All settings'
    output.remark(`${which} have their defaults; --all shows them.`)
  }
}
