/**
 * The line in which appended batches stand before the disk: gives each batch its offset, its group and its
 * segment, all at once and without waiting, and takes everything back when the disk refuses. Bytes are
 * written by `appender.ts`; whether a batch may stand in line at all is decided by `Log` before.
 */

import { acknowledgesAfterSync, type LogConfig, segmentAgeMsMax } from '../config.ts'
import type { Offset } from '../record/offsets.ts'
import { AppendGroup } from './append-group.ts'
import type { Appender } from './appender.ts'
import { RELATIVE_OFFSET_MAX } from './offset-index.ts'
import type { Segment } from './segment.ts'

/** The active segment as it will be once everything in line is written: decides rolls in advance. */
interface ProjectedSegment {
  baseOffset: Offset
  sizeBytes: number
  /** -1: nothing was appended to it yet. */
  firstAppendMs: number
}

export class AppendLine {
  readonly #appender: Pick<Appender, 'canGrow' | 'enqueue'>
  readonly #groupBytesMax: number
  #endOffset: Offset
  #lastGroup: AppendGroup | undefined
  /** Groups not yet acknowledged, oldest first: what a duplicate may have to wait for. */
  #pending: AppendGroup[] = []
  #projected: ProjectedSegment

  constructor(
    appender: Pick<Appender, 'canGrow' | 'enqueue'>,
    groupBytesMax: number,
    endOffset: Offset,
    active: Segment,
  ) {
    this.#appender = appender
    this.#groupBytesMax = groupBytesMax
    this.#endOffset = endOffset
    this.#projected = asWritten(active)
  }

  /** The offset the next batch gets. */
  get endOffset(): Offset {
    return this.#endOffset
  }

  /** Puts a batch, already numbered from `endOffset` on, last in line. Returns the group it goes with. */
  join(buffer: Buffer, nextOffset: Offset, config: LogConfig, nowMs: number): AppendGroup {
    const group = this.#groupFor(buffer.length, nextOffset, config, nowMs)
    group.add(buffer, nextOffset)
    this.#projected.sizeBytes += buffer.length
    this.#endOffset = nextOffset
    return group
  }

  /** The group not yet acknowledged that holds `offset`, if any. */
  pendingWith(offset: Offset): AppendGroup | undefined {
    return this.#pending.find((group) => group.nextOffset > offset)
  }

  /** Everything below `offset` has what its acknowledgement means. */
  acknowledgedTo(offset: Offset): void {
    while (this.#pending.length > 0 && this.#pending[0]!.nextOffset <= offset) this.#pending.shift()
  }

  /** Between two groups the log rolled, or failed to: what is in line now goes into `active`. */
  rolled(active: Segment, nowMs: number): void {
    // Behind a roll that is still to come, nothing changed.
    if (this.#pending.some(({ rollsFirst }) => rollsFirst)) return
    this.#projected = asWritten(active)
    for (const { sizeBytes } of this.#pending) this.#projected.sizeBytes += sizeBytes
    const isBegun = this.#projected.sizeBytes > 0 && this.#projected.firstAppendMs < 0
    if (isBegun) this.#projected.firstAppendMs = nowMs
  }

  /** All that was in line is gone: the log ends at `writtenOffset`, in `active`. */
  takeBack(writtenOffset: Offset, active: Segment): void {
    this.#endOffset = writtenOffset
    this.#projected = asWritten(active)
    this.#lastGroup = undefined
    this.#pending = []
  }

  /** The last group in line if it may grow by the batch, else a new one. */
  #groupFor(bytes: number, nextOffset: Offset, config: LogConfig, nowMs: number): AppendGroup {
    const waitsForSync = acknowledgesAfterSync(config)
    const rollsFirst = this.#mustRoll(bytes, nextOffset, config, nowMs)
    const last = this.#lastGroup
    if (
      !rollsFirst &&
      this.#appender.canGrow(last) &&
      last.waitsForSync === waitsForSync &&
      last.sizeBytes + bytes <= this.#groupBytesMax
    ) {
      return last
    }
    const group = new AppendGroup({ baseOffset: this.#endOffset, rollsFirst, waitsForSync })
    this.#lastGroup = group
    this.#pending.push(group)
    this.#appender.enqueue(group)
    return group
  }

  #mustRoll(bytes: number, nextOffset: Offset, config: LogConfig, nowMs: number): boolean {
    const { sizeBytes, firstAppendMs, baseOffset } = this.#projected
    const isFull = sizeBytes + bytes > config.segmentBytes
    const isOld = nowMs - firstAppendMs > segmentAgeMsMax(config)
    const isOutOfReach = nextOffset - baseOffset > RELATIVE_OFFSET_MAX
    const mustRoll = sizeBytes > 0 && (isFull || isOld || isOutOfReach)
    if (mustRoll) {
      this.#projected = { baseOffset: this.#endOffset, sizeBytes: 0, firstAppendMs: -1 }
    }
    if (this.#projected.firstAppendMs < 0) this.#projected.firstAppendMs = nowMs
    return mustRoll
  }
}

function asWritten({ baseOffset, sizeBytes, firstAppendMs }: Segment): ProjectedSegment {
  return { baseOffset, sizeBytes, firstAppendMs }
}
