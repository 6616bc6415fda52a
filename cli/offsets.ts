/** `spool offsets`: which offset a position means in each partition. */

import { openClient } from './connection.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { toPosition } from './position-words.ts'
import type { OffsetsOptions } from './topics-options.ts'
import type { VerbCall } from './verb.ts'

export async function showOffsets(call: VerbCall<OffsetsOptions>): Promise<ExitCode> {
  const { output } = call
  const at = toPosition(call.options.at, '--at')
  await using client = await openClient(call.global, { isPatient: false })
  const offsets = await client.admin.offsets(String(call.words[0]), { at })
  if (output.isJson) {
    output.document(offsets)
    return exitCodes.done
  }
  await output.table(
    [
      { name: 'partition', kind: 'number' },
      { name: call.options.at, kind: 'count' },
      { name: 'first', kind: 'count' },
      { name: 'next', kind: 'count' },
      { name: 'time of the record' },
    ],
    offsets.partitions.map((each) => [
      each.partition,
      each.offset,
      each.logStartOffset,
      each.highWatermark,
      each.timestamp === undefined || !output.isTerminal
        ? each.timestamp
        : new Date(each.timestamp).toISOString(),
    ]),
  )
  return exitCodes.done
}
