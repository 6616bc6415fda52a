/** What a serde threw, as our error. Pure. */

import { SpoolError } from '../api/errors.ts'

/** Our own serdes' errors as they are; anything else as SERIALIZATION_FAILED, with itself as cause. */
export function encodeFailure(thrown: unknown): SpoolError {
  if (thrown instanceof SpoolError) return thrown
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  return new SpoolError('SERIALIZATION_FAILED', `the serde failed: ${why}`, {
    outcome: 'refused',
    cause: thrown,
  })
}
