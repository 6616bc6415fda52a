/** `spool offsets`: which offset a position means in each partition. */

import { openClient } from './connection.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { toPosition } from './position-words.ts'
import type { OffsetsOptions } from './topics-options.ts'
import type { VerbCall } from './verb.ts'

export async function showOffsets(call: VerbCall<OffsetsOptions>): Promise<ExitCode> {
  const { output } = call
  const word = call.options.at ?? 'latest'
  const at = toPosition(word, '--at')
  await using client = await openClient(call.global, { isPatient: false })
  const offsets = await client.admin.offsets(String(call.words[0]), { at })
  if (output.isJson) {
    output.document(offsets)
    return exitCodes.done
  }
  // Only an answer to a time has times of records. Rows for programs have the same columns always.
  const hasTimes =
    !output.isTerminal || offsets.partitions.some((each) => each.timestamp !== undefined)
  await output.table(
    [
      { name: 'partition', kind: 'number' },
      { name: word, kind: 'count' },
      { name: 'first', kind: 'count' },
      { name: 'next', kind: 'count' },
      ...(hasTimes ? [{ name: 'time of the record' }] : []),
    ],
    offsets.partitions.map((each) => [
      each.partition,
      each.offset,
      each.logStartOffset,
      each.highWatermark,
      ...(hasTimes ? [output.isTerminal ? timeForPeople(each.timestamp) : each.timestamp] : []),
    ]),
  )
  return exitCodes.done
}

function timeForPeople(timestampMs: number | undefined): string | undefined {
  if (timestampMs === undefined) return undefined
  const time = new Date(timestampMs)
  return Number.isNaN(time.getTime()) ? `@${timestampMs}` : time.toISOString()
}
