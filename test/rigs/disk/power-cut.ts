/**
 * What one file may hold after the power went: pure functions from (what was synced, what was written
 * since) to one legal outcome, drawn from a seed. Owns the rules of loss; knows no names and no handles.
 *
 *   synced     |AAAA|AAAA|AA..|              A old bytes, . zeros past the synced size
 *   written         |BBBB|BBBB|BBBB|         one unsynced write of 512-byte sectors
 *   outcomes   |AAAA|AAAA|AA..|              nothing reached the disk
 *              |AAAA|BBBB|BBBB|BBBB|         everything did
 *              |AAAA|BBBB|AA..|BBBB|         a hole between good sectors
 *              |AAAA|AAAA|AA..|....|         the size grown over zeros
 *              |AAAA|BBBB|AA..|              the size did not grow
 *
 * A sector holds one of the states it really passed through, never a mixture of two of them: disks
 * write 512 bytes or none. Synced bytes that nothing overwrote are therefore always kept. A truncation
 * is a change like any other, and its loss brings the old bytes back.
 */

import type { SeededRandom } from '../random.ts'

export const SECTOR_BYTES = 512

/** A change of a file's content since its last sync, in the order the kernel applied them. */
export interface Change {
  /** Rises by one with every change of the file. */
  readonly sequence: number
  /** Where `bytes` went, or for a truncation the size it cut to. */
  readonly position: number
  /** A copy of what was written; `undefined` marks a truncation. */
  readonly bytes: Buffer | undefined
  /** The file's size once this change was applied. */
  readonly sizeAfterBytes: number
}

/** Content on stable storage: the file's bytes, exactly its size long. */
export type StableContent = Buffer

/** One legal outcome of losing power with `changes` unsynced. Never writes into `stable`. */
export function surviveCut(
  stable: StableContent,
  changes: readonly Change[],
  random: SeededRandom,
): StableContent {
  if (changes.length === 0) return Buffer.from(stable)
  const fate = random.next()
  if (fate < 0.2) return Buffer.from(stable)
  if (fate < 0.4) return replay(stable, changes, changes.length)
  if (fate < 0.55) return tornInOrder(stable, changes, random)
  return tornAnywhere(stable, changes, random)
}

/** The content after the first `count` changes reached the disk whole. */
export function replay(
  stable: StableContent,
  changes: readonly Change[],
  count: number,
): StableContent {
  let sizeBytes = stable.length
  let longest = sizeBytes
  for (const change of changes.slice(0, count)) {
    sizeBytes = change.sizeAfterBytes
    longest = Math.max(longest, sizeBytes)
  }
  const content = Buffer.alloc(longest)
  stable.copy(content)
  for (const change of changes.slice(0, count)) {
    if (change.bytes === undefined) content.fill(0, change.position)
    else change.bytes.copy(content, change.position)
  }
  return content.subarray(0, sizeBytes)
}

/** A prefix of the changes, the last of them cut off at a sector. */
function tornInOrder(
  stable: StableContent,
  changes: readonly Change[],
  random: SeededRandom,
): StableContent {
  const whole = random.below(changes.length)
  const content = replay(stable, changes, whole)
  const torn = changes[whole]
  if (torn?.bytes === undefined) return content
  const end = torn.position + torn.bytes.length
  const cut = Math.floor(random.between(torn.position, end) / SECTOR_BYTES) * SECTOR_BYTES
  const kept = Math.max(0, cut - torn.position)
  const grown = Buffer.alloc(Math.max(content.length, torn.position + kept))
  content.copy(grown)
  torn.bytes.copy(grown, torn.position, 0, kept)
  return kept === 0 ? content : grown
}

/** Every sector, independently, in one of the states it passed through; the size likewise. */
function tornAnywhere(
  stable: StableContent,
  changes: readonly Change[],
  random: SeededRandom,
): StableContent {
  let longest = stable.length
  for (const change of changes) longest = Math.max(longest, change.sizeAfterBytes)
  const sectors = Math.ceil(longest / SECTOR_BYTES)
  const keep = random.pick([0.15, 0.5, 0.85])
  const newest = new Int32Array(sectors).fill(-1)
  changes.forEach((change, index) => {
    const end = change.bytes === undefined ? longest : change.position + change.bytes.length
    const last = Math.ceil(end / SECTOR_BYTES)
    for (let sector = Math.floor(change.position / SECTOR_BYTES); sector < last; sector++) {
      if (random.chance(keep)) newest[sector] = index
    }
  })
  const content = Buffer.alloc(sectors * SECTOR_BYTES)
  stable.copy(content)
  changes.forEach((change, index) => {
    const end = change.bytes === undefined ? longest : change.position + change.bytes.length
    for (let at = change.position; at < end; ) {
      const sector = Math.floor(at / SECTOR_BYTES)
      const until = Math.min(end, (sector + 1) * SECTOR_BYTES)
      if ((newest[sector] as number) >= index) {
        if (change.bytes === undefined) content.fill(0, at, until)
        else change.bytes.copy(content, at, at - change.position, until - change.position)
      }
      at = until
    }
  })
  return content.subarray(0, sizeAfterCut(stable.length, changes, random))
}

/** One of the sizes the file passed through, or one on the way from a size to a larger one. */
function sizeAfterCut(
  stableBytes: number,
  changes: readonly Change[],
  random: SeededRandom,
): number {
  const reached = random.chance(0.4) ? changes.length : random.below(changes.length + 1)
  const before = reached === 0 ? stableBytes : (changes[reached - 1] as Change).sizeAfterBytes
  const after = changes[reached]?.sizeAfterBytes ?? before
  if (after <= before || random.chance(0.5)) return before
  return random.between(before, after)
}
