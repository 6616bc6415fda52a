/** `spool topics trim`: says which records go, asks, and moves the start of the partitions. */

import type { TopicOffsets } from '../../client/index.ts'
import { confirm } from '../confirmation.ts'
import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { noPartition } from '../missing-partition.ts'
import { counted } from '../numbers.ts'
import { toPosition } from '../position-words.ts'
import type { TrimOptions } from '../topics-options.ts'
import { UsageError } from '../usage-error.ts'
import type { VerbCall } from '../verb.ts'

interface Cut {
  readonly partition: number
  /** The first record that stays. */
  readonly before: number
  readonly logStartOffset: number
  readonly highWatermark: number
}

export async function trimTopic(call: VerbCall<TrimOptions>): Promise<ExitCode> {
  const { options, output } = call
  const topic = String(call.words[0])
  const wanted = options.partition ?? []
  const position = toPosition(options.before ?? '', '--before')
  const offset = /^\d+$/.test(position) ? Number(position) : undefined
  if (offset !== undefined && wanted.length > 1) {
    throw new UsageError(
      `--before ${position} is an offset of one partition, and --partition names ${wanted.length}`,
    )
  }
  await using client = await openClient(call.global, { isPatient: false })
  const found = await client.admin.offsets(topic, {
    at: offset === undefined ? position : 'earliest',
  })
  const cuts = wanted.map((partition) => cutOf(found, partition, offset))
  const isTrial = options.dryRun === true
  const facts = cuts.map((cut) => preview(topic, cut))
  const isSomething = cuts.some((cut) => cut.before > cut.logStartOffset)
  if (isTrial) {
    for (const fact of facts) output.done(fact)
  } else if (!isSomething) {
    for (const fact of facts) output.remark(fact)
  } else {
    if (options.yes !== true) {
      await confirm({
        facts,
        question: 'Delete these records?',
        refusal: 'nothing was trimmed',
        isJson: output.isJson,
      })
    }
    for (const { partition, before, logStartOffset } of cuts) {
      if (before <= logStartOffset) continue
      const trimmed = await client.admin.trim(topic, partition, before)
      output.done(`${topic}/${partition} starts at ${trimmed.logStartOffset} now`)
    }
  }
  if (output.isJson) output.document({ topic, isDryRun: isTrial, partitions: cuts.map(documentOf) })
  return exitCodes.done
}

/** @throws SpoolError for a partition that is not there, UsageError for an offset beyond its end. */
function cutOf(
  { topic, partitions }: TopicOffsets,
  partition: number,
  offset: number | undefined,
): Cut {
  const found = partitions.find((each) => each.partition === partition)
  if (found === undefined) throw noPartition(topic, partition, partitions.length)
  const { logStartOffset, highWatermark } = found
  const before = offset ?? found.offset
  if (before > highWatermark) {
    throw new UsageError(
      `--before ${before}: ${topic}/${partition} ends before ${highWatermark}; --before latest deletes all there is`,
    )
  }
  return { partition, before, logStartOffset, highWatermark }
}

function preview(topic: string, cut: Cut): string {
  const { partition, before, logStartOffset, highWatermark } = cut
  const goes = Math.max(0, before - logStartOffset)
  if (goes === 0)
    return `${topic}/${partition}: nothing before ${before}, it starts at ${logStartOffset}`
  const stays = counted(highWatermark - before, 'record')
  return `${topic}/${partition}: ${counted(goes, 'record')} would go, offsets ${logStartOffset} to ${before - 1}; ${stays} would stay`
}

function documentOf({ partition, before, logStartOffset, highWatermark }: Cut) {
  return {
    partition,
    from: logStartOffset,
    before,
    records: Math.max(0, before - logStartOffset),
    highWatermark,
  }
}
