/**
 * The one grammar for "where in a partition", used wherever a position is asked for: `from`, `until`,
 * `at`, `-o` on the command line, and resets.
 *
 *     earliest              the first record kept
 *     latest                the end: only what comes after
 *     1500                  an offset
 *     -10                   the last 10 records
 *     @1735689600000        a time, milliseconds since 1970
 *     2025-01-01T00:00:00Z  a time, RFC 3339 with a zone
 *     -PT1H                 that long ago, an ISO 8601 duration
 *
 * A time means the first offset whose timestamp is at or after it. Resolving a position against a log
 * is the broker's work.
 */

import { OFFSET_MAX, type Offset, toOffset } from '../../storage/record/offsets.ts'
import { SpoolError } from './errors.ts'

export type Position =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: Offset }
  /** The last `count` records, at least 1. */
  | { readonly kind: 'last'; readonly count: number }
  /** Milliseconds since 1970, not negative; may lie in the future. */
  | { readonly kind: 'time'; readonly timestampMs: number }
  /** So many milliseconds before now, not negative. */
  | { readonly kind: 'ago'; readonly durationMs: number }

/** Longer than any form can be: what is longer is refused before a pattern looks at it. */
const POSITION_CHARACTERS_MAX = 64

const FORMS =
  'earliest, latest, an offset (1500), the last N (-10), a time (@1735689600000 or ' +
  '2025-01-01T00:00:00Z, with a zone) or a duration ago (-PT1H)'

const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+\- ])(\d{2}):(\d{2}))$/
const RFC_3339_WITHOUT_ZONE = /^\d{4}-\d{2}-\d{2}([Tt ]\d{2}(:\d{2}(:\d{2}(\.\d+)?)?)?)?$/
const DURATION_AGO =
  /^-P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(?:[.,](\d{1,9}))?S)?)?$/

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const WEEK_MS = 7 * DAY_MS

/**
 * Reads a position. `name` is the parameter it came in, for the error.
 * Throws `SpoolError` INVALID_REQUEST naming the parameter, the text and the forms.
 */
export function parsePosition(text: string, name = 'position'): Position {
  if (text === 'earliest' || text === 'latest') return { kind: text }
  if (text.length > POSITION_CHARACTERS_MAX) throw refused(name, `${text.slice(0, 32)}…`)
  if (/^\d+$/.test(text)) return { kind: 'offset', offset: toOffset(exact(name, text, text)) }
  if (/^-\d+$/.test(text)) return { kind: 'last', count: lastCount(name, text) }
  if (/^@\d+$/.test(text)) return { kind: 'time', timestampMs: exact(name, text, text.slice(1)) }
  if (text.startsWith('-P')) return { kind: 'ago', durationMs: durationMs(name, text) }
  return { kind: 'time', timestampMs: timestampMs(name, text) }
}

/** The text that reads back as the same position. */
export function formatPosition(position: Position): string {
  switch (position.kind) {
    case 'earliest':
    case 'latest':
      return position.kind
    case 'offset':
      return String(position.offset)
    case 'last':
      return `-${position.count}`
    case 'time':
      return `@${position.timestampMs}`
    case 'ago':
      return `-PT${Math.floor(position.durationMs / SECOND_MS)}.${String(position.durationMs % SECOND_MS).padStart(3, '0')}S`
  }
}

/** The time a position means, given the wall clock; `undefined` when it is not a time. */
export function positionTime(position: Position, now: number): number | undefined {
  if (position.kind === 'time') return position.timestampMs
  return position.kind === 'ago' ? Math.max(0, now - position.durationMs) : undefined
}

function refused(name: string, text: string, why?: string): SpoolError {
  const shown = JSON.stringify(text)
  return new SpoolError('INVALID_REQUEST', `${name}=${shown}: ${why ?? `expected ${FORMS}`}`)
}

function exact(name: string, text: string, digits: string): number {
  const value = Number(digits)
  if (value > OFFSET_MAX) throw refused(name, text, `numbers go up to ${OFFSET_MAX}`)
  return value
}

function lastCount(name: string, text: string): number {
  const count = exact(name, text, text.slice(1))
  if (count === 0) throw refused(name, text, 'the last 0 records are none: say latest')
  return count
}

function durationMs(name: string, text: string): number {
  const found = DURATION_AGO.exec(text)
  if (!found || /[PT]$/.test(text)) {
    throw refused(
      name,
      text,
      'a duration is -P with W, D, and after a T with H, M, S, such as -P1DT12H or -PT0.5S',
    )
  }
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = found.slice(1, 6).map(toNumber)
  const fractionMs = Math.floor(Number(`0.${found[6] ?? '0'}`) * SECOND_MS)
  const total =
    weeks * WEEK_MS + days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS
  if (total > OFFSET_MAX) throw refused(name, text, `a duration is at most ${OFFSET_MAX} ms`)
  return total + fractionMs
}

function toNumber(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits)
}

function timestampMs(name: string, text: string): number {
  const found = RFC_3339.exec(text)
  if (!found) {
    if (RFC_3339_WITHOUT_ZONE.test(text)) {
      throw refused(name, text, 'a time needs its seconds and a zone: Z or +02:00 at the end')
    }
    throw refused(name, text)
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map(toNumber)
  const zoneHours = toNumber(found[10])
  const zoneMinutes = toNumber(found[11])
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const exists =
    month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth && hour <= 23 && minute <= 59
  // A leap second (:60) is allowed by RFC 3339 and counts as the next second, as everywhere in Unix time.
  if (!exists || second > 60 || zoneHours > 23 || zoneMinutes > 59) {
    throw refused(name, text, 'there is no such date or time')
  }
  // No record is older than 1970, so an earlier time means the same as 1970 (and Date.UTC takes the
  // years 0 to 99 for 19xx).
  if (year < 1970) return 0
  // A query string turns an unescaped '+' into a space; we know what was meant.
  const zoneMs = (found[9] === '-' ? -1 : 1) * (zoneHours * HOUR_MS + zoneMinutes * MINUTE_MS)
  // "At or after" a fraction of a millisecond is the next whole one.
  const fractionMs = Math.ceil(Number(`0.${found[7] ?? '0'}`) * SECOND_MS - 1e-6)
  const time = Date.UTC(year, month - 1, day, hour, minute, second) + fractionMs - zoneMs
  return Math.max(0, time)
}
