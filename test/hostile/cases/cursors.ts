/**
 * Places that no broker gave: cursors cut, changed, made up with the right checksum, of another topic; in
 * the query and in `Last-Event-ID`. And what one asks of all partitions at once that only one can answer.
 */

import { decodeCursor, encodeCursor } from '../../../broker/http/records/cursor.ts'
import type { ErrorCode } from '../../../client/api/errors.ts'
import { crc32c } from '../../../storage/record/crc32c.ts'
import { VARLONG_BYTES_MAX, writeVarlong } from '../../../storage/record/varint.ts'
import { type CaseGroup, expecting, type HostileCase, request } from '../hostile-case.ts'

const TOPIC = '/v1/topics/untouched/records'
const PARTITION = '/v1/topics/trimmed/partitions/0/records'
const OTHER_ID = '00000000-0000-4000-8000-000000000000'

/** Well formed, of a topic that is not there. */
const OF_ANOTHER = encodeCursor({
  topicId: OTHER_ID,
  places: [0, 1].map((partition) => ({ partition, nextOffset: 5 })),
  isEnd: false,
})

/** A cursor whose checksum is right: version, flags, then numbers. */
function madeUp(version: number, flags: number, numbers: readonly number[], after: Buffer[] = []) {
  const written = numbers.map((number) => {
    const bytes = Buffer.alloc(VARLONG_BYTES_MAX)
    return bytes.subarray(0, writeVarlong(bytes, number, 0))
  })
  const head = Buffer.concat([Buffer.from([version, flags]), Buffer.alloc(16)])
  const body = Buffer.concat([head, ...written, ...after])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32c(body))
  return Buffer.concat([body, checksum]).toString('base64url')
}

const IS_DENSE = 4
const HAS_ENDS = 2
const FAR = Number.MAX_SAFE_INTEGER
const INT32_MAX = 2 ** 31 - 1

const NO_CURSORS: Readonly<Record<string, string>> = {
  'three letters': 'abc',
  'the longest there may be': 'A'.repeat(8_192),
  'one too long': 'A'.repeat(8_193),
  'a path': '..%2f..%2fetc%2fpasswd',
  JSON: '%7B%22partition%22%3A0%7D',
  'cut short': OF_ANOTHER.slice(0, -1),
  'cut to its head': OF_ANOTHER.slice(0, 24),
  'padded as base64': `${OF_ANOTHER}%3D`,
  'with one letter changed': `${OF_ANOTHER.slice(0, 10)}_${OF_ANOTHER.slice(11)}`,
  'twice in a row': `${OF_ANOTHER}${OF_ANOTHER}`,
  'of another version': madeUp(2, IS_DENSE, [0, 5]),
  'of unknown flags': madeUp(1, 0xff, [0, 5]),
  'of a negative turn': madeUp(1, IS_DENSE, [-1, 5]),
  'of a turn beyond any partition': madeUp(1, IS_DENSE, [INT32_MAX + 1, 5]),
  'of an offset below 0': madeUp(1, IS_DENSE, [0, -5]),
  'of an offset that falls below 0': madeUp(1, IS_DENSE, [0, 5, -6]),
  'of an offset beyond 2^53': madeUp(1, IS_DENSE, [0, FAR, 1]),
  'of partition -1': madeUp(1, 0, [0, -1, 5]),
  'of partition 2^31': madeUp(1, 0, [0, INT32_MAX + 1, 5]),
  'of an end before its place': madeUp(1, IS_DENSE | HAS_ENDS, [0, 5, -2]),
  'of an end beyond 2^53': madeUp(1, IS_DENSE | HAS_ENDS, [0, 5, FAR]),
  'of half a place': madeUp(1, 0, [0, 3]),
  'of a number without end': madeUp(1, IS_DENSE, [0], [Buffer.alloc(20, 0xff)]),
  'of 5,000 places after a broken one': madeUp(1, IS_DENSE, [0, -1, ...Array(5_000).fill(1)]),
}

type Where = readonly [name: string, path: string]
const WHERES: readonly Where[] = [
  ['a topic', TOPIC],
  ['a partition', PARTITION],
]

/** The same text in the query and in the header, over a topic and a partition. */
function everywhere(name: string, cursor: string, status: number, code?: ErrorCode): HostileCase[] {
  return WHERES.flatMap(([where, path]) => [
    expecting(
      `a cursor ${name}, over ${where}`,
      request(`GET ${path}?cursor=${cursor}`),
      status,
      code,
    ),
    expecting(
      `a Last-Event-ID ${name}, over ${where}`,
      request(`GET ${path}`, { headers: { 'last-event-id': decodeURIComponent(cursor) } }),
      status,
      code,
    ),
  ])
}

const bad = (name: string, path: string, headers: Record<string, string> = {}) =>
  expecting(name, request(`GET ${path}`, { headers }), 400, 'INVALID_REQUEST')

// It is what these tables take it for.
decodeCursor(OF_ANOTHER)

export const CURSORS: CaseGroup = {
  name: 'cursors and whole topics',
  cases: [
    ...Object.entries(NO_CURSORS).flatMap(([name, cursor]) =>
      everywhere(name, cursor, 400, 'INVALID_REQUEST'),
    ),
    ...everywhere('of a topic that is no more', OF_ANOTHER, 410, 'INCONSISTENT_TOPIC_ID'),
    bad('an empty cursor', `${TOPIC}?cursor=`),
    bad('two cursors', `${TOPIC}?cursor=${OF_ANOTHER}&cursor=${OF_ANOTHER}`),
    bad('a bad cursor and a position', `${TOPIC}?cursor=abc&from=earliest`),
    bad('a bad position and a cursor', `${TOPIC}?cursor=${OF_ANOTHER}&from=yesterday`),
    bad('a bad cursor under a Last-Event-ID that is bad too', `${TOPIC}?cursor=abc`, {
      'last-event-id': 'def',
    }),
    bad('two event ids as Node joins them', TOPIC, {
      'last-event-id': `${OF_ANOTHER}, ${OF_ANOTHER}`,
    }),
    bad('a Last-Event-ID in UTF-8', TOPIC, { 'last-event-id': 'é\u00ff' }),
    expecting(
      'an empty Last-Event-ID is none',
      request(`GET ${TOPIC}`, { headers: { 'last-event-id': '' } }),
      200,
      undefined,
      { has: /"cursor":"/ },
    ),
    expecting(
      'a Last-Event-ID of 16 KiB',
      request(`GET ${TOPIC}`, { headers: { 'last-event-id': 'A'.repeat(16 * 1024) } }),
      431,
    ),
    bad('an offset over two partitions', `${TOPIC}?from=0`),
    bad('an end that is an offset, over two partitions', `${TOPIC}?until=0`),
    bad('10,001 records of a topic', `${TOPIC}?limit=10001`),
    bad('64 MiB and a byte of a topic', `${TOPIC}?maxBytes=67108865`),
    bad('a topic for longer than it waits', `${TOPIC}?waitMs=30001`),
    bad('a parameter of one partition', `${TOPIC}?partition=0`),
    expecting(
      'a topic by another id',
      request(`GET ${TOPIC}?topicId=${OTHER_ID}`),
      410,
      'INCONSISTENT_TOPIC_ID',
    ),
    expecting(
      'an internal topic',
      request('GET /v1/topics/__consumer_offsets/records'),
      404,
      'UNKNOWN_TOPIC_OR_PARTITION',
    ),
  ],
}
