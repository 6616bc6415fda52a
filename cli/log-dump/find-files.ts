/**
 * What there is to dump under a path: one file, the files of a partition, or every partition of a data
 * directory. Files are found by name only; nothing is opened.
 */

import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  parsePartitionDirectory,
  parseSegmentFile,
  parseSwapFile,
  RECOVERY_POINT_FILE,
  type SegmentSuffix,
} from '../../storage/file/names.ts'
import type { Offset } from '../../storage/record/offsets.ts'

export interface FoundSegment {
  readonly baseOffset: Offset
  /** Suffix → path, of those that are there. */
  readonly files: ReadonlyMap<SegmentSuffix, string>
  /** Compacted, and about to take the place of the segments that it reaches over. */
  readonly isSwap: boolean
}

export interface FoundPartition {
  readonly directory: string
  /** In the order of their offsets. */
  readonly segments: readonly FoundSegment[]
  readonly recoveryPoint: string | undefined
}

/** A dump of this path, or a sentence why there is none. */
export type Found =
  | { readonly kind: 'partitions'; readonly partitions: readonly FoundPartition[] }
  | { readonly kind: 'file'; readonly path: string; readonly partition: FoundPartition }
  | { readonly kind: 'nothing'; readonly reason: string }

export function findFiles(path: string): Found {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined) return { kind: 'nothing', reason: `${path} does not exist` }
  if (status.isFile()) {
    const name = basename(path)
    if (parseSegmentFile(name) === undefined && name !== RECOVERY_POINT_FILE) {
      return { kind: 'nothing', reason: `${path} is no file of a log that this program can show` }
    }
    return { kind: 'file', path, partition: partitionAt(dirname(path)) }
  }
  const own = partitionAt(path)
  if (own.segments.length > 0 || own.recoveryPoint !== undefined) {
    return { kind: 'partitions', partitions: [own] }
  }
  const partitions = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && parsePartitionDirectory(entry.name) !== undefined)
    .map((entry) => partitionAt(join(path, entry.name)))
  if (partitions.length > 0) return { kind: 'partitions', partitions }
  return { kind: 'nothing', reason: `${path} holds no log` }
}

function partitionAt(directory: string): FoundPartition {
  const byBase = new Map<Offset, Map<SegmentSuffix, string>>()
  const swaps = new Map<Offset, string>()
  let recoveryPoint: string | undefined
  for (const name of readdirSync(directory)) {
    if (name === RECOVERY_POINT_FILE) recoveryPoint = join(directory, name)
    const swapped = parseSwapFile(name)
    if (swapped !== undefined) swaps.set(swapped, join(directory, name))
    const parsed = parseSegmentFile(name)
    if (parsed === undefined || parsed.isDeleted) continue
    const files = byBase.get(parsed.baseOffset) ?? new Map<SegmentSuffix, string>()
    byBase.set(parsed.baseOffset, files.set(parsed.suffix, join(directory, name)))
  }
  // Beside it lie, perhaps, the log and the indexes of what it replaces.
  for (const [base, path] of swaps) byBase.set(base, new Map([['.log', path]]))
  const segments = [...byBase].map(([baseOffset, files]) => ({
    baseOffset,
    files,
    isSwap: swaps.has(baseOffset),
  }))
  segments.sort((a, b) => a.baseOffset - b.baseOffset)
  return { directory, segments, recoveryPoint }
}
