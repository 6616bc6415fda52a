/**
 * Chance that can be had again: a generator whose whole future is its seed, so that a failing random
 * test is rerun from one printed number. xoshiro128** seeded through splitmix32; not for secrets.
 */

import type { Random } from '../../storage/clock.ts'

export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #d: number

  /** @param seed any integer; only its low 32 bits count */
  constructor(seed: number) {
    let state = seed >>> 0
    const split = (): number => {
      state = (state + 0x9e3779b9) >>> 0
      let mixed = state ^ (state >>> 16)
      mixed = Math.imul(mixed, 0x21f0aaad)
      mixed ^= mixed >>> 15
      mixed = Math.imul(mixed, 0x735a2d97)
      return (mixed ^ (mixed >>> 15)) >>> 0
    }
    this.#a = split()
    this.#b = split()
    this.#c = split()
    this.#d = split() | 1
  }

  /** An integer in [0, 2^32). */
  next32(): number {
    const multiplied = Math.imul(this.#b, 5)
    const result = Math.imul((multiplied << 7) | (multiplied >>> 25), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  /** A number in [0, 1). */
  next(): number {
    return this.next32() / 0x1_0000_0000
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  /** An integer in [from, to], both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('nothing to pick from')
    return choices[this.below(choices.length)] as T
  }

  /** The same elements in another order; the argument is left alone. */
  shuffled<T>(elements: readonly T[]): T[] {
    const result = [...elements]
    for (let at = result.length - 1; at > 0; at--) {
      const other = this.below(at + 1)
      const held = result[at] as T
      result[at] = result[other] as T
      result[other] = held
    }
    return result
  }

  /** `length` bytes that do not compress. */
  bytes(length: number): Buffer {
    const result = Buffer.allocUnsafe(length)
    let at = 0
    for (; at + 4 <= length; at += 4) result.writeUInt32LE(this.next32(), at)
    for (; at < length; at++) result[at] = this.next32() & 0xff
    return result
  }

  /** An independent generator, so that one part drawing more does not shift what another part draws. */
  fork(): SeededRandom {
    return new SeededRandom(this.next32())
  }
}
