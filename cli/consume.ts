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
import { interruption } from './interruption.ts'
import { offsetsWord } from './position-words.ts'
import { RecordPump } from './record-pump.ts'
import { UsageError } from './usage-error.ts'
import { type GlobalOptions, shellWord, type VerbCall } from './verb.ts'

export async function consume(call: VerbCall<ConsumeOptions>): Promise<ExitCode> {
  const { options, global } = call
  const request = consumeRequest(call.words[0], options)
  const print = consumePrinter(request.topic, options, global.isJson)
  const filter = filterOf(options)
  const signal = interruption()
  const plan = await resolved(request, global)
  await using client = await openClient(global, { isPatient: true })
  const notes = new EndNotes(request.topic, plan, request.endsAtEnd && !global.isQuiet)
  const pump = new RecordPump({ print, filter, signal, countMax: request.countMax })
  try {
    await pump.run(readerOf(client, request, plan, signal), (partition, nextOffset) =>
      notes.at(partition, nextOffset),
    )
  } catch (error) {
    if (!signal.aborted) throw error
    if (!global.isQuiet) process.stderr.write(goOn(request, options, global, plan, pump))
    return exitCodes.interrupted
  }
  if (pump.count < request.countMax) notes.finish()
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

function filterOf({ key, header, contains }: ConsumeOptions) {
  if (header !== undefined && !header.includes(':')) {
    throw new UsageError(`--header ${JSON.stringify(header)}: expected name:value`)
  }
  return recordFilter({
    ...(key === undefined ? {} : { key }),
    ...(header === undefined ? {} : { header }),
    ...(contains === undefined ? {} : { contains }),
  })
}

/** How far it got, and the command that goes on from there. */
function goOn(
  request: ConsumeRequest,
  options: ConsumeOptions,
  global: GlobalOptions,
  plan: ConsumePlan,
  pump: RecordPump,
): string {
  const places = { ...plan.from, ...pump.nextOffsets() }
  const words: string[] = []
  const say = (flag: string, value: string | number | undefined) => {
    if (value !== undefined) words.push(flag, shellWord(String(value)))
  }
  say('-p', request.partitions?.join(','))
  say('-o', offsetsWord(places))
  say('-c', options.count === undefined ? undefined : options.count - pump.count)
  if (options.exit === true) words.push('-e')
  say('--until', endWord(options))
  say('--key', options.key)
  say('--header', options.header)
  say('--contains', options.contains)
  say('--out-of-range', options.outOfRange)
  say('-f', options.format)
  say('-D', options.delimiter)
  say('-K', options.keyDelimiter)
  if (options.null === true) words.push('-Z')
  say('--null-as', options.nullAs)
  say('--as', options.as)
  if (global.isJson) words.push('--json')
  return `to go on: spool consume ${request.topic}${global.flagsToRepeat} ${words.join(' ')}\n`
}

function endWord({ until, offset = [] }: ConsumeOptions): string | undefined {
  return until ?? offset.find((word) => word.startsWith('e@'))?.slice(1)
}
