/**
 * Segments that were taken out of a log and are out of reach of new readers: their files are removed
 * after `file.delete.delay.ms`, and once no read is in flight. The log's new start is durable before a
 * segment comes here.
 */

import type { Clock, Timer } from '../clock.ts'
import type { Segment } from './segment.ts'
import { type LogFiles, retireSegment } from './segment-files.ts'

export class RetiredSegments {
  readonly #files: LogFiles
  readonly #clock: Clock
  /** Waiting for their time, each with the way to do it now. */
  readonly #waiting = new Map<Timer, () => Promise<void>>()
  /** The log is gone: nobody would come back for what is added now. */
  #isReleased = false

  constructor(files: LogFiles, clock: Clock) {
    this.#files = files
    this.#clock = clock
  }

  async add(segment: Segment, delayMs: number): Promise<void> {
    const remove = await retireSegment(this.#files, segment)
    if (this.#isReleased) return remove()
    const removeNow = () => {
      this.#waiting.delete(timer)
      return remove().catch((error) => {
        this.#files.logger.warn({ error }, 'the files of a deleted segment could not be removed')
      })
    }
    const timer = this.#clock.after(delayMs, removeNow)
    this.#waiting.set(timer, removeNow)
  }

  /** Removes what is still waiting, without further delay. */
  async removeAll(): Promise<void> {
    this.#isReleased = true
    const removals = [...this.#waiting].map(([timer, removeNow]) => {
      timer.cancel()
      return removeNow()
    })
    await Promise.all(removals)
  }
}
