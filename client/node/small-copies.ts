/**
 * Copies of few bytes side by side in one piece of memory: memory of its own costs a hundred bytes six
 * times as much as the copying.
 */

import { markAsUntransferable } from 'node:worker_threads'
import type { CopyBytes } from '../serdes/copies.ts'

/** Who keeps one small copy keeps no more than this. */
const SLAB_BYTES = 16 * 1024
const SMALL_BYTES_MAX = 1024

const { copy } = Buffer.prototype

let slab = new Uint8Array(0)
/** What is free of it begins here. */
let freeAt = 0

export const copyIntoSlab: CopyBytes = (bytes, start, end) => {
  const length = end - start
  if (length > SMALL_BYTES_MAX) return new Uint8Array(bytes.subarray(start, end))
  if (freeAt + length > slab.length) newSlab()
  copy.call(bytes as Buffer, slab, freeAt, start, end)
  const copied = new Uint8Array(slab.buffer, freeAt, length)
  freeAt += length
  return copied
}

function newSlab(): void {
  slab = new Uint8Array(Buffer.allocUnsafeSlow(SLAB_BYTES).buffer)
  // Sent to another thread it is copied: the others in it stay where they are.
  markAsUntransferable(slab.buffer)
  freeAt = 0
}
