/**
 * Record batches that go to disk together: one write, one sync, one fate. A group is formed by `Log`
 * while the one before it is on its way, and is closed when it would exceed `append.group.bytes.max`,
 * when the segment must roll first, or when what its acknowledgement means changes.
 */

import type { StorageError } from '../errors.ts'
import type { Offset } from '../record/offsets.ts'

export class AppendGroup {
  readonly baseOffset: Offset
  /** The active segment is closed before this group is written. */
  readonly rollsFirst: boolean
  /** Acknowledged after the sync; otherwise after the write. */
  readonly waitsForSync: boolean
  #buffers: Buffer[] = []
  /** Resolves when the group has what its acknowledgement means; rejects with a `StorageError`. */
  readonly acknowledged: Promise<void>
  #resolve: () => void = () => {}
  #reject: (error: StorageError) => void = () => {}
  #sizeBytes = 0
  #nextOffset: Offset

  constructor(options: { baseOffset: Offset; rollsFirst: boolean; waitsForSync: boolean }) {
    this.baseOffset = options.baseOffset
    this.rollsFirst = options.rollsFirst
    this.waitsForSync = options.waitsForSync
    this.#nextOffset = options.baseOffset
    this.acknowledged = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Nobody need be waiting (acks=0): a failure is then in the log's own state only.
    this.acknowledged.catch(() => {})
  }

  /** The batches; none once the group has its fate: whoever made them may then use their memory again. */
  get buffers(): readonly Buffer[] {
    return this.#buffers
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get nextOffset(): Offset {
    return this.#nextOffset
  }

  add(buffer: Buffer, nextOffset: Offset): void {
    this.#buffers.push(buffer)
    this.#sizeBytes += buffer.length
    this.#nextOffset = nextOffset
  }

  succeed(): void {
    this.#buffers = []
    this.#resolve()
  }

  fail(error: StorageError): void {
    this.#buffers = []
    this.#reject(error)
  }
}
