/**
 * How the stream of a member of a group looks: records with their topic and their token, as lines or as
 * events, and what the member must know beside them.
 *
 *     {"assigned":{"memberId":"…","memberEpoch":3,"partitions":[{"topic":…,"partition":0,"offset":40}]}}
 *     {"topic":"orders","token":"…","partition":0,"offset":40,…}
 *     {"revoked":[{"topic":…,"partition":0,"token":"…"}]}      it goes to somebody else
 *     {"reset":[{"topic":…,"partition":0,"from":40,"to":12}]}      before the first record read again
 *     {"checkpoint":{"memberId":"…","memberEpoch":3,"tokens":["…"]}}
 *     {"problem":{…}}   {"end":{"reason":"stopping"}}
 *
 * A checkpoint is a sign of life every 10 s, and comes within a second where records were passed over: a filter
 * does not ask for them, they were compacted away, or they are marks of transactions. It has a token of each
 * such partition. Committing a checkpoint's token says that everything given of its partition before it is done.
 * So does committing the token in revoked, and then the partition is let go of at once.
 *
 * As events each of these is `event: assigned` with its value as data. There are no ids: where a member
 * goes on is what it committed.
 */

import { toProblem } from '../../../client/api/errors.ts'
import { EVENT_STREAM_TYPE } from '../../../client/api/media-types.ts'
import { encodeToken } from '../../groups/tokens.ts'
import type { Partition } from '../../partition/partition.ts'
import type { RecordFilter } from '../records/record-filter.ts'
import { RecordView, type View } from '../records/record-view.ts'
import type { Rendering } from '../streams/chunk.ts'
import { EVENT_FORMAT, NDJSON_FORMAT, type StreamFormat } from '../streams/format.ts'

/** What is said beside records, by its name. */
export type WorkerNote = 'assigned' | 'revoked' | 'reset' | 'checkpoint' | 'problem' | 'end'

const NOTHING = Buffer.alloc(0)
/** How soon a browser connects again after a stream was cut. */
const RETRY_MS = 1_000

export function noteBytes(type: string, name: WorkerNote, document: unknown): Buffer {
  return type === EVENT_STREAM_TYPE
    ? Buffer.from(`event: ${name}\ndata: ${JSON.stringify(document)}\n\n`)
    : Buffer.from(`${JSON.stringify({ [name]: document })}\n`)
}

/** The form of a member's stream. What it is told as its place is its standing, as JSON text. */
export function workerFormat(type: string): StreamFormat {
  const isEvents = type === EVENT_STREAM_TYPE
  return {
    headers: (isEvents ? EVENT_FORMAT : NDJSON_FORMAT).headers,
    opening: () => (isEvents ? Buffer.from(`retry: ${RETRY_MS}\n\n`) : NOTHING),
    checkpoint: (standing) => noteBytes(type, 'checkpoint', JSON.parse(standing)),
    place: (standing) => {
      const checkpoint = JSON.parse(standing) as { readonly tokens: readonly string[] }
      return checkpoint.tokens.length === 0 ? NOTHING : noteBytes(type, 'checkpoint', checkpoint)
    },
    problem: (error) => noteBytes(type, 'problem', toProblem(error)),
    end: (reason) => noteBytes(type, 'end', { reason }),
  }
}

/** What the records of a member look like, and which they are. */
export interface WorkerLook {
  /** Media type of the stream. */
  readonly type: string
  readonly as: View
  readonly filter: RecordFilter | undefined
  readonly filterKey: string
}

/** The records of one partition as its owner gets them. */
export function workerRendering(
  { type, as, filter, filterKey }: WorkerLook,
  { topic, topicId, partition }: Partition,
  member: { readonly groupId: string; readonly memberId: string; readonly memberEpoch: number },
): Rendering {
  const { groupId, memberId, memberEpoch } = member
  const view = new RecordView(as, true)
  const [before, after] = type === EVENT_STREAM_TYPE ? ['data: ', '\n\n'] : ['', '\n']
  return {
    key: JSON.stringify(['worker', type, as, filterKey, groupId, memberId, memberEpoch]),
    filter,
    write(writer, _partition, cursor) {
      const token = encodeToken(groupId, {
        topicId,
        partition,
        offset: cursor.offset + 1,
        memberId,
        memberEpoch,
      })
      writer.ascii(before)
      view.write(writer, partition, cursor, `"topic":"${topic}","token":"${token}",`)
      writer.ascii(after)
    },
  }
}
