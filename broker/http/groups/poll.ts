/**
 * One poll of a member, in the order that makes it safe to repeat: commit what the member has done, say
 * that it is there and let go of what it must, then read on.
 *
 *     commit ─► heartbeat ─► page from `after`, where that is good still, or from what is committed
 *                              └► token after the page
 *
 * Nothing is kept between polls but what the group keeps: a reply that is lost is asked for again with the
 * same `after`, and a member that forgot its token begins at what it committed. A member that polls holds
 * nothing once it polls again, so what is asked back is let go of at once.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { AssignedPartition } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { MemberReply } from '../../groups/group-event.ts'
import { placeKey } from '../../groups/place-key.ts'
import { readPage } from '../records/page.ts'
import { JsonPage } from '../records/page-body.ts'
import type { ReadPlace } from '../records/read-places.ts'
import type { RecordFilter } from '../records/record-filter.ts'
import type { View } from '../records/record-view.ts'
import { assignmentOf, endOfToken } from './assignment.ts'
import { keepAlive } from './keep-alive.ts'
import { type PlacesReached, POLL_AGAIN, placesReached } from './poll-resume.ts'
import { decodePollToken, encodePollToken, type PollToken } from './poll-token.ts'

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
  readonly as: View
  readonly filter: RecordFilter | undefined
}

export interface PollOptions {
  readonly context: BrokerContext
  /** Aborted when the client is gone or the broker stops. */
  readonly signal: AbortSignal
  readonly hold: (bytes: number) => void
}

/** Whose a token must be, and how much of it there may be. */
interface TokenOwner {
  readonly groupId: string
  readonly memberId: string
  readonly placesMax: number
}

/** The token in `text`, which must be one of this member's. */
export function pollTokenOf(
  text: string | undefined,
  name: 'after' | 'commit',
  { groupId, memberId, placesMax }: TokenOwner,
): PollToken | undefined {
  if (text === undefined) return undefined
  const token = decodePollToken(text, { groupId, name, placesMax })
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
  const deadlineMs = context.clock.monotonicMs() + request.waitMs
  for (let looks = 1; ; looks++) {
    const waitMs = Math.max(0, deadlineMs - context.clock.monotonicMs())
    try {
      return await page({ ...request, waitMs }, options, refused)
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
  const { groupId, memberId, after } = request
  const member = await heartbeat(context, groupId, memberId)
  const reached = placesReached(after, member)
  const assignment = await assignmentOf(context, groupId, member.assignment)
  const places = placesOf(context, assignment, reached)
  const lease = keepAlive(context, groupId, member, signal)
  try {
    const { bytes } = await readPage({
      places: () => Promise.resolve(places),
      plan: {
        limit: request.limit,
        maxBytes: POLL_BYTES,
        waitMs: request.waitMs,
        filter: request.filter,
        turn: after?.turn ?? 0,
        outOfRange: 'earliest',
      },
      body: new JsonPage(request.as, true),
      tail: (page) => ({
        token: encodePollToken(groupId, {
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
 * read of them will be read again there. Throws where nothing of it could be committed. Of topics that are
 * gone there is nothing to commit.
 */
async function commitPlaces(
  context: BrokerContext,
  groupId: string,
  { memberId, memberEpoch, places }: PollToken,
): Promise<{ topic: string; partition: number }[]> {
  const tokens = places.map((place) => ({
    ...place,
    ...endOfToken(context, place),
    memberId,
    memberEpoch,
  }))
  if (tokens.length === 0) return []
  const { results } = await context.groups.run(groupId, { kind: 'commitTokens', tokens })
  const present = results.filter(({ error }) => error?.code !== 'UNKNOWN_TOPIC_ID')
  const refused = present.flatMap(({ error, ...place }) => (error ? [{ ...place, error }] : []))
  const [first] = refused
  if (first !== undefined && refused.length === present.length) {
    throw new SpoolError(first.error.code, `${first.error.detail}; ${POLL_AGAIN}`, {
      outcome: 'refused',
    })
  }
  return refused.map(({ topic, partition }) => ({ topic, partition }))
}

/**
 * Whoever polls has nothing in hand that it did not say it has done, so it holds nothing: what is asked back
 * is let go of by this very heartbeat. Its epoch is the group's affair: a reply that told of a new one may be
 * lost.
 */
async function heartbeat(
  context: BrokerContext,
  groupId: string,
  memberId: string,
): Promise<MemberReply> {
  for (let looks = 1; ; looks++) {
    const { memberEpoch } = await context.groups.member(groupId, memberId)
    try {
      const event = { kind: 'heartbeat', memberId, memberEpoch, owned: [] } as const
      return await context.groups.run(groupId, event)
    } catch (error) {
      // The group was rewound since that look.
      const isFenced = error instanceof SpoolError && error.code === 'FENCED_MEMBER_EPOCH'
      if (!isFenced || looks === LOOKS_MAX) throw error
    }
  }
}

/** Where each partition goes on, in an order that is the same for every page. */
function placesOf(
  context: BrokerContext,
  assignment: readonly AssignedPartition[],
  reached: PlacesReached,
): ReadPlace[] {
  const places: ReadPlace[] = []
  for (const { topic, topicId, partition, offset } of assignment) {
    const served = context.replicas.find(topic, partition)
    if (served === undefined || served.topicId !== topicId) continue
    const from = reached.get(placeKey({ topicId, partition })) ?? offset ?? served.logStartOffset
    // The log may have lost its end since.
    places.push({
      partition: served,
      from: Math.min(from, served.highWatermark),
      end: Number.POSITIVE_INFINITY,
    })
  }
  return places.sort((a, b) => {
    const byTopic = a.partition.topicId < b.partition.topicId ? -1 : 1
    return a.partition.topicId === b.partition.topicId
      ? a.partition.partition - b.partition.partition
      : byTopic
  })
}
