/** What the checks of options share: bounds, and the sentence of a refusal. Pure. */

import { SpoolError } from './api/errors.ts'

/** A timer can not be set for longer than 24 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1

/** @throws SpoolError INVALID_CONFIG */
export function integerWithin(
  name: string,
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} is ${shown(value)}, not an integer from ${min} to ${max}`)
}

export function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

export function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_CONFIG', detail, { outcome: 'refused' })
}
