/**
 * Sends a case of the table to a broker and compares what came back with what is right. It knows two
 * kinds of answers: problem documents, and the envelopes of the binary routes.
 */

import { Unpackr } from 'msgpackr'
import { type RawReply, sendRaw } from '../broker/http/raw-http.ts'
import type { HostileCase } from './hostile-case.ts'

/** Every honest answer to a small request comes well before this. */
const SILENCE_MS = 3_000
/** No answer is this long without being a leak of something. */
const DETAIL_CHARACTERS_MAX = 1_000
/** What an error must never show: a stack, a path of this machine, our own sources. */
const LEAKS = /\n\s+at |node:internal|\.ts:\d+|node_modules/

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' })

export interface CaseResult {
  readonly name: string
  /** In a few words, such as `400 INVALID_REQUEST, closed`. */
  readonly answer: string
  /** Sentences; none when the answer is right. */
  readonly problems: readonly string[]
}

interface Reading {
  readonly code: string | undefined
  readonly detail: string
}

export async function sendCase(port: number, hostile: HostileCase): Promise<CaseResult> {
  let reply: RawReply | undefined
  for (const { pieces, pauseMs, silenceMs } of hostile.sends) {
    reply = await sendRaw(port, pieces, {
      silenceMs: silenceMs ?? SILENCE_MS,
      ...(pauseMs === undefined ? {} : { pauseMs }),
    })
  }
  if (reply === undefined) throw new Error(`case ${hostile.name} sends nothing`)
  const reading = readAnswer(reply)
  return {
    name: hostile.name,
    answer: inWords(reply, reading),
    problems: problemsOf(hostile, reply, reading),
  }
}

function readAnswer(reply: RawReply): Reading {
  const type = reply.headers['content-type'] ?? ''
  if (type.startsWith('application/problem+json') && reply.body !== '') {
    const { code, detail } = JSON.parse(reply.body.split('\n')[0] ?? '')
    return { code, detail: String(detail) }
  }
  if (type === 'application/json' && reply.status >= 400) {
    // The document of an upload says what was wrong line by line.
    const [first] = JSON.parse(reply.body).errors ?? []
    return { code: first?.code, detail: String(first?.detail ?? '') }
  }
  if (type === 'application/vnd.spool.batches') {
    const bytes = Buffer.from(reply.body, 'latin1')
    const { results, partitions } = unpackr.unpack(bytes.subarray(4, 4 + bytes.readUInt32BE(0)))
    const [first] = results ?? partitions
    return { code: first?.error?.code, detail: String(first?.error?.detail ?? '') }
  }
  return { code: undefined, detail: '' }
}

function inWords({ status, isClosed }: RawReply, { code }: Reading): string {
  const what = status === 0 ? 'no answer' : `${status}${code === undefined ? '' : ` ${code}`}`
  return isClosed ? `${what}, closed` : what
}

function problemsOf({ expected }: HostileCase, reply: RawReply, reading: Reading): string[] {
  const problems: string[] = []
  const complain = (what: string) => void problems.push(`${what}: ${reading.detail || reply.body}`)
  const statuses = [expected.status].flat()
  if (!statuses.includes(reply.status)) complain(`${reply.status} instead of ${statuses}`)
  if (expected.code !== undefined && expected.code !== reading.code) {
    complain(`${reading.code} instead of ${expected.code}`)
  }
  if (expected.isClosed === true && !reply.isClosed) complain('the connection stays open')
  const answers = [...reply.text.matchAll(/(?<=^|\n)HTTP\/1\.1 [2-5]\d\d /g)].length
  if (answers > (expected.answers ?? 1)) complain(`${answers} answers`)
  if (expected.has !== undefined && !expected.has.test(reply.text)) complain(`no ${expected.has}`)
  if (expected.hasNot?.test(reply.text)) complain(`has ${expected.hasNot}`)
  if (reply.status >= 400 && reading.code === undefined && expected.hasNoBody !== true) {
    complain('an error without a code')
  }
  if (LEAKS.test(reply.text)) complain('shows what is inside')
  if (reading.detail.length > DETAIL_CHARACTERS_MAX) complain('a detail without end')
  return problems.map((problem) => problem.slice(0, 300))
}
