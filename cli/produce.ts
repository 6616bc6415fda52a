/**
 * `spool produce`: appends lines of stdin or of files, or one whole file, to a topic. This file is the
 * way from the command to its exit code; the parts are in `produce/`.
 */

import type { TopicDescription } from '../client/index.ts'
import { partitionerReady } from '../storage/record/partitioner.ts'
import { openClient } from './connection.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { interruption } from './interruption.ts'
import { goOnSentence } from './produce/go-on.ts'
import { type Input, openInputs } from './produce/input.ts'
import type { UploadEnd } from './produce/line-upload.ts'
import { type ProducePlan, producePlan } from './produce/plan.ts'
import { RefusalLog } from './produce/refusal-log.ts'
import {
  doneSentence,
  reachedSentence,
  reportDocument,
  type UploadResult,
} from './produce/report.ts'
import { resumingOf } from './produce/resuming.ts'
import { Session } from './produce/session.ts'
import { Target } from './produce/target.ts'
import { openUploadDisplay } from './produce/upload-display.ts'
import type { ProduceOptions } from './produce-options.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

export async function produce(call: VerbCall<ProduceOptions>): Promise<ExitCode> {
  const plan = producePlan(call.words[0], call.options)
  const inputs = plan.valueFile === undefined ? await openInputs(plan.files) : []
  try {
    return await load(call, plan, inputs)
  } finally {
    await Promise.all(inputs.map((input) => input.close()))
  }
}

/** Asks the broker about the topic; where it is not there, that is said at once. */
async function describe(topic: string, global: GlobalOptions): Promise<TopicDescription> {
  await using client = await openClient(global, { isPatient: false })
  const description = await client.admin.describeTopic(topic, { signal: interruption() })
  // Whichever of the two the topic asks for: the other one is ready at once.
  await partitionerReady('xxhash64')
  return description
}

async function load(
  call: VerbCall<ProduceOptions>,
  plan: ProducePlan,
  inputs: readonly Input[],
): Promise<ExitCode> {
  const { global, output } = call
  const interrupted = interruption()
  const description = await describe(plan.topic, global)
  const target = new Target(description, plan.sending)
  await using client = await openClient(global, { isPatient: true })
  const random = () => Math.random()
  const signal = interrupted
  const resuming = await resumingOf({ plan, inputs, description, client, output, signal, random })
  const beganAtMs = performance.now()
  const session = new Session({
    plan,
    global,
    inputs,
    target:
      resuming === undefined
        ? target
        : new Target(description, plan.sending, resuming.state.partitions),
    client,
    resuming,
    interrupted,
    onRefused: (refused) => refusals.add(refused),
    random,
  })
  const display = await openUploadDisplay(plan, inputs, global, session.acknowledged)
  const refusals = new RefusalLog(global.isJson, (text) => display.aside(text))
  if (plan.valueFile === undefined && plan.files.length === 0 && process.stdin.isTTY) {
    output.remark('one record a line; Ctrl-D ends')
  }
  let end: UploadEnd
  try {
    end = await session.run()
  } finally {
    display.end()
    refusals.close()
  }
  const { acknowledged, records, refused } = session
  const result: UploadResult = {
    topic: plan.topic,
    files: plan.files,
    acknowledged,
    refusals: refusals.listed,
    records,
    refused,
    hasOffsets: plan.sending.acks !== 0,
    elapsedMs: performance.now() - beganAtMs,
  }
  const code = finish(call, end, result)
  await session.keep(end).catch((error) => {
    output.remark(`how far it got could not be kept: ${(error as Error).message}`)
  })
  if (end === 'done' && session.isSettled) return code
  const sentence = goOnSentence(plan, acknowledged.reached.place, resuming !== undefined)
  if (!output.isJson && sentence !== undefined) output.remark(sentence)
  return code
}

/** Says how it ended; the exit code. */
function finish(call: VerbCall<ProduceOptions>, end: UploadEnd, result: UploadResult): ExitCode {
  const { output, global, name } = call
  const { acknowledged, records, refused } = result
  const isSettled = acknowledged.reached.place.records === records
  if (output.isJson) output.document(reportDocument(result))
  if (isSettled && end === 'done') {
    output.done(doneSentence(result))
    return refused > 0 ? exitCodes.someRefused : exitCodes.done
  }
  const { failure } = acknowledged
  const code =
    failure !== undefined
      ? reportFailure(failure, { verb: name, ...global })
      : end === 'refused'
        ? exitCodes.failed
        : exitCodes.interrupted
  if (!output.isJson) output.remark(reachedSentence(result))
  return code
}
