/**
 * The content of one file on the simulated disk, twice: as the page cache has it (what reads see) and
 * as stable storage has it, with the ordered changes between the two. Has no name and no handle: names
 * point at it (`name-table`), handles go through it (`open-file`).
 */

import type { SeededRandom } from '../random.ts'
import { type Change, SECTOR_BYTES, surviveCut } from './power-cut.ts'

export class SimulatedFile {
  /** The page cache. Invariant: zero from `#sizeBytes` on, so growing a file never shows old bytes. */
  #cache: Buffer = Buffer.alloc(0)
  #sizeBytes = 0
  /** Stable storage. Invariant: zero from `#stableBytes` on. */
  #stable: Buffer = Buffer.alloc(0)
  #stableBytes = 0
  /** What a sync would make durable, oldest first; sequences rise. */
  #changes: Change[] = []
  #sequence = 0
  #syncedSequence = 0
  /** Sectors whose cache is newer than the disk though the kernel believes them clean: a sync failed. */
  readonly #lostSectors = new Set<number>()
  modifiedAtMs = 0

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The number of the newest change: what a `sync` called now has to make durable. */
  get sequence(): number {
    return this.#sequence
  }

  get unsyncedChanges(): number {
    return this.#changes.length
  }

  /** A copy of what a reader sees. */
  cached(): Buffer {
    return Buffer.from(this.#cache.subarray(0, this.#sizeBytes))
  }

  /** A copy of what is on stable storage for certain. */
  durable(): Buffer {
    return Buffer.from(this.#stable.subarray(0, this.#stableBytes))
  }

  read(target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, this.#sizeBytes - position))
    if (length > 0) target.set(this.#cache.subarray(position, position + length))
    return length
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return
    const end = position + bytes.length
    this.#cache = withRoom(this.#cache, end)
    this.#cache.set(bytes, position)
    this.#sizeBytes = Math.max(this.#sizeBytes, end)
    const { from, to } =
      this.#lostSectors.size === 0 ? { from: position, to: end } : this.#healed(position, end)
    this.#record(from, Buffer.from(this.#cache.subarray(from, to)))
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) this.#cache.fill(0, sizeBytes, this.#sizeBytes)
    else this.#cache = withRoom(this.#cache, sizeBytes)
    this.#sizeBytes = sizeBytes
    this.#record(sizeBytes, undefined)
  }

  /** Makes every change up to `sequence` durable, and the size the file had then. */
  syncUpTo(sequence: number, sizeBytes: number): void {
    for (const change of this.#take(sequence)) this.#applyToStable(change)
    if (sequence >= this.#syncedSequence) {
      this.#syncedSequence = sequence
      this.#setStableSize(sizeBytes)
    }
  }

  /**
   * A sync that failed: the kernel marks the pages clean whether or not they reached the disk. With
   * `random`, some of them did, as at a power cut; without, none. Later syncs have nothing to do.
   */
  loseUpTo(sequence: number, random: SeededRandom | undefined): void {
    const lost = this.#take(sequence)
    for (const change of lost) {
      if (change.bytes === undefined) continue
      const end = change.position + change.bytes.length
      for (let at = Math.floor(change.position / SECTOR_BYTES); at * SECTOR_BYTES < end; at++) {
        this.#lostSectors.add(at)
      }
    }
    if (random === undefined) return
    const survived = surviveCut(this.durable(), lost, random)
    this.#stable = survived
    this.#stableBytes = survived.length
  }

  /** Changes bytes behind everybody's back, in the cache and on the disk: what a bad medium does. */
  corrupt(position: number, bytes: Uint8Array): void {
    this.#cache.set(bytes, position)
    if (position + bytes.length <= this.#stableBytes) this.#stable.set(bytes, position)
  }

  /** An independent file in the same state. */
  copy(): SimulatedFile {
    const twin = new SimulatedFile()
    twin.#cache = this.cached()
    twin.#sizeBytes = this.#sizeBytes
    twin.#stable = this.durable()
    twin.#stableBytes = this.#stableBytes
    twin.#changes = [...this.#changes]
    twin.#sequence = this.#sequence
    twin.#syncedSequence = this.#syncedSequence
    for (const sector of this.#lostSectors) twin.#lostSectors.add(sector)
    twin.modifiedAtMs = this.modifiedAtMs
    return twin
  }

  /** The power goes: what is left is both cache and disk from here on. */
  cutPower(random: SeededRandom): void {
    const survived = surviveCut(this.durable(), this.#changes, random)
    this.#changes = []
    this.#lostSectors.clear()
    this.#cache = survived
    this.#sizeBytes = survived.length
    this.#stable = Buffer.from(survived)
    this.#stableBytes = survived.length
  }

  #record(position: number, bytes: Buffer | undefined): void {
    this.#sequence++
    this.#changes.push({
      sequence: this.#sequence,
      position,
      bytes,
      sizeAfterBytes: this.#sizeBytes,
    })
  }

  #take(sequence: number): Change[] {
    let count = 0
    while ((this.#changes[count]?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) count++
    return this.#changes.splice(0, count)
  }

  #applyToStable(change: Change): void {
    if (change.bytes === undefined) {
      if (change.position < this.#stableBytes)
        this.#stable.fill(0, change.position, this.#stableBytes)
    } else {
      this.#stable = withRoom(this.#stable, change.position + change.bytes.length)
      change.bytes.copy(this.#stable, change.position)
      this.#stableBytes = Math.max(this.#stableBytes, change.position + change.bytes.length)
    }
    this.#setStableSize(change.sizeAfterBytes)
  }

  #setStableSize(sizeBytes: number): void {
    this.#stable = withRoom(this.#stable, sizeBytes)
    if (sizeBytes < this.#stableBytes) this.#stable.fill(0, sizeBytes, this.#stableBytes)
    this.#stableBytes = sizeBytes
  }

  /** Writing into a lost sector makes the kernel write the whole of it again: the range that becomes. */
  #healed(from: number, to: number): { from: number; to: number } {
    const first = Math.floor(from / SECTOR_BYTES)
    const last = Math.floor((to - 1) / SECTOR_BYTES)
    const firstLost = this.#lostSectors.delete(first)
    for (let sector = first + 1; sector < last; sector++) this.#lostSectors.delete(sector)
    const lastLost = first === last ? firstLost : this.#lostSectors.delete(last)
    return {
      from: firstLost ? first * SECTOR_BYTES : from,
      to: lastLost ? Math.min(this.#sizeBytes, (last + 1) * SECTOR_BYTES) : to,
    }
  }
}

function withRoom(buffer: Buffer, bytes: number): Buffer {
  if (buffer.length >= bytes) return buffer
  const larger = Buffer.alloc(Math.max(bytes, buffer.length * 2, 1024))
  buffer.copy(larger)
  return larger
}
