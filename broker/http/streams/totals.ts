/**
 * What streams did since the broker started: plain numbers, counted where things happen and looked up when
 * somebody scrapes. `recordsRead` against `recordsSent` shows how much the readers share.
 */

export interface StreamTotals {
  /** Batches read from logs and decompressed: once for all readers of a feed, once for each that reads for itself. */
  batchesRead: number
  /** Records looked at in them. */
  recordsRead: number
  /** Chunks rendered that have records. */
  chunksRendered: number
  /** Records handed to readers' sockets. */
  recordsSent: number
  /** Streams cut because their readers took nothing. */
  stalled: number
}

export function noTotals(): StreamTotals {
  return { batchesRead: 0, recordsRead: 0, chunksRendered: 0, recordsSent: 0, stalled: 0 }
}
