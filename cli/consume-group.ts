/**
 * `spool consume -G`: reads topics as a member of a group, prints, and commits what was written to stdout.
 * At least once: what was printed and not committed when it was killed is printed again by whoever has the
 * partition then.
 */

import { SpoolError } from '../client/api/errors.ts'
import type { TopicOffsets } from '../client/index.ts'
import { CommandError } from './command-error.ts'
import { openClient } from './connection.ts'
import { GroupEnd } from './consume-group/group-end.ts'
import { committedWord, GroupNotes } from './consume-group/notes.ts'
import { GroupReading } from './consume-group/reading.ts'
import { type GroupRequest, groupGoOn, groupRequest } from './consume-group/request.ts'
import type { ConsumeOptions } from './consume-options.ts'
import { consumePrinter } from './consume-printer.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { exitCodeOf } from './failure.ts'
import { interruption } from './interruption.ts'
import { filterOf } from './record-filter-options.ts'
import type { RecordPrinter } from './record-format.ts'
import { sayInterrupted } from './stopped.ts'
import { type GlobalOptions, shellWord, type VerbCall } from './verb.ts'

export async function consumeInGroup(
  call: VerbCall<ConsumeOptions>,
  group: string,
): Promise<ExitCode> {
  const { options, global, output } = call
  const request = groupRequest(call.words[0] as readonly string[], { ...options, group })
  const printerOf = printers(request, options, global)
  const filter = filterOf(options)
  const interrupted = interruption()
  const offsets = await offsetsNow(request, global)
  await using client = await openClient(global, { isPatient: true })
  const reading = new GroupReading({
    client,
    request,
    printerOf,
    filter,
    notes: new GroupNotes(output),
    end: request.endsAtEnd ? new GroupEnd(client, group, offsets) : undefined,
    interrupted,
  })
  try {
    await reading.run()
  } catch (error) {
    throw withNextStep(error, request, global)
  }
  if (!interrupted.aborted) return exitCodes.done
  const { committed } = reading
  if (committed.length > 0) output.remark(`committed: ${committedWord(committed)}`)
  sayInterrupted(call, {
    group,
    committed,
    nextStep: groupGoOn(request, options, global, reading.count),
  })
  return exitCodes.interrupted
}

/** One for each topic. What is wrong with the options is the same for all of them. */
function printers(
  { topics }: GroupRequest,
  options: ConsumeOptions,
  { isJson }: GlobalOptions,
): (topic: string) => RecordPrinter {
  const byTopic = new Map(
    topics.map((topic) => [topic, consumePrinter(topic, options, isJson, { hasTopic: true })]),
  )
  return (topic) => byTopic.get(topic)!
}

/** Where the topics end; where one is not there, that is said at once, and not waited for. */
async function offsetsNow(
  { topics }: GroupRequest,
  global: GlobalOptions,
): Promise<TopicOffsets[]> {
  await using client = await openClient(global, { isPatient: false })
  const signal = interruption()
  return await Promise.all(topics.map((topic) => client.admin.offsets(topic, { signal })))
}

/** Records that can not be read need not be the end: the group can go on after them. */
function withNextStep(
  error: unknown,
  { group }: GroupRequest,
  { flagsToRepeat }: GlobalOptions,
): unknown {
  if (!(error instanceof SpoolError)) return error
  const { topic, partition, nextOffset } = error.extensions
  if (typeof topic !== 'string' || typeof nextOffset !== 'number') return error
  const reset = `spool groups reset ${shellWord(group)}${flagsToRepeat} --topic ${topic}:${partition} --to ${nextOffset}`
  return new CommandError(error.detail, {
    exitCode: exitCodeOf(error),
    nextStep: `to go on after it: ${reset}`,
    cause: error,
  })
}
