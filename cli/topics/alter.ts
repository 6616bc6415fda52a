/** `spool topics alter`: settings, and more partitions. */

import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { AlterOptions } from '../topics-options.ts'
import { UsageError } from '../usage-error.ts'
import type { VerbCall } from '../verb.ts'

export async function alterTopic(call: VerbCall<AlterOptions>): Promise<ExitCode> {
  const { partitions, config: set = {}, unset = [] } = call.options
  const name = String(call.words[0])
  const twice = unset.find((key) => Object.hasOwn(set, key))
  if (twice !== undefined) throw new UsageError(`--config sets ${twice} and --unset takes it back`)
  const config = { ...set, ...Object.fromEntries(unset.map((key) => [key, null])) }
  const changes = Object.keys(config).length
  if (partitions === undefined && changes === 0) {
    throw new UsageError(
      'nothing to change: give --config key=value, --unset key or --partitions N',
    )
  }
  await using client = await openClient(call.global, { isPatient: false })
  const topic = await client.admin.alterTopic(name, {
    ...(partitions === undefined ? {} : { partitions }),
    ...(changes === 0 ? {} : { config }),
  })
  if (call.output.isJson) call.output.document(topic)
  const said = Object.keys(config).map((key) => `${key}=${topic.config[key]?.value}`)
  if (partitions !== undefined) said.unshift(`${topic.partitions.length} partitions`)
  call.output.done(`altered ${topic.name}: ${said.join(', ')}`)
  return exitCodes.done
}
