/**
 * What a case of the table is: bytes a client sends, and the answer that is right. Cases are data; sending
 * them is `send-case.ts`, the tables are in `cases/`.
 */

import type { ErrorCode } from '../../client/api/errors.ts'

/** Bytes on a connection of their own, in pieces if they come with pauses. */
export interface Sent {
  readonly pieces: readonly (string | Buffer)[]
  readonly pauseMs?: number
  /** How long to wait for more once nothing comes; where the connection stays open this is the time it takes. */
  readonly silenceMs?: number
}

export interface Expected {
  /** Of the last answer; 0 where the connection is closed without one. */
  readonly status: number | readonly number[]
  /** Of the problem document, or of the error of the first batch in a binary answer. */
  readonly code?: ErrorCode
  readonly isClosed?: boolean
  /** An error that may not say why: the answer to HEAD. */
  readonly hasNoBody?: boolean
  /** How many answers there must be; more than one after one request is smuggling. */
  readonly answers?: number
  /** Further words that the answer has (`has`) or must not have (`hasNot`). */
  readonly has?: RegExp
  readonly hasNot?: RegExp
}

export interface HostileCase {
  readonly name: string
  /** Sent one after the other; the last one is judged. */
  readonly sends: readonly Sent[]
  readonly expected: Expected
}

export interface CaseGroup {
  readonly name: string
  readonly cases: readonly HostileCase[]
}

/** Topics that are there when cases are sent. Nothing may ever be stored in `untouched`. */
export const TOPICS = {
  /** What must be refused goes here: its end must stay at 0. */
  untouched: { partitions: 2 },
  /** What is odd but right goes here. */
  taken: { partitions: 1 },
  tight: { partitions: 1, config: { 'max.message.bytes': 65_536, 'segment.bytes': 4_096 } },
  small: { partitions: 1, config: { 'max.message.bytes': 2_048 } },
  /** Takes records with a key only. */
  keyed: { partitions: 1, config: { 'cleanup.policy': 'compact' } },
  /** Ten records, the first four trimmed away. */
  trimmed: { partitions: 1 },
} as const

export interface RequestParts {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A well-formed request that closes its connection, so that its answer is known to be whole. */
export function request(line: string, { headers = {}, body }: RequestParts = {}): Sent {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const length = bytes === undefined ? {} : { 'content-length': String(bytes.length) }
  const all = { host: 'localhost', connection: 'close', ...length, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = Buffer.from(`${line} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
  return { pieces: [bytes === undefined ? head : Buffer.concat([head, bytes])] }
}

const JSON_HEADERS = { 'content-type': 'application/json' }

export function postJson(path: string, body: string | Buffer): Sent {
  return request(`POST ${path}`, { headers: JSON_HEADERS, body })
}

/** One case of one thing sent. */
export function expecting(
  name: string,
  sent: Sent,
  status: Expected['status'],
  code?: ErrorCode,
  more: Omit<Expected, 'status' | 'code'> = {},
): HostileCase {
  return {
    name,
    sends: [sent],
    expected: { status, ...(code === undefined ? {} : { code }), ...more },
  }
}
