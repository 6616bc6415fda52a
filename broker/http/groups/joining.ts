/**
 * What a member that joins says of itself and of where its group begins, as the group takes it.
 *
 * Where a group begins, for a member that says `from`: an offset for each partition of the topics of which
 * the group has committed nothing. A topic it has committed anything of has begun: its other partitions
 * came later, and are read from their start, or records written before anybody noticed them would be
 * skipped.
 */

import type { FastifyRequest } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import type { Position } from '../../../client/api/positions.ts'
import type { BrokerContext } from '../../context.ts'
import type {
  AssignorName,
  CommittedOffset,
  MemberDetails,
  StartingOffset,
} from '../../groups/group-event.ts'
import { positionOf, resolvePosition } from '../resolve-position.ts'

/** A join, from a body or a query that its schema has checked. */
export interface Subscription {
  readonly topics?: readonly string[] | undefined
  readonly topicPattern?: string | undefined
  readonly clientId?: string | undefined
  readonly assignor?: AssignorName | undefined
  readonly sessionTimeoutMs?: number | undefined
  readonly rebalanceTimeoutMs?: number | undefined
  readonly from?: string | undefined
}

export function memberDetails(
  { topics, topicPattern, clientId, ...rest }: Subscription,
  request: FastifyRequest,
): MemberDetails {
  if ((topics === undefined) === (topicPattern === undefined)) {
    throw new SpoolError('INVALID_REQUEST', 'give topics or topicPattern, one of them', {
      extensions: { field: topics === undefined ? 'topics' : 'topicPattern' },
    })
  }
  const { assignor, sessionTimeoutMs, rebalanceTimeoutMs } = rest
  return {
    topics: topics ?? [],
    topicPattern: topicPattern ?? '',
    clientId: clientId ?? '',
    clientHost: request.ip,
    ...(assignor === undefined ? {} : { assignor }),
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    ...(rebalanceTimeoutMs === undefined ? {} : { rebalanceTimeoutMs }),
  }
}

/** `startAt` of the join, where it says from where. */
export async function startAt(
  context: BrokerContext,
  groupId: string,
  subscription: Subscription,
): Promise<{ readonly startAt?: readonly StartingOffset[] }> {
  const { from } = subscription
  if (from === undefined) return {}
  const position = positionOf(from, '', 'from')
  return { startAt: await startingOffsets(context, groupId, subscription, position) }
}

async function startingOffsets(
  context: BrokerContext,
  groupId: string,
  { topics, topicPattern }: Subscription,
  position: Position,
): Promise<StartingOffset[]> {
  if (position.kind === 'earliest') return []
  const begun = new Set((await committedOf(context, groupId)).map(({ topicId }) => topicId))
  const names = topics ?? (await context.groups.matching(topicPattern ?? ''))
  const starts: StartingOffset[] = []
  const now = context.clock.now()
  for (const name of new Set(names)) {
    const topic = context.groups.topics.byName(name)
    if (topic === undefined || begun.has(topic.topicId)) continue
    if (position.kind === 'offset' && (topic.partitions > 1 || names.length > 1)) {
      throw new SpoolError(
        'INVALID_REQUEST',
        `from is the offset ${position.offset}, which means a record of one partition only; give a time, earliest or latest`,
        { extensions: { field: 'from' } },
      )
    }
    for (const partition of context.replicas.partitionsOf(name)) {
      const { offset } = await resolvePosition(partition, position, now)
      starts.push({ topic: name, partition: partition.partition, offset })
    }
  }
  return starts
}

async function committedOf(
  context: BrokerContext,
  groupId: string,
): Promise<readonly CommittedOffset[]> {
  try {
    const reply = await context.groups.run(groupId, { kind: 'fetchOffsets' })
    return reply.offsets
  } catch (error) {
    if (error instanceof SpoolError && error.code === 'GROUP_ID_NOT_FOUND') return []
    throw error
  }
}
