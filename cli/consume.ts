/**
 * `spool consume`: reads batches and prints their records. Batches are opened one at a time, records are
 * printed from where they lie in them, and stdout is written in large pieces; nothing is held back once
 * no further batch is at hand. Ctrl-C says how to go on.
 */

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
import { filterOf } from './record-filter-options.ts'
import { RecordPump } from './record-pump.ts'
import { sayInterrupted, withNextStep } from './stopped.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

export async function consume(call: VerbCall<ConsumeOptions>): Promise<ExitCode> {
  const { options, global } = call
  if (options.group !== undefined) {
    const { consumeInGroup } = await import('./consume-group.ts')
    return consumeInGroup(call, options.group)
  }
  const request = consumeRequest(call.words[0] as readonly string[], options)
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
