/** `spool groups delete`: says what goes, asks, deletes. */

import type { GroupDescription } from '../../client/index.ts'
import { CommandError } from '../command-error.ts'
import { type Deletable, type DeletionOptions, deleteNamed } from '../deletion.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { counted } from '../numbers.ts'
import { shellWord, type VerbCall } from '../verb.ts'
import { lagSentence } from './words.ts'

const GROUP: Deletable<GroupDescription> = {
  noun: 'group',
  missingCode: 'GROUP_ID_NOT_FOUND',
  withIt: '',
  describe: ({ admin }, name) => admin.describeGroup(name),
  check: checkNoMembers,
  nameOf: ({ groupId }) => groupId,
  contentOf,
  delete: ({ admin }, name) => admin.deleteGroup(name),
  goneSentence: ({ groupId }) => `deleted ${groupId}`,
}

export function deleteGroups(call: VerbCall<DeletionOptions>): Promise<ExitCode> {
  return deleteNamed(call, GROUP)
}

function checkNoMembers(
  { groupId, members }: GroupDescription,
  { global }: VerbCall<DeletionOptions>,
): void {
  if (members.length === 0) return
  throw new CommandError(`${groupId} has ${counted(members.length, 'member')}: end them first`, {
    exitCode: exitCodes.failed,
    nextStep: `see who they are with: spool groups describe ${shellWord(groupId)}${global.flagsToRepeat}`,
  })
}

function contentOf({ offsets }: GroupDescription): string {
  const topics = new Set(offsets.map(({ topic }) => topic)).size
  if (topics === 0) return 'it has committed nothing'
  const where = `${counted(offsets.length, 'partition')} of ${counted(topics, 'topic')}`
  return `offsets committed in ${where}; ${lagSentence(offsets)}`
}
