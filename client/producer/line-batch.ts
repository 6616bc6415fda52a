/** One batch in the line of its partition: what was sent of it, and what may have become of that. */

import type { SpoolError } from '../api/errors.ts'
import type { ProducerNumbers } from '../transport.ts'

export class LineBatch<T> {
  readonly item: T
  readonly recordCount: number
  readonly deadlineMs: number
  /** Its place among all that were ever pushed. */
  readonly ordinal: number
  /** Since it was first sent; kept over repeats, by which the broker recognises them. */
  numbers: ProducerNumbers | undefined
  isInFlight = false
  /** It was the first of its line when it was last sent. */
  wentFirst = false
  /** The broker answered once that it may be in the log. */
  mayBeThere = false
  /** A copy was sent that nobody answered: it may still be appended. */
  mayArrive = false
  /** Its fate was told when its time was up, and it stays only for the answer. */
  isTold = false
  lastError: SpoolError | undefined

  constructor(item: T, recordCount: number, deadlineMs: number, ordinal: number) {
    this.item = item
    this.recordCount = recordCount
    this.deadlineMs = deadlineMs
    this.ordinal = ordinal
  }

  /** What may be said of it, while it is not in flight, if it is not sent again. */
  get outcome(): 'refused' | 'unknown' {
    return this.mayBeThere || this.mayArrive ? 'unknown' : 'refused'
  }
}
