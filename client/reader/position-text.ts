/**
 * Positions as a program gives them (text, offset, Date) into the text of the one grammar. The text is
 * checked here, so that a mistake is seen before anything is asked. Pure.
 */

import { SpoolError } from '../api/errors.ts'
import { formatPosition, type Position, parsePosition } from '../api/positions.ts'

/**
 * `'earliest'`, `'latest'`, `'-10'`, `'@1735689600000'`, `'2025-01-01T00:00:00Z'`, `'-PT1H'`; a number is
 * an offset (or, below 0, the last so many); a Date a time.
 */
export type PositionLike = string | number | Date

/** @throws SpoolError INVALID_REQUEST naming `name`, the value and the forms. */
export function positionOf(given: PositionLike, name: string): Position {
  if (given instanceof Date) {
    const timestampMs = given.getTime()
    if (Number.isNaN(timestampMs)) throw invalid(`${name} is an invalid Date`)
    return { kind: 'time', timestampMs: Math.max(0, timestampMs) }
  }
  if (typeof given === 'string') return parsePosition(given, name)
  if (typeof given === 'number' && Number.isSafeInteger(given) && !Object.is(given, -0)) {
    return parsePosition(String(given), name)
  }
  throw invalid(`${name} is ${String(given)}: give an offset as an integer, a text or a Date`)
}

/** The text to send. */
export function positionText(given: PositionLike, name: string): string {
  return typeof given === 'string' && parsePosition(given, name)
    ? given
    : formatPosition(positionOf(given, name))
}

function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', detail, { outcome: 'refused' })
}
