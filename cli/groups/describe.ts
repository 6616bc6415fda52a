/** `spool groups describe`: members, what each has, where the group stands and how far behind it is. */

import type { GroupDescription } from '../../client/index.ts'
import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { counted } from '../numbers.ts'
import type { Output } from '../output.ts'
import type { VerbCall } from '../verb.ts'
import { lagOf, lagSentence, partitionsWord, shortNames } from './words.ts'

export async function describeGroup(call: VerbCall<unknown>): Promise<ExitCode> {
  const { output } = call
  await using client = await openClient(call.global, { isPatient: false })
  const group = await client.admin.describeGroup(String(call.words[0]))
  if (output.isJson) {
    output.document(group)
    return exitCodes.done
  }
  const { groupId, state, members, epoch, assignor } = group
  const who = counted(members.length, 'member')
  output.heading(`${groupId}  ${state}, ${who}, ${assignor} assignor, epoch ${epoch}`)
  output.gap()
  if (output.isTerminal) await showToPeople(output, group)
  else await print(output, group)
  return exitCodes.done
}

/** For programs: every row says what it is, and always has the same columns. */
async function print(output: Output, { members, offsets }: GroupDescription): Promise<void> {
  const { lag, lagMsMax } = lagOf(offsets)
  await output.table(
    [],
    [
      ...members.map((member) => [
        'member',
        member.memberId,
        member.clientId,
        member.clientHost,
        member.instanceId,
        member.memberEpoch,
        partitionsWord(member.assignment),
        partitionsWord(member.revoking),
      ]),
      ...offsets.map((each) => [
        'offset',
        each.topic,
        each.partition,
        each.offset,
        each.logStartOffset,
        each.highWatermark,
        each.lag,
        each.lagMs,
        each.memberId,
      ]),
      ['total', lag, lagMsMax],
    ],
  )
}

async function showToPeople(output: Output, group: GroupDescription): Promise<void> {
  const { members, offsets } = group
  if (members.length > 0) {
    await showMembers(output, group)
    output.gap()
  }
  if (offsets.length > 0) {
    await showOffsets(output, group)
    output.gap()
  }
  output.done(lagSentence(offsets))
}

/** Columns in which nobody has anything are left out. */
async function showMembers(output: Output, { members }: GroupDescription): Promise<void> {
  const hasInstances = members.some(({ instanceId }) => instanceId !== null)
  const isMoving = members.some(({ revoking }) => revoking.length > 0)
  await output.table(
    [
      { name: 'member' },
      { name: 'client' },
      { name: 'host' },
      ...(hasInstances ? [{ name: 'instance' }] : []),
      { name: 'epoch', kind: 'number' },
      { name: 'partitions' },
      ...(isMoving ? [{ name: 'lets go of' }] : []),
    ],
    members.map((member) => [
      member.memberId,
      member.clientId,
      member.clientHost,
      ...(hasInstances ? [member.instanceId] : []),
      member.memberEpoch,
      partitionsWord(member.assignment) || null,
      ...(isMoving ? [partitionsWord(member.revoking)] : []),
    ]),
  )
}

async function showOffsets(output: Output, { members, offsets }: GroupDescription): Promise<void> {
  const names = shortNames(members)
  await output.table(
    [
      { name: 'topic' },
      { name: 'partition', kind: 'number' },
      { name: 'committed', kind: 'count' },
      { name: 'end', kind: 'count' },
      { name: 'lag', kind: 'count' },
      { name: 'behind', kind: 'duration' },
      { name: 'member' },
    ],
    offsets.map((each) => [
      each.topic,
      each.partition,
      each.offset,
      each.highWatermark,
      each.lag,
      each.lagMs,
      each.memberId === null ? null : (names.get(each.memberId) ?? each.memberId),
    ]),
  )
}
