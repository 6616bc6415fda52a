/**
 * `spool produce`: appends lines of stdin or of files, or one whole file, to a topic. This file is the
 * way from the command to its exit code; the parts are in `produce/`.
 */

import type { Client, Delivery, Producer } from '../client/index.ts'
import { partitionerReady } from '../storage/record/partitioner.ts'
import { openClient } from './connection.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { interruption } from './interruption.ts'
import { Acknowledged, BEGINNING } from './produce/acknowledged.ts'
import { before } from './produce/before.ts'
import { type Input, openInputs } from './produce/input.ts'
import { LineReading } from './produce/line-reading.ts'
import { LineUpload, type RefusedLine, type UploadEnd } from './produce/line-upload.ts'
import { Pace } from './produce/pace.ts'
import { type ProducePlan, producePlan, type SendingPlan } from './produce/plan.ts'
import { RefusalLog } from './produce/refusal-log.ts'
import {
  doneSentence,
  reachedSentence,
  reportDocument,
  type UploadResult,
} from './produce/report.ts'
import { Target } from './produce/target.ts'
import { ValueUpload } from './produce/value-upload.ts'
import type { ProduceOptions } from './produce-options.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

/** After Ctrl-C, how long to wait for what is on its way. */
const FLUSH_MS_MAX = 5_000

export async function produce(call: VerbCall<ProduceOptions>): Promise<ExitCode> {
  const plan = producePlan(call.words[0], call.options)
  const inputs = plan.valueFile === undefined ? await openInputs(plan.files) : []
  try {
    const target = await targetOf(plan, call.global)
    await using client = await openClient(call.global, { isPatient: true })
    return await load(call, plan, inputs, target, client)
  } finally {
    await Promise.all(inputs.map((input) => input.close()))
  }
}

/** Asks the broker about the topic; where it is not there, that is said at once. */
async function targetOf({ topic, sending }: ProducePlan, global: GlobalOptions): Promise<Target> {
  await using client = await openClient(global, { isPatient: false })
  const description = await client.admin.describeTopic(topic, { signal: interruption() })
  // Whichever of the two the topic asks for: the other one is ready at once.
  await partitionerReady('xxhash64')
  return new Target(description, sending)
}

async function load(
  call: VerbCall<ProduceOptions>,
  plan: ProducePlan,
  inputs: readonly Input[],
  target: Target,
  client: Client,
): Promise<ExitCode> {
  const { isJson } = call.global
  const beganAtMs = performance.now()
  const interrupted = interruption()
  const ending = new AbortController()
  interrupted.addEventListener('abort', () => ending.abort(), { once: true })
  const taken = Array.from({ length: target.partitions }, () => 0)
  const acknowledged = new Acknowledged({ place: BEGINNING, taken })
  const producer = openProducer(client, plan.topic, plan.sending, call.global, (delivery) => {
    acknowledged.delivered(delivery)
    if (delivery.error !== undefined) ending.abort()
  })
  const refusals = new RefusalLog(isJson)
  const { valueFile } = plan
  const common = {
    reading: new LineReading(plan.reading),
    target,
    sink: producer,
    acknowledged,
    firstPartition: Math.floor(Math.random() * target.partitions),
    onRefused: (refused: RefusedLine) => {
      refusals.add(refused)
      return plan.skipsErrors
    },
  }
  const upload =
    valueFile !== undefined
      ? new ValueUpload({ ...common, file: valueFile })
      : new LineUpload({
          ...common,
          inputs,
          delimiter: plan.delimiter,
          countMax: plan.countMax,
          pace: plan.rate === undefined ? undefined : new Pace(plan.rate),
          ending: ending.signal,
        })
  if (valueFile === undefined && plan.files.length === 0 && process.stdin.isTTY) {
    call.output.remark('one record a line; Ctrl-D ends')
  }
  const end = await upload.run()
  await flush(producer, ending.signal, () => interrupted.aborted && !acknowledged.failure)
  refusals.close()
  const { records, refused } = upload.place
  return finish(call, end, {
    topic: plan.topic,
    files: plan.files,
    acknowledged,
    refusals: refusals.listed,
    records,
    refused,
    hasOffsets: plan.sending.acks !== 0,
    elapsedMs: performance.now() - beganAtMs,
  })
}

/** Waits for all that was given, and after an interruption for a while more. */
async function flush(
  producer: Producer<Uint8Array, Uint8Array>,
  ending: AbortSignal,
  isWorthWaiting: () => boolean,
): Promise<void> {
  const flushed = producer.flush()
  await before(ending, flushed)
  if (!ending.aborted || !isWorthWaiting()) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_MS_MAX)
  })
  await Promise.race([flushed, late])
  clearTimeout(timer)
}

function openProducer(
  client: Client,
  topic: string,
  { compression, acks, lingerMs, deliveryTimeoutMs }: SendingPlan,
  { timeoutMs }: GlobalOptions,
  onDelivery: (delivery: Delivery) => void,
): Producer<Uint8Array, Uint8Array> {
  const asTheyAre = { serialize: (bytes: Uint8Array) => bytes }
  return client.producer({
    topic,
    key: asTheyAre,
    value: asTheyAre,
    compression,
    acks,
    lingerMs,
    deliveryTimeoutMs,
    ...(timeoutMs === undefined ? {} : { requestTimeoutMs: timeoutMs }),
    // Whoever closes it has waited before.
    closeTimeoutMs: 0,
    onDelivery,
  })
}

function finish(call: VerbCall<ProduceOptions>, end: UploadEnd, result: UploadResult): ExitCode {
  const { output, global, name } = call
  const { acknowledged, records, refused } = result
  const isWhole = end !== 'ended' && acknowledged.reached.place.records === records
  if (output.isJson) output.document(reportDocument(result))
  if (isWhole && end === 'done') {
    output.done(doneSentence(result))
    return refused > 0 ? exitCodes.someRefused : exitCodes.done
  }
  const { failure } = acknowledged
  const code =
    failure !== undefined
      ? reportFailure(failure, { verb: name, ...global })
      : isWhole
        ? exitCodes.failed
        : exitCodes.interrupted
  if (!output.isJson) output.remark(reachedSentence(result))
  return code
}
