/**
 * The files of a segment on disk: made, sealed with their indexes, opened again, removed. Knows the names
 * and what must be synced with each; in which order that happens within a roll or a stop is `tail.ts`'s.
 */

import { createAfresh } from '../file/checkpoint.ts'
import { type FileSystem, fileErrorCode } from '../file/file-system.ts'
import {
  DELETED_SUFFIX,
  parseSegmentFile,
  type SegmentSuffix,
  segmentFileName,
} from '../file/names.ts'
import type { OpenFiles } from '../file/open-files.ts'
import type { Logger } from '../logger.ts'
import { type Offset, toPosition } from '../record/offsets.ts'
import { BatchScanner, corruption } from './batch-scanner.ts'
import { SyncFailure } from './durability.ts'
import type { IndexCache } from './index-cache.ts'
import { OffsetIndex, offsetIndexProblem } from './offset-index.ts'
import { encodeProducerSnapshot } from './producer-snapshot.ts'
import type { ProducerState } from './producer-state.ts'
import { Segment, type SegmentIndexes } from './segment.ts'
import type { SmallWrites } from './small-writes.ts'
import { TimeIndex, timeIndexProblem } from './time-index.ts'

/** Where one log lives and through what it reaches its files. */
export interface LogFiles {
  readonly directory: string
  readonly topicId: string
  readonly partition: number
  readonly fileSystem: FileSystem
  readonly openFiles: OpenFiles
  readonly indexCache: IndexCache
  readonly smallWrites: SmallWrites
  readonly logger: Logger
}

/** One snapshot may be torn by a crash; the one before it then serves. */
const SNAPSHOTS_KEPT = 2
/** For the rebuilt index of a closed segment, whose own interval is not known any more. */
const REBUILD_INTERVAL_BYTES = 4096

export function segmentPath(files: LogFiles, baseOffset: Offset, suffix: SegmentSuffix): string {
  return `${files.directory}/${segmentFileName(baseOffset, suffix)}`
}

export function emptyIndexes(baseOffset: Offset): SegmentIndexes {
  return { offsets: new OffsetIndex(baseOffset), times: new TimeIndex(baseOffset) }
}

/** Creates an empty active segment; its name is durable on return. Leaves nothing behind when it fails. */
export async function createSegment(
  files: LogFiles,
  baseOffset: Offset,
  nowMs: number,
): Promise<Segment> {
  const path = segmentPath(files, baseOffset, '.log')
  try {
    const created = await files.fileSystem.open(path, 'create')
    await created.close()
    await files.fileSystem.syncDirectory(files.directory)
  } catch (error) {
    // Also when the creation itself failed: the error does not say that there is no file now.
    if (fileErrorCode(error) !== 'EEXIST') await undoCreation(files, path)
    throw error
  }
  const segment = openSegment(files, baseOffset, { sizeBytes: 0, lastAppendMs: nowMs })
  segment.activate(emptyIndexes(baseOffset), undefined)
  return segment
}

/**
 * The removal must last as well: should the name come back after a power cut, it would stand below records
 * that the segment before it took in the meantime.
 */
async function undoCreation(files: LogFiles, path: string): Promise<void> {
  try {
    await files.fileSystem.removeFile(path)
    await files.fileSystem.syncDirectory(files.directory)
  } catch (cause) {
    if (fileErrorCode(cause) !== 'ENOENT') throw new SyncFailure(cause)
  }
}

/** A segment whose file exists; at `path`, if that is not its own. Nothing is read yet. */
export function openSegment(
  files: LogFiles,
  baseOffset: Offset,
  known: { sizeBytes: number; lastAppendMs: number; path?: string },
): Segment {
  return new Segment({
    baseOffset,
    file: files.openFiles.file(known.path ?? segmentPath(files, baseOffset, '.log'), 'write'),
    sizeBytes: known.sizeBytes,
    lastAppendMs: known.lastAppendMs,
    loadIndexes: (segment) => files.indexCache.get(segment, () => loadIndexes(files, segment)),
  })
}

/** Writes the last time entry and both index files, synced. Can be done again, with the same result. */
export async function closeSegmentFiles(files: LogFiles, segment: Segment): Promise<void> {
  segment.sealTimeIndex()
  const { offsets, times } = segment.activeIndexes
  await writeWhole(files, segmentPath(files, segment.baseOffset, '.index'), offsets.bytes)
  await writeWhole(files, segmentPath(files, segment.baseOffset, '.timeindex'), times.bytes)
}

/** The indexes of a closed segment from its files, or from a walk over its headers if they are unsound. */
export async function loadIndexes(files: LogFiles, segment: Segment): Promise<SegmentIndexes> {
  const offsets = await readIfThere(files, segmentPath(files, segment.baseOffset, '.index'))
  const times = await readIfThere(files, segmentPath(files, segment.baseOffset, '.timeindex'))
  const problem =
    offsets === undefined || times === undefined
      ? 'an index file is missing'
      : (offsetIndexProblem(offsets, segment.sizeBytes) ?? timeIndexProblem(times))
  if (problem === undefined) {
    return {
      offsets: new OffsetIndex(segment.baseOffset, offsets),
      times: new TimeIndex(segment.baseOffset, times),
    }
  }
  files.logger.warn({ segment: segment.file.path, problem }, 'rebuilding the indexes of a segment')
  return rebuildIndexes(segment)
}

/** Writes the index files of a closed segment anew, synced, from a walk over its headers. */
export async function remakeIndexes(files: LogFiles, segment: Segment): Promise<void> {
  const { offsets, times } = await rebuildIndexes(segment)
  await writeWhole(files, segmentPath(files, segment.baseOffset, '.index'), offsets.bytes)
  await writeWhole(files, segmentPath(files, segment.baseOffset, '.timeindex'), times.bytes)
}

async function rebuildIndexes(segment: Segment): Promise<SegmentIndexes> {
  const rebuilt = new Segment({
    baseOffset: segment.baseOffset,
    file: segment.file,
    sizeBytes: 0,
    lastAppendMs: segment.lastAppendMs,
    loadIndexes: () => Promise.reject(new Error('a segment being indexed has no index')),
  })
  const indexes = emptyIndexes(segment.baseOffset)
  rebuilt.activate(indexes, undefined)
  const scanner = new BatchScanner(segment.file, { from: toPosition(0), to: segment.sizeBytes })
  while (true) {
    const batch = scanner.take()
    if (batch !== undefined)
      rebuilt.noteAppended(batch, REBUILD_INTERVAL_BYTES, segment.lastAppendMs)
    else if (!(await scanner.fill())) break
  }
  if (scanner.problem !== undefined) throw corruption(segment.file.path, scanner.problem)
  rebuilt.sealTimeIndex()
  return indexes
}

/** Writes the state as of `offset`, synced, and removes snapshots that are no longer needed. */
export async function writeProducerSnapshot(
  files: LogFiles,
  offset: Offset,
  producers: ProducerState,
): Promise<void> {
  const older = await snapshotOffsets(files)
  await writeWhole(
    files,
    segmentPath(files, offset, '.snapshot'),
    encodeProducerSnapshot(producers, offset),
  )
  const surplus = older.filter((known) => known !== offset).slice(SNAPSHOTS_KEPT - 1)
  for (const known of surplus) {
    await files.fileSystem.removeFile(segmentPath(files, known, '.snapshot'))
  }
}

/** The offsets for which there is a snapshot file, newest first. */
export async function snapshotOffsets(files: LogFiles): Promise<Offset[]> {
  const entries = await files.fileSystem.list(files.directory)
  return entries
    .map((entry) => parseSegmentFile(entry.name))
    .filter((file) => file?.suffix === '.snapshot' && !file.isDeleted)
    .map((file) => file!.baseOffset)
    .sort((a, b) => b - a)
}

/**
 * Takes a segment out of reach by renaming its files, and removes them after `delayMs` and once no read
 * is in flight. The caller has made the log's new start durable.
 */
export async function retireSegment(
  files: LogFiles,
  segment: Segment,
): Promise<() => Promise<void>> {
  files.indexCache.forget(segment)
  const logPath = segmentPath(files, segment.baseOffset, '.log')
  const doomed: string[] = []
  for (const suffix of ['.log', '.index', '.timeindex'] as const) {
    const path = segmentPath(files, segment.baseOffset, suffix)
    try {
      if (path === logPath) await segment.file.renameTo(`${path}${DELETED_SUFFIX}`)
      else await files.fileSystem.rename(path, `${path}${DELETED_SUFFIX}`)
      doomed.push(`${path}${DELETED_SUFFIX}`)
    } catch (error) {
      if (fileErrorCode(error) !== 'ENOENT') throw error
    }
  }
  return async () => {
    await segment.whenIdle()
    await segment.file.close()
    for (const path of doomed) await files.fileSystem.removeFile(path)
  }
}

/** Replaces the content of a file that can be made again from the log, and syncs it. */
export async function writeWhole(files: LogFiles, path: string, bytes: Buffer): Promise<void> {
  const file = await createAfresh(files.fileSystem, path)
  try {
    if (bytes.length > 0) await file.write([bytes], 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function readIfThere(files: LogFiles, path: string): Promise<Buffer | undefined> {
  try {
    return await files.fileSystem.readFile(path)
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
