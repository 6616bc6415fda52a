/**
 * For each key its last offset, in one piece of memory of a size fixed beforehand: open addressing over
 * 128-bit hashes, no object per key. The keys themselves are not kept: two with the same hash are one
 * (`key-hash.ts` says how unlikely that is).
 *
 *     slot: 6 words of 32 bits    hash a │ b │ c │ d │ offset + 1: low │ high      all zeros: free
 *
 * A quarter of the slots stays free, so that a search looks at three or so. When no more keys fit, `put`
 * says so and takes nothing more than keys it has.
 */

import { release } from '../record/native-memory.ts'
import type { KeyHash } from './key-hash.ts'

const SLOT_WORDS = 6
export const SLOT_BYTES = SLOT_WORDS * 4
const LOW_AT = 4
const HIGH_AT = 5
const LOAD_MAX = 0.75
const SLOTS_MIN = 16
const TWO_TO_32 = 0x1_0000_0000

/** No offset is known for the key. */
export const NO_OFFSET = -1

export class KeyOffsetMap {
  readonly capacity: number
  readonly #slots: number
  readonly #words: Int32Array
  #size = 0

  /** Room for `keys` keys, or for as many as `bytesMax` holds if that is less. */
  constructor(keys: number, bytesMax: number) {
    const slotsWanted = Math.ceil(keys / LOAD_MAX) + 1
    const slotsMax = Math.floor(bytesMax / SLOT_BYTES)
    this.#slots = Math.max(SLOTS_MIN, Math.min(slotsWanted, slotsMax))
    this.capacity = Math.floor(this.#slots * LOAD_MAX)
    this.#words = new Int32Array(this.#slots * SLOT_WORDS)
  }

  get size(): number {
    return this.#size
  }

  get sizeBytes(): number {
    return this.#words.byteLength
  }

  /** Notes `offset` for the key hashed last. False when the key is new and there is no room for it. */
  put(key: KeyHash, offset: number): boolean {
    const words = this.#words
    const at = this.#find(key)
    if (words[at + LOW_AT] === 0 && words[at + HIGH_AT] === 0) {
      if (this.#size === this.capacity) return false
      this.#size += 1
      words[at] = key.a
      words[at + 1] = key.b
      words[at + 2] = key.c
      words[at + 3] = key.d
    }
    words[at + LOW_AT] = offset + 1
    words[at + HIGH_AT] = (offset + 1) / TWO_TO_32
    return true
  }

  /** The offset noted last for the key hashed last, or `NO_OFFSET`. */
  get(key: KeyHash): number {
    const at = this.#find(key)
    return this.#words[at + HIGH_AT]! * TWO_TO_32 + (this.#words[at + LOW_AT]! >>> 0) - 1
  }

  /** Gives the memory back at once; the map must not be used any more. */
  release(): void {
    release(Buffer.from(this.#words.buffer))
  }

  /** Where the key's slot begins, or the free one it would get. There is always a free one. */
  #find(key: KeyHash): number {
    const words = this.#words
    const { a, b, c, d } = key
    let slot = Math.floor(((a >>> 0) / TWO_TO_32) * this.#slots)
    for (;;) {
      const at = slot * SLOT_WORDS
      const isFree = words[at + LOW_AT] === 0 && words[at + HIGH_AT] === 0
      const isKey =
        words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d
      if (isKey || isFree) return at
      slot += 1
      if (slot === this.#slots) slot = 0
    }
  }
}
