/** How many groups there may be, and how much memory they may take. Decides, and counts nothing itself. */

import { SpoolError } from '../../client/api/errors.ts'

/** @throws SpoolError LIMIT_EXCEEDED where there is no room for one more. */
export function checkGroupCount(count: number, max: number): void {
  if (count < max) return
  throw new SpoolError(
    'LIMIT_EXCEEDED',
    `there are ${count} groups, the most groups.max allows; delete some, or wait until they expire`,
    { extensions: { limit: 'groups.max', max } },
  )
}

/** @throws SpoolError LIMIT_EXCEEDED where there is no room for so much more. */
export function checkGroupBytes(held: number, more: number, max: number): void {
  if (held + more <= max) return
  throw new SpoolError(
    'LIMIT_EXCEEDED',
    `consumer groups take ${held} bytes, and this would be ${more} more than that; groups.max.bytes is ${max}`,
    { extensions: { limit: 'groups.max.bytes', max } },
  )
}
