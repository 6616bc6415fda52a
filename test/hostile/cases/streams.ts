/**
 * What one may ask of a stream that can not be had: parameters that contradict each other, places no broker
 * gave, filters that are none; and what ends by itself although it looks as if it would not.
 */

import { encodeCursor } from '../../../broker/http/records/cursor.ts'
import type { ErrorCode } from '../../../client/api/errors.ts'
import { type CaseGroup, expecting, type HostileCase, request } from '../hostile-case.ts'

const EVENTS = 'text/event-stream'
const LINES = 'application/x-ndjson'
const PARTITION = '/v1/topics/trimmed/partitions/0/records'
const TOPIC = '/v1/topics/untouched/records'
const OF_ANOTHER = encodeCursor({
  topicId: '00000000-0000-4000-8000-000000000000',
  places: [{ partition: 0, nextOffset: 5 }],
  isEnd: true,
})

const ask = (path: string, accept: string, headers: Record<string, string> = {}) =>
  request(`GET ${path}`, { headers: { accept, ...headers } })

/** Refused by both forms of a stream, or by one. */
function refused(query: string, ...forms: readonly string[]): HostileCase[] {
  return (forms.length === 0 ? [EVENTS, LINES] : forms).map((accept) =>
    expecting(
      `${query} of ${accept}`,
      ask(`${PARTITION}?${query}`, accept),
      400,
      'INVALID_REQUEST',
    ),
  )
}

function ends(query: string, accept: string, has: RegExp, status = 200): HostileCase {
  return expecting(
    `${query} of ${accept} ends`,
    ask(`${PARTITION}?${query}`, accept),
    status,
    undefined,
    {
      isClosed: true,
      has,
    },
  )
}

function status(name: string, path: string, accept: string, status: number, code?: ErrorCode) {
  return expecting(name, ask(path, accept), status, code)
}

export const STREAMS: CaseGroup = {
  name: 'streams',
  cases: [
    ...['maybe', '1', 'TRUE', '', 'true&follow=true'].flatMap((value) =>
      refused(`follow=${value}`),
    ),
    ...['maybe', '0', '', 'true&control=true'].flatMap((value) => refused(`control=${value}`)),
    ...refused('follow=false', EVENTS),
    ...refused('control=false', EVENTS),
    ...refused('follow=true&control=false', LINES),
    ...refused('follow=true&waitMs=1', LINES),
    ...refused('waitMs=1', EVENTS),
    ...refused('waitMs=30001', LINES),
    ...refused('maxBytes=1'),
    ...['0', '-1', '1.5', '1e3', '9007199254740992', 'all', ''].flatMap((value) =>
      refused(`limit=${value}`),
    ),
    ...['soon', '2025-01-01', '@', '-0', '-P', '99999999999999999999'].flatMap((value) =>
      refused(`until=${value}`),
    ),
    ...refused('as=xml'),
    ...refused('header=nocolon'),
    ...refused(`contains=${'x'.repeat(4_097)}`),
    ...refused('offset=5'),
    ...refused('cursor=abc'),
    ...refused('outOfRange=somewhere'),
    ...refused('follow=true', 'application/json', 'application/msgpack'),
    ...refused('control=true', 'application/json', 'application/msgpack'),
    ...[EVENTS, LINES].flatMap((accept) => [
      status(
        `an offset trimmed away, of ${accept}`,
        `${PARTITION}?from=0`,
        accept,
        416,
        'OFFSET_OUT_OF_RANGE',
      ),
      status(
        `an offset to come, of ${accept}`,
        `${PARTITION}?from=11`,
        accept,
        416,
        'OFFSET_OUT_OF_RANGE',
      ),
      status(
        `no such topic, of ${accept}`,
        '/v1/topics/nobody/records',
        accept,
        404,
        'UNKNOWN_TOPIC_OR_PARTITION',
      ),
      status(
        `no such partition, of ${accept}`,
        '/v1/topics/untouched/partitions/2/records',
        accept,
        404,
        'UNKNOWN_TOPIC_OR_PARTITION',
      ),
      status(
        `an end that is an offset, over two partitions, of ${accept}`,
        `${TOPIC}?until=5`,
        accept,
        400,
        'INVALID_REQUEST',
      ),
      expecting(
        `the end of another topic's stream as Last-Event-ID, of ${accept}`,
        ask(PARTITION, accept, { 'last-event-id': OF_ANOTHER }),
        410,
        'INCONSISTENT_TOPIC_ID',
      ),
      expecting(
        `a Last-Event-ID that is none, of ${accept}`,
        ask(PARTITION, accept, { 'last-event-id': 'null' }),
        400,
        'INVALID_REQUEST',
      ),
      expecting(
        `with a body, of ${accept}`,
        request(`GET ${PARTITION}?until=latest`, { headers: { accept }, body: 'x' }),
        400,
        'INVALID_REQUEST',
      ),
      expecting(
        `HEAD of ${accept}`,
        request(`HEAD ${PARTITION}`, { headers: { accept } }),
        405,
        undefined,
        {
          hasNoBody: true,
        },
      ),
    ]),
    status('an event stream not wanted at all', PARTITION, `${EVENTS};q=0`, 406, 'NOT_ACCEPTABLE'),
    ends(
      'until=latest',
      EVENTS,
      /event: end\nid: \S+\ndata: {"cursor":"\S+","reason":"until"}\n\n/,
    ),
    ends('from=latest&until=earliest', EVENTS, /"reason":"until"/),
    ends('until=-3&limit=1', EVENTS, /"offset":4,[\s\S]*"reason":"limit"/),
    ends('until=@0', EVENTS, /"reason":"until"/),
    ends('until=-PT0S', EVENTS, /"offset":9,[\s\S]*"reason":"until"/),
    ends(
      'from=0&outOfRange=earliest&until=6',
      EVENTS,
      /"offset":4,[\s\S]*"offset":5,[\s\S]*event: end/,
    ),
    ends('from=99&outOfRange=latest&until=latest', EVENTS, /event: end/),
    ends('follow=true&until=5', LINES, /^{"checkpoint":.*\r?\n(?:.*\r?\n)*.*"reason":"until"/m),
    ends('control=true&key=nobody', LINES, /"reason":"latest"/),
    expecting(
      'an event stream over HTTP/1.0 ends with its connection',
      {
        pieces: [
          `GET ${PARTITION}?until=latest HTTP/1.0\r\nHost: localhost\r\nAccept: ${EVENTS}\r\n\r\n`,
        ],
      },
      200,
      undefined,
      { isClosed: true, has: /event: end/ },
    ),
  ],
}
