/**
 * `spool groups reset`: asks the broker what a reset would do, says it, asks the person, and does just
 * that, also while the group's members run. Says afterwards what undoes it.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Client, ResetReply } from '../../client/index.ts'
import { confirm } from '../confirmation.ts'
import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { ResetOptions } from '../groups-options.ts'
import { counted } from '../numbers.ts'
import { UsageError } from '../usage-error.ts'
import type { VerbCall } from '../verb.ts'
import { PartlyReset, resetInParts } from './reset-parts.ts'
import { type ResetPlan, resetPlan } from './reset-plan.ts'
import { factsOf, printReset, totalsOf, undoCommand } from './reset-report.ts'

type ResetCall = VerbCall<ResetOptions>

export async function resetGroup(call: ResetCall): Promise<ExitCode> {
  const { options, output, global } = call
  const group = String(call.words[0])
  const plan = await resetPlan(options)
  await using client = await openClient(global, { isPatient: false })
  if (options.dryRun === true) {
    const preview = await reset(client, group, plan, true)
    if (output.isJson) output.document(preview)
    else await printReset(output, preview)
    output.remark(`would reset ${totalsOf(preview)}`)
    return exitCodes.done
  }
  const agreed = options.yes === true ? plan : await askAbout(call, client, group, plan)
  try {
    await tell(call, await reset(client, group, agreed, false))
  } catch (error) {
    if (!(error instanceof PartlyReset)) throw error
    await tell(call, error.done)
    throw error.cause
  }
  return exitCodes.done
}

async function tell({ output, global }: ResetCall, done: ResetReply): Promise<void> {
  if (output.isJson) output.document(done)
  else await printReset(output, done)
  output.remark(`reset ${totalsOf(done)}`)
  output.remark(`to undo it: ${undoCommand(done, global.flagsToRepeat)}`)
}

/** Resolves to what was agreed to: the offsets that were shown, whatever a position means by then. */
async function askAbout(
  { output }: ResetCall,
  client: Client,
  group: string,
  plan: ResetPlan,
): Promise<ResetPlan> {
  const preview = await reset(client, group, plan, true)
  const { members } = await client.admin.describeGroup(group)
  const running =
    members.length === 0
      ? []
      : [`${group} has ${counted(members.length, 'member')}, which will go on from there`]
  await confirm({
    facts: [...factsOf(preview), ...running],
    question: `Reset ${totalsOf(preview)}?`,
    refusal: 'nothing was reset',
    isJson: output.isJson,
  })
  return { to: { offsets: preview.to } }
}

async function reset(
  client: Client,
  group: string,
  plan: ResetPlan,
  dryRun: boolean,
): Promise<ResetReply> {
  try {
    return await resetInParts(client, group, { ...plan, dryRun })
  } catch (error) {
    throw inWordsOfTheCommandLine(error, plan)
  }
}

/** The broker speaks of the fields of a request. */
function inWordsOfTheCommandLine(error: unknown, { to }: ResetPlan): unknown {
  if (!(error instanceof SpoolError) || error.code !== 'INVALID_REQUEST') return error
  if (typeof to === 'string' && error.detail.startsWith('field to is the offset')) {
    return new UsageError(
      `--to ${to} is an offset of one partition: name that with --topic TOPIC:PARTITION, or give an offset for each: --to 0:${to},1:${to}`,
    )
  }
  return new UsageError(error.detail.replace(/^field (topics|partitions) /, '--topic '))
}
