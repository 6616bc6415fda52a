/**
 * `spool consume`: reads batches and prints their records. Batches are opened one at a time, records are
 * printed from where they lie in them, and stdout is written in large pieces; nothing is held back once
 * no further batch is at hand. Ctrl-C says how to go on.
 */

import { recordFilter } from '../broker/http/records/record-filter.ts'
import type { Client } from '../client/index.ts'
import { openClient } from './connection.ts'
import type { ConsumeOptions } from './consume-options.ts'
import {
  type ConsumePlan,
  type ConsumeRequest,
  consumePlan,
  consumeRequest,
  positionToAsk,
} from './consume-plan.ts'
import { consumePrinter } from './consume-printer.ts'
import { EndNotes } from './end-notes.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { goOnCommand } from './go-on.ts'
import { interruption } from './interruption.ts'
import { RecordPump } from './record-pump.ts'
import { sayInterrupted, withNextStep } from './stopped.ts'
import { UsageError } from './usage-error.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

export async function consume(call: VerbCall<ConsumeOptions>): Promise<ExitCode> {
  const { options, global } = call
  const request = consumeRequest(call.words[0], options)
  const print = consumePrinter(request.topic, options, global.isJson)
  const filter = filterOf(options)
  const signal = interruption()
  const plan = await resolved(request, global)
  await using client = await openClient(global, { isPatient: true })
  const notes = new EndNotes(
    request.topic,
    plan,
    request.endsAtEnd && !global.isQuiet && !global.isJson,
  )
  const pump = new RecordPump({ print, filter, signal, countMax: request.countMax, notes })
  try {
    await pump.run(readerOf(client, request, plan, signal))
  } catch (error) {
    const nextOffsets = { ...plan.from, ...pump.nextOffsets() }
    const goOn = (from = nextOffsets) =>
      goOnCommand(request, options, global, { nextOffsets: from, count: pump.count })
    if (!signal.aborted) throw withNextStep(error, nextOffsets, goOn)
    sayInterrupted(call, { nextOffsets, nextStep: goOn() })
    return exitCodes.interrupted
  }
  return exitCodes.done
}

/** Asks the broker what the positions mean; where it is not there, that is said at once. */
async function resolved(request: ConsumeRequest, global: GlobalOptions): Promise<ConsumePlan> {
  await using client = await openClient(global, { isPatient: false })
  const signal = interruption()
  const ask = (at: string) => client.admin.offsets(request.topic, { at, signal })
  const begin = await ask(positionToAsk(request.from))
  const mustAskEnd = request.endsAtEnd && request.until !== undefined
  const end = mustAskEnd ? await ask(positionToAsk(request.until)) : undefined
  return consumePlan(request, begin, end)
}

function readerOf(
  client: Client,
  { topic, partitions, outOfRange }: ConsumeRequest,
  { from, until }: ConsumePlan,
  signal: AbortSignal,
) {
  return client.reader(topic, {
    from,
    signal,
    ...(until === undefined ? {} : { until }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(outOfRange === undefined ? {} : { outOfRange }),
  })
}

/** Which records are wanted; `undefined`: all. */
export function filterOf({
  key,
  header,
  contains,
}: Pick<ConsumeOptions, 'key' | 'header' | 'contains'>) {
  if (header !== undefined && !header.includes(':')) {
    throw new UsageError(`--header ${JSON.stringify(header)}: expected name:value`)
  }
  return recordFilter({
    ...(key === undefined ? {} : { key }),
    ...(header === undefined ? {} : { header }),
    ...(contains === undefined ? {} : { contains }),
  })
}
