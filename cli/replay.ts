/**
 * `spool replay`: plays records of a topic again, in the order of their timestamps, to another topic or to
 * stdout, at the pace that was asked for. This file is the way from the command to its exit code; the
 * parts are in `replay/`.
 */

import type { RecordFilter } from '../broker/http/records/record-filter.ts'
import type { Client, TopicDescription } from '../client/index.ts'
import { partitionerReady } from '../storage/record/partitioner.ts'
import { openClient } from './connection.ts'
import { type ConsumePlan, consumePlan, positionToAsk } from './consume-plan.ts'
import { consumePrinter } from './consume-printer.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { interruption } from './interruption.ts'
import { noPartition } from './missing-partition.ts'
import { Target } from './produce/target.ts'
import { openDisplay, type ProgressDisplay } from './progress-display.ts'
import { filterOf } from './record-filter-options.ts'
import { Copying } from './replay/copying.ts'
import { Merge } from './replay/merge.ts'
import { type Pacing, pacingOf } from './replay/pacing.ts'
import { type ReplayPlan, replayPlan } from './replay/plan.ts'
import { Printing } from './replay/printing.ts'
import { replay } from './replay/replaying.ts'
import {
  type CopyResult,
  copiedSentence,
  copyDocument,
  goOnCommand,
  type Offsets,
  offsetsBetween,
  type ReplayRange,
  reachedSentence,
} from './replay/report.ts'
import type { ReplayOptions } from './replay-options.ts'
import { sayInterrupted, withNextStep } from './stopped.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

type ReplayCall = VerbCall<ReplayOptions>

/** What both ways of replaying work with. */
interface Surroundings {
  readonly call: ReplayCall
  readonly client: Client
  readonly range: ReplayRange
  readonly plan: ReplayPlan
  readonly filter: RecordFilter | undefined
  readonly pacing: Pacing | undefined
}

export async function replayTopic(call: ReplayCall): Promise<ExitCode> {
  const { options, global, output } = call
  const topic = String(call.words[0])
  const plan = replayPlan(topic, options)
  const filter = filterOf(options)
  const printer =
    plan.into === undefined ? consumePrinter(topic, options, global.isJson) : undefined
  const { from, until, target } = await resolved(plan, global)
  const range = { topic, from, until: until as Offsets }
  if (offsetsBetween(range.from, range.until) === 0) {
    output.remark(`there is nothing to replay: ${topic} has no records there`)
  }
  await using client = await openClient(global, { isPatient: true })
  const surroundings = { call, client, range, plan, filter, pacing: pacingOf(plan.pacings) }
  if (printer === undefined) return await copy(surroundings, target!)
  const sink = new Printing(printer, interruption())
  return await print(surroundings, sink)
}

/** Asks the broker what the positions mean; where something is not there, that is said at once. */
async function resolved(
  { request, into, samePartitions }: ReplayPlan,
  global: GlobalOptions,
): Promise<ConsumePlan & { readonly target: TopicDescription | undefined }> {
  await using client = await openClient(global, { isPatient: false })
  const signal = interruption()
  const ask = (at: string) => client.admin.offsets(request.topic, { at, signal })
  const begin = await ask(positionToAsk(request.from))
  const end = request.until === undefined ? undefined : await ask(positionToAsk(request.until))
  const plan = consumePlan(request, begin, end)
  if (into === undefined) return { ...plan, target: undefined }
  const target = await client.admin.describeTopic(into, { signal })
  // Whichever of the two the topic asks for: the other one is ready at once.
  await partitionerReady('xxhash64')
  const missing = Object.keys(plan.from).find((it) => Number(it) >= target.partitions.length)
  if (samePartitions && missing !== undefined) {
    throw noPartition(into, Number(missing), target.partitions.length)
  }
  return { ...plan, target }
}

async function print(surroundings: Surroundings, sink: Printing): Promise<ExitCode> {
  const { call, client, range, plan, filter, pacing } = surroundings
  const signal = interruption()
  const merge = mergeOf(client, range, plan, signal)
  const display = await displayOf(surroundings, () => ({
    nextOffsets: merge.nextOffsets(),
    records: sink.count,
  }))
  try {
    await replay({ merge, filter, pacing, sink, signal })
  } catch (error) {
    display.end()
    const nextOffsets = { ...range.from, ...merge.nextOffsets() }
    const goOn = (from: Offsets) => goOnCommand(range, call.options, call.global, from)
    if (!signal.aborted) throw withNextStep(error, nextOffsets, goOn)
    sayInterrupted(call, { nextOffsets, nextStep: goOn(nextOffsets) })
    return exitCodes.interrupted
  } finally {
    display.end()
    await sink.finish()
    await merge.close()
  }
  return exitCodes.done
}

async function copy(surroundings: Surroundings, description: TopicDescription): Promise<ExitCode> {
  const { call, client, range, plan, filter, pacing } = surroundings
  const beganAtMs = performance.now()
  const target = new Target(description, SENDING)
  const ending = new AbortController()
  const signal = AbortSignal.any([interruption(), ending.signal])
  const merge = mergeOf(client, range, plan, signal)
  const sink = new Copying({
    client,
    source: range.topic,
    target,
    samePartitions: plan.samePartitions,
    requestTimeoutMs: call.global.timeoutMs,
    nextOffsets: () => merge.nextOffsets(),
    onFailure: () => ending.abort(),
    ending: signal,
  })
  const display = await displayOf(surroundings, () => sink.copied.reached)
  let failure: unknown
  try {
    await replay({ merge, filter, pacing, sink, signal })
  } catch (error) {
    failure = error
  } finally {
    await sink.finish()
    display.end()
    await merge.close()
  }
  const { copied, count } = sink
  const elapsedMs = performance.now() - beganAtMs
  const result = { range, into: target.topic, copied, records: count, elapsedMs }
  return finishCopy(call, result, failure)
}

/** Says how it ended; the exit code. `failure`: why the loop ended before its end. */
function finishCopy(call: ReplayCall, result: CopyResult, failure: unknown): ExitCode {
  const { global, output, options, name } = call
  const { copied, records, range } = result
  if (output.isJson) output.document(copyDocument(result))
  const isSettled = copied.reached.records === records
  if (failure === undefined && isSettled) {
    output.done(copiedSentence(result))
    return exitCodes.done
  }
  const nextOffsets = { ...range.from, ...copied.reached.nextOffsets }
  const goOn = (from: Offsets) => goOnCommand(range, options, global, from)
  output.remark(reachedSentence(result))
  if (interruption().aborted) {
    sayInterrupted(call, { nextOffsets, nextStep: goOn(nextOffsets) })
    return exitCodes.interrupted
  }
  // What is behind the record that failed was settled first: going on after it leaves nothing out.
  if (isSettled) throw withNextStep(failure, nextOffsets, goOn)
  const code = reportFailure(copied.failure ?? failure, { verb: name, ...global })
  output.remark(`to go on: ${goOn(nextOffsets)}`)
  return code
}

/** Of what `spool produce` lets say about sending, the defaults. */
const SENDING = {
  partition: -1,
  compression: 'lz4',
  acks: 'all',
  lingerMs: 0,
  deliveryTimeoutMs: 120_000,
} as const

function mergeOf(
  client: Client,
  range: ReplayRange,
  { request: { outOfRange } }: ReplayPlan,
  signal: AbortSignal,
): Merge {
  return new Merge(client, { ...range, outOfRange }, signal)
}

function displayOf(
  { call, range, plan }: Surroundings,
  place: () => { readonly nextOffsets: Offsets; readonly records: number },
): Promise<ProgressDisplay> {
  const total = offsetsBetween(range.from, range.until)
  const progress = () => {
    const { nextOffsets, records } = place()
    return { done: offsetsBetween(range.from, nextOffsets), records }
  }
  // A bar between the records would be no good to anybody.
  const mayDraw = plan.into !== undefined || process.stdout.isTTY !== true
  const name = plan.into === undefined ? range.topic : `${range.topic} → ${plan.into}`
  return openDisplay({ name, total, unit: 'records', progress }, call.global, {
    isAsked: call.options.progress === true,
    mayDraw,
  })
}
