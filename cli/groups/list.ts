/** `spool groups list`. */

import { openClient } from '../connection.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { VerbCall } from '../verb.ts'

/** The most the broker gives at a time. */
const PAGE_SIZE = 1_000

export async function listGroups({ output, global }: VerbCall<unknown>): Promise<ExitCode> {
  await using client = await openClient(global, { isPatient: false })
  const groups = await Array.fromAsync(client.admin.listGroups({ pageSize: PAGE_SIZE }))
  if (output.isJson) {
    output.document({ groups })
    return exitCodes.done
  }
  if (groups.length === 0) {
    output.remark('there are no groups yet; one begins with: spool consume -G GROUP TOPIC')
    return exitCodes.done
  }
  await output.table(
    [
      { name: 'group' },
      { name: 'state' },
      { name: 'members', kind: 'count' },
      { name: 'epoch', kind: 'number' },
    ],
    groups.map(({ groupId, state, members, epoch }) => [groupId, state, members, epoch]),
  )
  return exitCodes.done
}
