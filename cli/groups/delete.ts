/** `spool groups delete`: says what goes, asks, deletes. */

import { SpoolError } from '../../client/api/errors.ts'
import type { Client, GroupDescription } from '../../client/index.ts'
import { CommandError } from '../command-error.ts'
import { confirm } from '../confirmation.ts'
import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { DeleteGroupsOptions } from '../groups-options.ts'
import { counted } from '../numbers.ts'
import { shellWord, type VerbCall } from '../verb.ts'
import { lagSentence } from './words.ts'

export async function deleteGroups(call: VerbCall<DeleteGroupsOptions>): Promise<ExitCode> {
  const { options, output } = call
  const names = [...new Set(call.words[0] as readonly string[])]
  await using client = await openClient(call.global, { isPatient: false })
  const groups: GroupDescription[] = []
  // All are looked up before any is deleted: a name typed wrong stops the whole.
  for (const name of names) {
    const group = await find(client, name, options.ifExists === true)
    if (group === undefined) output.remark(`${name} is not there`)
    else groups.push(withoutMembers(group, call.global.flagsToRepeat))
  }
  if (groups.length > 0 && options.yes !== true) {
    const what =
      groups.length === 1 ? `group ${groups[0]?.groupId}` : `these ${groups.length} groups`
    await confirm({
      facts: groups.map((group) => `${group.groupId}: ${contentOf(group)}`),
      question: `Delete ${what}?`,
      refusal: 'nothing was deleted',
      isJson: output.isJson,
    })
  }
  const deleted: string[] = []
  try {
    for (const group of groups) {
      await client.admin.deleteGroup(group.groupId)
      deleted.push(group.groupId)
      output.done(`deleted ${group.groupId}`)
    }
  } finally {
    // Also where it failed midway: those are gone.
    if (output.isJson) output.document({ deleted })
  }
  return exitCodes.done
}

async function find(
  client: Client,
  name: string,
  mayBeMissing: boolean,
): Promise<GroupDescription | undefined> {
  try {
    return await client.admin.describeGroup(name)
  } catch (error) {
    const isMissing = error instanceof SpoolError && error.code === 'GROUP_ID_NOT_FOUND'
    if (isMissing && mayBeMissing) return undefined
    throw error
  }
}

/** The broker would refuse it too, after some had been deleted. */
function withoutMembers(group: GroupDescription, flagsToRepeat: string): GroupDescription {
  const { groupId, members } = group
  if (members.length === 0) return group
  throw new CommandError(`${groupId} has ${counted(members.length, 'member')}: end them first`, {
    exitCode: exitCodes.failed,
    nextStep: `see who they are with: spool groups describe ${shellWord(groupId)}${flagsToRepeat}`,
  })
}

function contentOf({ offsets }: GroupDescription): string {
  const topics = new Set(offsets.map(({ topic }) => topic)).size
  if (topics === 0) return 'it has committed nothing'
  const where = `${counted(offsets.length, 'partition')} of ${counted(topics, 'topic')}`
  return `offsets committed in ${where}; ${lagSentence(offsets)}`
}
