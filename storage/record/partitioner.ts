/**
 * Which partition a record goes to: by its key's hash, or, without a key, a partition at random for a
 * whole batch. The hash is a setting of the topic (`spool.partitioner`), because all producers of a topic
 * must agree: xxHash64 is ours, murmur2 is what Kafka's Java client does. Pure but for the `Random` that
 * is handed in.
 */

import xxhash from 'xxhash-wasm'
import type { Random } from '../clock.ts'

export type PartitionerName = 'xxhash64' | 'murmur2'

/** xxHash64 in WebAssembly, once it is there. */
let h64Raw: ((bytes: Uint8Array, seed: bigint) => bigint) | undefined
let loading: Promise<void> | undefined

/**
 * Resolves when keys can be hashed by this name, which takes a millisecond the first time. Not done when
 * the module loads: a module that waits for something can not be `require`d.
 */
export async function partitionerReady(name: PartitionerName): Promise<void> {
  if (name === 'murmur2') return
  loading ??= xxhash().then((loaded) => {
    h64Raw = loaded.h64Raw
  })
  await loading
}

/**
 * The partition of `key` among `partitions` (at least 1): the same for ever, on every producer. Only once
 * `partitionerReady` has resolved for the name.
 */
export function partitionForKey(
  name: PartitionerName,
  key: Uint8Array,
  partitions: number,
): number {
  return name === 'xxhash64'
    ? xxHash64Partition(key, partitions)
    : murmur2Partition(key, partitions)
}

/** xxHash64 with seed 0, as an unsigned number, modulo the number of partitions. */
function xxHash64Partition(key: Uint8Array, partitions: number): number {
  return Number(xxHash64(key) % BigInt(partitions))
}

/** murmur2 without its sign bit, modulo the number of partitions: Kafka's `BuiltInPartitioner`. */
function murmur2Partition(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions
}

/** xxHash64 with seed 0, in [0, 2^64). Only once `partitionerReady` has resolved for it. */
export function xxHash64(bytes: Uint8Array): bigint {
  if (h64Raw === undefined) throw new Error('keys were hashed before partitionerReady')
  return h64Raw(bytes, 0n)
}

const MURMUR_SEED = 0x9747b28c | 0
const MURMUR_M = 0x5bd1e995
const MURMUR_R = 24

/** Kafka's 32-bit murmur2 (`Utils.murmur2`), signed. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  let hash = MURMUR_SEED ^ length
  const wordsEnd = length & ~3
  for (let at = 0; at < wordsEnd; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, MURMUR_M)
    word = Math.imul(word ^ (word >>> MURMUR_R), MURMUR_M)
    hash = Math.imul(hash, MURMUR_M) ^ word
  }
  const rest = length - wordsEnd
  if (rest >= 3) hash ^= bytes[wordsEnd + 2]! << 16
  if (rest >= 2) hash ^= bytes[wordsEnd + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ bytes[wordsEnd]!, MURMUR_M)
  hash = Math.imul(hash ^ (hash >>> 13), MURMUR_M)
  return hash ^ (hash >>> 15)
}

/**
 * Chooses for records without a key. It stays with one partition until told that a batch is full, so
 * that batches are few and large, then moves to another: over time all get the same share.
 */
export class StickyChooser {
  readonly #random: Random
  #partition = -1

  constructor(random: Random) {
    this.#random = random
  }

  /** The partition for the next record, among `partitions` (at least 1). */
  choose(partitions: number): number {
    if (this.#partition < 0 || this.#partition >= partitions) {
      this.#partition = Math.floor(this.#random.next() * partitions)
    }
    return this.#partition
  }

  /** The batch is full: the next record goes to another partition, where there is one. */
  batchDone(partitions: number): void {
    const current = this.#partition
    if (partitions <= 1 || current < 0 || current >= partitions) {
      this.#partition = -1
      return
    }
    const step = 1 + Math.floor(this.#random.next() * (partitions - 1))
    this.#partition = (current + step) % partitions
  }
}
