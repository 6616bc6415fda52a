/** A record as bytes, before it has a batch. Types only. */

import type { HeaderToAppend } from '../transport.ts'

/** The producer uses one of these over and over: whoever keeps it copies it. */
export interface RecordParts {
  timestampMs: number
  key: Uint8Array | null
  value: Uint8Array | null
  /** Instead of `value`, well-formed. */
  text: string | undefined
  headers: readonly HeaderToAppend[]
  /** Chosen by the program; else by the key, or any. */
  partition: number | undefined
}
