/**
 * A reset to given offsets, of more partitions than one request may name: in parts, one after another, and
 * one answer for all of them. Each part is whole or not at all; where one fails, those before it are done.
 */

import { GROUP_OFFSETS_MAX } from '../../client/api/schemas/groups.ts'
import type { Client, GroupReset, ResetReply } from '../../client/index.ts'

/** Some parts are reset, and one was not. */
export class PartlyReset extends Error {
  /** Of those that are. */
  readonly done: ResetReply

  constructor(cause: unknown, done: ResetReply) {
    super('some partitions were reset, and others were not', { cause })
    this.done = done
  }
}

/**
 * @throws PartlyReset for what went wrong after some were reset; else whatever the broker refuses with.
 */
export async function resetInParts(
  { admin }: Client,
  group: string,
  reset: GroupReset,
  partMax = GROUP_OFFSETS_MAX,
): Promise<ResetReply> {
  const { to } = reset
  if (typeof to !== 'object' || !('offsets' in to) || to.offsets.length <= partMax) {
    return await admin.resetGroupOffsets(group, reset)
  }
  let done: ResetReply | undefined
  for (let at = 0; at < to.offsets.length; at += partMax) {
    const part = { ...reset, to: { offsets: to.offsets.slice(at, at + partMax) } }
    try {
      const reply = await admin.resetGroupOffsets(group, part)
      done = done === undefined ? reply : together(done, reply)
    } catch (error) {
      if (done === undefined || reset.dryRun === true) throw error
      throw new PartlyReset(error, done)
    }
  }
  return done!
}

function together(one: ResetReply, other: ResetReply): ResetReply {
  return {
    ...one,
    from: [...one.from, ...other.from],
    to: [...one.to, ...other.to],
    partitions: [...one.partitions, ...other.partitions],
    recordsAgain: one.recordsAgain + other.recordsAgain,
  }
}
