/**
 * One poll of a member, in the order that makes it safe to repeat: commit what the member has done, say
 * that it is there and let go of what it must, then read on.
 *
 *     commit ─► heartbeat ─► page from `after`, or from what is committed ─► token after the page
 *
 * Nothing is kept between polls but what the group keeps: a reply that is lost is asked for again with the
 * same `after`, and a member that forgot its token begins at what it committed. A member that polls holds
 * nothing once it polls again, so what is asked back is let go of at once.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { AssignedPartition } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { MemberReply } from '../../groups/group-event.ts'
import type { TopicPartitions } from '../../groups/group-topics.ts'
import { readPage } from '../records/page.ts'
import { JsonPage } from '../records/page-body.ts'
import type { ReadPlace } from '../records/read-places.ts'
import { assignmentOf, servedPartition } from './assignment.ts'
import { keepAlive } from './keep-alive.ts'
import { decodePollToken, encodePollToken, type PollPlace, type PollToken } from './poll-token.ts'

/** Decompressed bytes looked at for one poll. */
const POLL_BYTES = 8 * 1024 * 1024
/** Topics that are deleted while one poll waits: more than that is somebody who tests brokers. */
const LOOKS_MAX = 10

export interface PollRequest {
  readonly groupId: string
  readonly memberId: string
  readonly after: PollToken | undefined
  readonly commit: PollToken | undefined
  readonly limit: number
  readonly waitMs: number
}

export interface PollOptions {
  readonly context: BrokerContext
  /** Aborted when the client is gone or the broker stops. */
  readonly signal: AbortSignal
  readonly hold: (bytes: number) => void
}

/** The token in `text`, which must be one of this member's. */
export function pollTokenOf(
  text: string | undefined,
  name: 'after' | 'commit',
  memberId: string,
): PollToken | undefined {
  if (text === undefined) return undefined
  const token = decodePollToken(text, name)
  if (token.memberId === memberId) return token
  throw new SpoolError(
    'FENCED_MEMBER_EPOCH',
    `field ${name} is a token of member ${token.memberId}, not of ${memberId}`,
    { extensions: { field: name } },
  )
}

/** The answer's bytes: `{records, token, memberEpoch, assignment}`. Throws SpoolError. */
export async function poll(request: PollRequest, options: PollOptions): Promise<Buffer> {
  const { context } = options
  const { groupId, commit } = request
  const refused = commit === undefined ? [] : await commitPlaces(context, groupId, commit)
  for (let looks = 1; ; looks++) {
    try {
      return await page(request, options, refused)
    } catch (error) {
      // Of a topic that was deleted under it the member hears with the next heartbeat, which is this one.
      const isGone = error instanceof SpoolError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
      if (!isGone || looks === LOOKS_MAX) throw error
    }
  }
}

async function page(
  request: PollRequest,
  { context, signal, hold }: PollOptions,
  refused: readonly { readonly topic: string; readonly partition: number }[],
): Promise<Buffer> {
  const { groupId, memberId, after, commit } = request
  const member = await heartbeat(context, groupId, memberId, after ?? commit)
  const assignment = await assignmentOf(context, groupId, member.assignment)
  const places = placesOf(context, assignment, after)
  const lease = keepAlive(context, groupId, member, signal)
  try {
    const { bytes } = await readPage({
      places: () => Promise.resolve(places),
      plan: {
        limit: request.limit,
        maxBytes: POLL_BYTES,
        waitMs: request.waitMs,
        filter: undefined,
        turn: after?.turn ?? 0,
        outOfRange: 'earliest',
      },
      body: new JsonPage('auto', true),
      tail: (page) => ({
        token: encodePollToken({
          memberId,
          memberEpoch: member.memberEpoch,
          turn: page.turn,
          places: page.places.map(({ partition, nextOffset }) => ({
            topicId: partition.topicId,
            partition: partition.partition,
            offset: nextOffset,
          })),
        }),
        memberEpoch: member.memberEpoch,
        assignment: assignment.map(({ topic, partition }) => ({ topic, partition })),
        ...(refused.length === 0 ? {} : { fenced: refused }),
      }),
      clock: context.clock,
      purgatory: context.replicas.purgatory,
      maxDecompressedBytes: context.settings.decompressedBytesMax,
      signal: lease.signal,
      hold,
    })
    return bytes
  } finally {
    lease.end()
  }
}

/**
 * Commits what a page held. Partitions that are another member's by now are told, not thrown: what was
 * read of them will be read again there. Throws where nothing of it could be committed.
 */
async function commitPlaces(
  context: BrokerContext,
  groupId: string,
  { memberId, memberEpoch, places }: PollToken,
): Promise<{ topic: string; partition: number }[]> {
  const tokens = places.map((place) => ({ ...place, memberId, memberEpoch }))
  if (tokens.length === 0) return []
  const { results } = await context.groups.run(groupId, { kind: 'commitTokens', tokens })
  const refused = results.flatMap(({ error, ...place }) => (error ? [{ ...place, error }] : []))
  const [first] = refused
  if (first !== undefined && refused.length === results.length) {
    throw new SpoolError(
      first.error.code,
      `${first.error.detail}; poll without after, and begin at what is committed`,
      { outcome: 'refused' },
    )
  }
  return refused.map(({ topic, partition }) => ({ topic, partition }))
}

/**
 * The member has whatever its token has; without one it has nothing. What the first heartbeat asks back is
 * let go of with a second one: whoever polls again has nothing in hand that it did not say it has done.
 */
async function heartbeat(
  context: BrokerContext,
  groupId: string,
  memberId: string,
  token: PollToken | undefined,
): Promise<MemberReply> {
  const known = await context.groups.member(groupId, memberId)
  const beat = (memberEpoch: number, owned: readonly TopicPartitions[]) =>
    context.groups.run(groupId, { kind: 'heartbeat', memberId, memberEpoch, owned })
  const read = placesByTopic(token?.places ?? [])
  const owned = intersection(read, known.assignment)
  const reply = await beat(token?.memberEpoch ?? known.memberEpoch, owned)
  const kept = intersection(owned, reply.assignment)
  return countOf(kept) === countOf(owned) ? reply : await beat(reply.memberEpoch, kept)
}

function placesByTopic(places: readonly PollPlace[]): TopicPartitions[] {
  return [...Map.groupBy(places, ({ topicId }) => topicId)].map(([topicId, ofTopic]) => ({
    topicId,
    partitions: ofTopic.map(({ partition }) => partition),
  }))
}

/** Partitions of `of` that are in `those`, too. */
function intersection(
  of: readonly TopicPartitions[],
  those: readonly TopicPartitions[],
): TopicPartitions[] {
  const allowed = new Map(those.map((each) => [each.topicId, new Set(each.partitions)]))
  return of
    .map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.filter((partition) => allowed.get(topicId)?.has(partition)),
    }))
    .filter(({ partitions }) => partitions.length > 0)
}

function countOf(places: readonly TopicPartitions[]): number {
  return places.reduce((sum, { partitions }) => sum + partitions.length, 0)
}

/** Where each partition goes on, in an order that is the same for every page. */
function placesOf(
  context: BrokerContext,
  assignment: readonly AssignedPartition[],
  after: PollToken | undefined,
): ReadPlace[] {
  const reached = new Map(
    (after?.places ?? []).map((place) => [`${place.topicId}/${place.partition}`, place.offset]),
  )
  const places: ReadPlace[] = []
  for (const { topic, topicId, partition, offset } of assignment) {
    const served = servedPartition(context, topic, partition)
    if (served === undefined || served.topicId !== topicId) continue
    const from = reached.get(`${topicId}/${partition}`) ?? offset ?? served.logStartOffset
    places.push({ partition: served, from, end: Number.POSITIVE_INFINITY })
  }
  return places.sort((a, b) => {
    const byTopic = a.partition.topicId < b.partition.topicId ? -1 : 1
    return a.partition.topicId === b.partition.topicId
      ? a.partition.partition - b.partition.partition
      : byTopic
  })
}
