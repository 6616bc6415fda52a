/**
 * A key as 128 bits: two HalfSipHash-2-4 (of 64 bits each; Aumasson and Bernstein), each under a secret
 * of its own, drawn for every compaction. Secret, because whoever could make a key that collides with
 * somebody else's would have that record removed; two of them, because 64 bits collide by chance.
 *
 * Among n different keys some two collide with a chance of about n² / 2^129: 3 · 10⁻²⁶ for four million
 * of them. One pass over the key in 32-bit arithmetic: some 50 ns for 20 bytes, a fifth of what a call
 * of `node:crypto` costs.
 */

import { randomFillSync } from 'node:crypto'

const SECRET_WORDS = 4
const INITIAL_2 = 0x6c796765
const INITIAL_3 = 0x74656462
/** What parts the variant of 64 bits from that of 32. */
const WIDE = 0xee
const SECOND_HALF = 0xdd
/** After the last word come two steps of nothing for each half of the result: four rounds. */
const STEPS_PER_HALF = 2

export class KeyHash {
  /** Of the key last hashed: four words, the first two of one hash. Fields, so that none is an object. */
  a = 0
  b = 0
  c = 0
  d = 0
  readonly #secret: Int32Array

  /** With a secret nobody knows; a test gives its own, of four words. */
  constructor(secret: Int32Array = randomFillSync(new Int32Array(SECRET_WORDS))) {
    this.#secret = secret
  }

  /** Hashes `bytes` from `start` to before `end`. Both states, v and w, go side by side. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    const secret = this.#secret
    let v0 = secret[0]!
    let v1 = secret[1]! ^ WIDE
    let v2 = secret[0]! ^ INITIAL_2
    let v3 = secret[1]! ^ INITIAL_3
    let w0 = secret[2]!
    let w1 = secret[3]! ^ WIDE
    let w2 = secret[2]! ^ INITIAL_2
    let w3 = secret[3]! ^ INITIAL_3
    const words = (end - start) >>> 2
    const firstHalfAt = words + STEPS_PER_HALF
    const secondHalfAt = firstHalfAt + STEPS_PER_HALF
    for (let step = 0; step <= secondHalfAt; step++) {
      const at = start + step * 4
      let word = 0
      if (step < words) {
        word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      } else if (step === words) {
        word = lastWord(bytes, at, end, end - start)
      }
      v3 ^= word
      w3 ^= word
      for (let round = 0; round < 2; round++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
        w0 = (w0 + w1) | 0
        w1 = ((w1 << 5) | (w1 >>> 27)) ^ w0
        w0 = (w0 << 16) | (w0 >>> 16)
        w2 = (w2 + w3) | 0
        w3 = ((w3 << 8) | (w3 >>> 24)) ^ w2
        w0 = (w0 + w3) | 0
        w3 = ((w3 << 7) | (w3 >>> 25)) ^ w0
        w2 = (w2 + w1) | 0
        w1 = ((w1 << 13) | (w1 >>> 19)) ^ w2
        w2 = (w2 << 16) | (w2 >>> 16)
      }
      v0 ^= word
      w0 ^= word
      if (step === words) {
        v2 ^= WIDE
        w2 ^= WIDE
      } else if (step === firstHalfAt) {
        this.a = v1 ^ v3
        this.c = w1 ^ w3
        v1 ^= SECOND_HALF
        w1 ^= SECOND_HALF
      }
    }
    this.b = v1 ^ v3
    this.d = w1 ^ w3
  }
}

/** The up to three bytes left, and the length's lowest byte. */
function lastWord(bytes: Uint8Array, at: number, end: number, length: number): number {
  let word = length << 24
  if (at + 2 < end) word |= bytes[at + 2]! << 16
  if (at + 1 < end) word |= bytes[at + 1]! << 8
  if (at < end) word |= bytes[at]!
  return word
}
