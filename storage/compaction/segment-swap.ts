/**
 * Puts a compacted segment in the place of those it was made of, so that a crash at any moment leaves the
 * one or the others, whole:
 *
 *     0.log 100.log 200.log   0.log.cleaned                 made, synced; until here nothing happened
 *     0.log 100.log 200.log   0.log.swap                    renamed, directory synced: from here on it counts
 *                             0.log.swap                    the others removed, directory synced
 *                             0.log                         renamed, directory synced
 *
 * Which ones it stands for needs no note: it reaches, without a gap, from its base offset to the base
 * offset of the segment after them. `finishSwaps` does at a start what a crash prevented. Readers find
 * the new segment from the second line on; those that are in an old one keep it until they are done.
 */

import { fileErrorCode } from '../file/file-system.ts'
import {
  CLEANED_SUFFIX,
  parseSegmentFile,
  parseSwapFile,
  type SegmentSuffix,
  SWAP_SUFFIX,
} from '../file/names.ts'
import type { LazyFile } from '../file/open-files.ts'
import { BatchScanner, corruption } from '../log/batch-scanner.ts'
import type { Segment } from '../log/segment.ts'
import { type LogFiles, openSegment, remakeIndexes, segmentPath } from '../log/segment-files.ts'
import type { SegmentList } from '../log/segment-list.ts'
import { type Offset, toPosition } from '../record/offsets.ts'
import type { CleanedSegment } from './cleaned-segment.ts'

const SUFFIXES: readonly SegmentSuffix[] = ['.index', '.timeindex', '.log']

/**
 * A swap failed after it may have begun to count. Whatever is on disk is right, and the next start
 * finishes or forgets it, but until then the log must not be compacted again.
 */
export class SwapFailure extends Error {
  constructor(cause: unknown) {
    super(`a compacted segment could not take its place: ${cause}`, { cause })
    this.name = 'SwapFailure'
  }
}

/**
 * Swaps `cleaned`, which is finished, in for the segments in `group` that are still there. Nobody else may
 * change which closed segments there are meanwhile. Throws `SwapFailure`.
 */
export async function swapSegments(
  files: LogFiles,
  segments: SegmentList,
  group: readonly Segment[],
  cleaned: CleanedSegment,
): Promise<void> {
  const { segment } = cleaned
  const replaced = group.filter((old) => segments.has(old))
  // All deleted meanwhile, as too old.
  if (replaced.length === 0) return await cleaned.abandon()
  const path = segmentPath(files, segment.baseOffset, '.log')
  try {
    await rename(files, segment.file, path + SWAP_SUFFIX)
    await files.fileSystem.syncDirectory(files.directory)
  } catch (cause) {
    await segment.file.close().catch(() => {})
    throw new SwapFailure(cause)
  }
  segments.replace(replaced, segment)
  try {
    await Promise.all(replaced.map((old) => letGo(files, old)))
    for (const { baseOffset } of replaced) await removeFiles(files, baseOffset)
    await files.fileSystem.syncDirectory(files.directory)
    for (const suffix of ['.index', '.timeindex'] as const) {
      const name = segmentPath(files, segment.baseOffset, suffix)
      await files.fileSystem.rename(name + CLEANED_SUFFIX, name)
    }
    await rename(files, segment.file, path)
    await files.fileSystem.syncDirectory(files.directory)
  } catch (cause) {
    throw new SwapFailure(cause)
  }
  segment.releaseIndexes()
}

/** Renames a file that readers may have open, or open at any time, and must find also after a failure. */
async function rename(files: LogFiles, file: LazyFile, path: string): Promise<void> {
  try {
    await file.renameTo(path)
  } catch (error) {
    const status = await files.fileSystem.status(file.path).catch(() => error)
    if (status === undefined) file.movedTo(path)
    throw error
  }
}

/** New readers do not find it any more; the last of the others lets it go. */
async function letGo(files: LogFiles, old: Segment): Promise<void> {
  await old.whenIdle()
  files.indexCache.forget(old)
  await old.file.close()
}

/**
 * Finishes what a crash left of swaps that count, and forgets those that do not. Throws
 * `KAFKA_STORAGE_ERROR` for a segment that is not what it was when it took its place.
 */
export async function finishSwaps(files: LogFiles, logStartOffset: Offset): Promise<void> {
  const names = (await files.fileSystem.list(files.directory)).map(({ name }) => name)
  for (const name of names) {
    if (name.endsWith(CLEANED_SUFFIX)) {
      await files.fileSystem.removeFile(`${files.directory}/${name}`)
    }
  }
  for (const name of names) {
    const baseOffset = parseSwapFile(name)
    if (baseOffset === undefined) continue
    const path = segmentPath(files, baseOffset, '.log') + SWAP_SUFFIX
    const status = await files.fileSystem.status(path)
    const segment = openSegment(files, baseOffset, {
      sizeBytes: status?.sizeBytes ?? 0,
      lastAppendMs: status?.modifiedAtMs ?? 0,
      path,
    })
    try {
      await finishSwap(files, segment, baseOffsetsIn(names), logStartOffset)
    } finally {
      await segment.file.close()
    }
  }
}

async function finishSwap(
  files: LogFiles,
  segment: Segment,
  bases: readonly Offset[],
  logStartOffset: Offset,
): Promise<void> {
  const { baseOffset, file } = segment
  const endOffset = await checkedEnd(segment)
  // The next one is missing only where all of this may go too.
  if (!bases.includes(endOffset) && endOffset > logStartOffset) {
    const reason = `it ends before offset ${endOffset}, where no segment begins`
    throw corruption(file.path, { position: toPosition(segment.sizeBytes), reason })
  }
  for (const base of bases) {
    if (base >= baseOffset && base < endOffset) await removeFiles(files, base)
  }
  await files.fileSystem.syncDirectory(files.directory)
  await remakeIndexes(files, segment)
  await file.renameTo(segmentPath(files, baseOffset, '.log'))
  await files.fileSystem.syncDirectory(files.directory)
  files.logger.info({ segment: file.path, endOffset }, 'finished a swap of compacted segments')
}

/** Where the segment ends, once every batch in it was found sound: what it stands for is removed. */
async function checkedEnd(segment: Segment): Promise<Offset> {
  const scanner = new BatchScanner(segment.file, {
    from: toPosition(0),
    to: segment.sizeBytes,
    wholeFrom: 0,
  })
  let endOffset = segment.baseOffset
  while (true) {
    const batch = scanner.take()
    if (batch === undefined) {
      if (await scanner.fill()) continue
      if (scanner.problem !== undefined) throw corruption(segment.file.path, scanner.problem)
      return endOffset
    }
    if (batch.baseOffset !== endOffset) {
      const reason = `offset ${batch.baseOffset} after ${endOffset - 1}`
      throw corruption(segment.file.path, { position: scanner.takenPosition, reason })
    }
    endOffset = batch.nextOffset
  }
}

/** Of the segments that are there, by any of their files. */
function baseOffsetsIn(names: readonly string[]): Offset[] {
  const found = names
    .map(parseSegmentFile)
    .filter((file) => file !== undefined && !file.isDeleted && SUFFIXES.includes(file.suffix))
  return [...new Set(found.map((file) => file!.baseOffset))]
}

async function removeFiles(files: LogFiles, baseOffset: Offset): Promise<void> {
  for (const suffix of SUFFIXES) {
    try {
      await files.fileSystem.removeFile(segmentPath(files, baseOffset, suffix))
    } catch (error) {
      if (fileErrorCode(error) !== 'ENOENT') throw error
    }
  }
}
