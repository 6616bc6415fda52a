/**
 * The token of a page that a member polled: whose it is, and how far it reaches in each of the member's
 * partitions. It is at once where to go on (`after`) and what to commit (`commit`), and is stored nowhere.
 *
 *     version      1 byte    2: 1 is that of a record's token (`groups/tokens.ts`), with the same checksum
 *     epoch        varlong   the member epoch the page was given under
 *     turn         varlong   the place to begin the next page with
 *     member       varlong, bytes   the member id
 *     then for each topic:
 *       topic id  16 bytes
 *       count      varlong   of its partitions
 *       partition, next        varlongs, each partition minus the one before, minus 1
 *     checksum     4 bytes   see `sealed-text.ts`
 *
 * and all of it in base64url. Varlongs are Kafka's (zigzag). Members may have the same id in several groups.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { TOPIC_ID_BYTES, topicIdFromBytes } from '../../../storage/file/topic-id.ts'
import {
  readVarlong,
  VARLONG_BYTES_MAX,
  varintEnd,
  writeVarlong,
} from '../../../storage/record/varint.ts'
import { CHECKSUM_BYTES, sealedText, unsealed } from '../../sealed-text.ts'

export interface PollPlace {
  readonly topicId: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: number
}

export interface PollToken {
  readonly memberId: string
  readonly memberEpoch: number
  readonly turn: number
  /** By topic id, by rising partition. */
  readonly places: readonly PollPlace[]
}

const VERSION = 2

export function encodePollToken(
  groupId: string,
  { memberId, memberEpoch, turn, places }: PollToken,
): string {
  const member = Buffer.from(memberId)
  const bytesMax =
    1 +
    member.length +
    CHECKSUM_BYTES +
    3 * VARLONG_BYTES_MAX +
    places.length * (TOPIC_ID_BYTES + 3 * VARLONG_BYTES_MAX)
  const bytes = Buffer.allocUnsafe(bytesMax)
  bytes[0] = VERSION
  let at = writeVarlong(bytes, memberEpoch, 1)
  at = writeVarlong(bytes, turn, at)
  at = writeVarlong(bytes, member.length, at)
  at += member.copy(bytes, at)
  for (const [topicId, ofTopic] of Map.groupBy(places, (place) => place.topicId)) {
    at += bytes.write(topicId.replaceAll('-', ''), at, 'hex')
    at = writeVarlong(bytes, ofTopic.length, at)
    let before = -1
    for (const { partition, offset } of ofTopic) {
      at = writeVarlong(bytes, partition - before - 1, at)
      at = writeVarlong(bytes, offset, at)
      before = partition
    }
  }
  return sealedText(bytes, at, groupId)
}

export interface DecodeOptions {
  readonly groupId: string
  /** The field it came in, for the error. */
  readonly name: string
  /** More partitions than there may be: a few bytes each, which would be large as objects. */
  readonly placesMax: number
}

/** @throws SpoolError INVALID_REQUEST for what no broker gave for this group. */
export function decodePollToken(
  text: string,
  { groupId, name, placesMax }: DecodeOptions,
): PollToken {
  try {
    return tokenOf(groupId, text, placesMax)
  } catch (error) {
    const why = (error as Error).message
    const detail = `field ${name} is no token of a poll of group ${groupId}: ${why}; give the token of an earlier answer as it is`
    throw new SpoolError('INVALID_REQUEST', detail, { extensions: { field: name } })
  }
}

function tokenOf(groupId: string, text: string, placesMax: number): PollToken {
  const bytes = unsealed(text, { what: 'token', groupId, bytesMin: 1 })
  const end = bytes.length
  if (bytes[0] !== VERSION) {
    throw new RangeError('it is none of a page (that of a record goes to …/commit)')
  }
  let at = 1
  const next = (max = Number.MAX_SAFE_INTEGER) => {
    const value = readVarlong(bytes, at, end)
    if (value < 0 || value > max) throw new RangeError('a number in it is out of bounds')
    at = varintEnd
    return value
  }
  const memberEpoch = next()
  const turn = next()
  const memberBytes = next(end - at)
  const memberId = bytes.toString('utf8', at, at + memberBytes)
  at += memberBytes
  const places: PollPlace[] = []
  while (at < end) {
    if (end - at < TOPIC_ID_BYTES) throw new RangeError('it was cut or changed')
    const topicId = topicIdFromBytes(bytes.subarray(at, at + TOPIC_ID_BYTES))
    at += TOPIC_ID_BYTES
    const count = next()
    if (count > placesMax - places.length) {
      throw new RangeError(`it has more than ${placesMax} partitions, which is partitions.max`)
    }
    let partition = -1
    for (let index = 0; index < count; index++) {
      partition += 1 + next(2 ** 31 - 1)
      places.push({ topicId, partition, offset: next() })
    }
  }
  return { memberId, memberEpoch, turn, places }
}
