/**
 * From a directory on disk to a `Log`: finds the segments, decides whether the clean or the unclean path
 * applies, and hands everything to the log ready for use. What recovery does with a torn tail is
 * `recovery.ts`; which directories there are at all is the log manager's.
 */

import { basename } from 'node:path'
import { finishSwaps } from '../compaction/segment-swap.ts'
import { StorageError } from '../errors.ts'
import {
  DELETED_SUFFIX,
  parseSegmentFile,
  RECOVERY_POINT_FILE,
  type SegmentSuffix,
} from '../file/names.ts'
import { RecoveryPointFile } from '../file/recovery-point.ts'
import { type Offset, toOffset, toPosition } from '../record/offsets.ts'
import { RecordBatch } from '../record/record-batch.ts'
import { BatchScanner, corruption } from './batch-scanner.ts'
import type { Durability } from './durability.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import { type ProducerLimits, ProducerState } from './producer-state.ts'
import {
  noteProducer,
  type Recovered,
  type RecoveryRules,
  recordRecovered,
  recoverActiveSegment,
  syncedBound,
} from './recovery.ts'
import type { Segment } from './segment.ts'
import {
  createSegment,
  type LogFiles,
  loadIndexes,
  openSegment,
  segmentPath,
  snapshotOffsets,
} from './segment-files.ts'
import { SegmentList } from './segment-list.ts'

/** What a log is made of once its directory was read. */
export interface OpenedLog {
  readonly segments: SegmentList
  readonly recoveryPoint: RecoveryPointFile
  readonly producers: ProducerState
  readonly endOffset: Offset
  readonly logStartOffset: Offset
  /** Bytes of a torn tail that were cut off. */
  readonly cutBytes: number
  /** All that a clean start needs is on disk: the log was opened from just that. */
  readonly isSealed: boolean
}

export interface OpenRules extends RecoveryRules {
  readonly producerLimits: ProducerLimits
  readonly isCleanStart: boolean
  /** The partition's last leader epoch before this start. */
  readonly leaderEpoch: number
  readonly nowMs: number
}

/**
 * Makes the files of a log that has no record yet. The caller syncs the directory above. Throws
 * `KAFKA_STORAGE_ERROR` when a log that was in use lies there.
 */
export async function createLogFiles(files: LogFiles, nowMs: number): Promise<void> {
  await files.fileSystem.createDirectory(files.directory)
  const entries = await files.fileSystem.list(files.directory)
  for (const { name } of entries) await refuseUsedSegment(files, name)
  for (const { name } of entries) {
    // Left by a creation that a crash cut short: nothing was ever written to it.
    await files.fileSystem.removeFile(`${files.directory}/${name}`)
  }
  const segment = await createSegment(files, toOffset(0), nowMs)
  await segment.file.close()
  const point = await RecoveryPointFile.create(
    files.openFiles,
    `${files.directory}/${RECOVERY_POINT_FILE}`,
    {
      topicId: files.topicId,
      segmentBaseOffset: toOffset(0),
      position: toPosition(0),
      flushedOffset: toOffset(0),
      logStartOffset: toOffset(0),
      lastAppendMs: nowMs,
      isRelaxed: false,
    },
  )
  await point.close()
  await files.fileSystem.syncDirectory(files.directory)
}

/** A creation cut short leaves one empty segment at offset 0 and no other. */
async function refuseUsedSegment(files: LogFiles, name: string): Promise<void> {
  const segment = parseSegmentFile(name)
  if (segment === undefined || segment.suffix !== '.log') return
  const path = `${files.directory}/${name}`
  const sizeBytes = (await files.fileSystem.status(path))?.sizeBytes ?? 0
  if (segment.baseOffset === 0 && sizeBytes === 0) return
  // Said to whoever creates the topic, who has no business with where the data lies.
  const file = `${basename(files.directory)}/${name}`
  throw new StorageError(
    'KAFKA_STORAGE_ERROR',
    `${file} is of a log that was in use: no new one is made in its place`,
    { values: { file } },
  )
}

/** Opens the log in `files.directory`. Throws `KAFKA_STORAGE_ERROR` naming the file where it is corrupt. */
export async function openLogFiles(
  files: LogFiles,
  durability: Durability,
  rules: OpenRules,
): Promise<OpenedLog> {
  const { file: recoveryPoint, point } = await RecoveryPointFile.open(
    files.openFiles,
    `${files.directory}/${RECOVERY_POINT_FILE}`,
  )
  let found: SegmentList | undefined
  try {
    await removeLeftovers(files)
    await finishSwaps(files, point.logStartOffset)
    const { segments, below } = await listSegments(files, point.logStartOffset)
    found = segments
    return await openSegments(files, durability, rules, recoveryPoint, segments, below)
  } catch (error) {
    // A log that is refused must not keep descriptors from those that are served.
    const open = [recoveryPoint, ...[...(found ?? [])].map(({ file }) => file)]
    await Promise.allSettled(open.map((file) => file.close()))
    throw error
  }
}

/** `below`: base offsets of segments wholly below the log's start, to be removed. */
async function openSegments(
  files: LogFiles,
  durability: Durability,
  rules: OpenRules,
  recoveryPoint: RecoveryPointFile,
  segments: SegmentList,
  below: readonly Offset[],
): Promise<OpenedLog> {
  const { active } = segments
  const point = recoveryPoint.current
  const producers = new ProducerState(rules.producerLimits)
  const isClean =
    rules.isCleanStart &&
    point.segmentBaseOffset === active.baseOffset &&
    point.position === active.sizeBytes &&
    (await restoreSnapshot(files, point.flushedOffset, producers))
  const recovered = isClean
    ? await openClean(files, segments, point.flushedOffset)
    : await openUnclean(files, durability, segments, recoveryPoint, producers, rules)
  // Only now: after a kill the start may have been read from the page cache; recovery has synced it.
  for (const base of below) {
    await removeSegmentFiles(files, base, ['.index', '.timeindex', '.log'])
  }
  producers.expire(rules.nowMs)
  return {
    segments,
    recoveryPoint,
    producers,
    endOffset: recovered.endOffset,
    logStartOffset: point.logStartOffset,
    cutBytes: recovered.cutBytes,
    isSealed: isClean,
  }
}

async function openClean(
  files: LogFiles,
  segments: SegmentList,
  endOffset: Offset,
): Promise<Recovered> {
  const { active } = segments
  const indexes = await loadIndexes(files, active)
  const newest = indexes.times.last
  active.activate(
    indexes,
    newest === undefined ? undefined : { maxTimestamp: newest.timestamp, offset: newest.offset },
  )
  return { endOffset, sizeBytes: active.sizeBytes, cutBytes: 0 }
}

async function openUnclean(
  files: LogFiles,
  durability: Durability,
  segments: SegmentList,
  recoveryPoint: RecoveryPointFile,
  producers: ProducerState,
  rules: OpenRules,
): Promise<Recovered> {
  const { active } = segments
  const point = recoveryPoint.current
  await removeSegmentFiles(files, active.baseOffset, ['.index', '.timeindex'])
  const producersFrom = await restoreNewestSnapshot(files, producers, segments, point.flushedOffset)
  await noteProducersOfClosed(segments, producersFrom, producers, rules.nowMs)
  const fresh = openSegment(files, active.baseOffset, {
    sizeBytes: 0,
    lastAppendMs: Math.max(active.lastAppendMs, point.lastAppendMs),
  })
  segments.replaceActive(fresh)
  const walked = await recoverActiveSegment(
    files,
    {
      segment: fresh,
      fileBytes: active.sizeBytes,
      ...syncedBound(point, fresh),
      producersFrom,
      isRelaxed: point.isRelaxed,
      leaderEpoch: rules.leaderEpoch,
    },
    producers,
    rules,
    rules.nowMs,
  )
  const recovered = await replayDurable(files, durability, fresh, walked, producers, rules)
  checkAgainstPoint(fresh, recovered, point)
  await recordRecovered(recoveryPoint, fresh, recovered, point.logStartOffset)
  return recovered
}

/** Appends the batches that are durable elsewhere and lie past the segment's end, and syncs them. */
async function replayDurable(
  files: LogFiles,
  durability: Durability,
  segment: Segment,
  walked: Recovered,
  producers: ProducerState,
  rules: OpenRules,
): Promise<Recovered> {
  const { topicId, partition } = files
  let { endOffset } = walked
  const missing = await durability.recover({ topicId, partition, endOffset })
  for (const bytes of missing) {
    const batch = new RecordBatch(bytes)
    await segment.file.write([bytes], segment.sizeBytes)
    segment.noteAppended(batch, rules.indexIntervalBytes, rules.nowMs)
    noteProducer(producers, batch, endOffset, rules.nowMs)
    endOffset = batch.nextOffset
  }
  if (missing.length > 0) await segment.file.sync()
  return { ...walked, endOffset, sizeBytes: segment.sizeBytes }
}

/** An end below what was known to be flushed means bytes are gone that were acknowledged. */
function checkAgainstPoint(
  segment: Segment,
  recovered: Recovered,
  point: { flushedOffset: Offset },
): void {
  if (recovered.endOffset >= point.flushedOffset) return
  throw corruption(segment.file.path, {
    position: toPosition(recovered.sizeBytes),
    reason: `the log ends at offset ${recovered.endOffset}, but ${point.flushedOffset} was flushed`,
  })
}

async function removeLeftovers(files: LogFiles): Promise<void> {
  for (const { name } of await files.fileSystem.list(files.directory)) {
    if (!name.endsWith(DELETED_SUFFIX) && !name.endsWith('.tmp')) continue
    await files.fileSystem.removeFile(`${files.directory}/${name}`)
  }
}

/** Every segment from the one holding `logStartOffset` on, and the bases of those wholly `below` it. */
async function listSegments(
  files: LogFiles,
  logStartOffset: Offset,
): Promise<{ segments: SegmentList; below: Offset[] }> {
  const entries = await files.fileSystem.list(files.directory)
  const named = entries
    .map((entry) => parseSegmentFile(entry.name))
    .filter((file) => file !== undefined && !file.isDeleted && file.suffix !== '.snapshot')
    .map((file) => file!)
  const bases = named
    .filter(({ suffix }) => suffix === '.log')
    .map(({ baseOffset }) => baseOffset)
    .sort((a, b) => a - b)
  const firstKept = Math.max(
    bases.findLastIndex((base) => base <= logStartOffset),
    0,
  )
  if (bases.length === 0 || bases[firstKept]! > logStartOffset) {
    throw new StorageError(
      'KAFKA_STORAGE_ERROR',
      `${files.directory}: the segment that holds logStartOffset ${logStartOffset} is missing`,
      { values: { directory: files.directory, logStartOffset } },
    )
  }
  const segments: Segment[] = []
  for (const base of bases.slice(firstKept)) {
    const status = await files.fileSystem.status(segmentPath(files, base, '.log'))
    segments.push(
      openSegment(files, base, {
        sizeBytes: status?.sizeBytes ?? 0,
        lastAppendMs: status?.modifiedAtMs ?? 0,
      }),
    )
  }
  // Among them indexes whose log was renamed away just before a crash.
  const below = named.map(({ baseOffset }) => baseOffset).filter((base) => base < bases[firstKept]!)
  return { segments: new SegmentList(segments), below: [...new Set(below)] }
}

async function removeSegmentFiles(
  files: LogFiles,
  base: Offset,
  suffixes: readonly SegmentSuffix[],
): Promise<void> {
  for (const suffix of suffixes) {
    const path = segmentPath(files, base, suffix)
    if ((await files.fileSystem.status(path)) !== undefined) await files.fileSystem.removeFile(path)
  }
}

async function restoreSnapshot(
  files: LogFiles,
  offset: Offset,
  producers: ProducerState,
): Promise<boolean> {
  const path = segmentPath(files, offset, '.snapshot')
  if ((await files.fileSystem.status(path)) === undefined) return false
  const problem = decodeProducerSnapshot(await files.fileSystem.readFile(path), producers)
  if (problem === undefined) return true
  producers.clear()
  files.logger.warn({ path, problem }, 'a producer snapshot is unsound; an older one serves')
  return false
}

/** Where the newest sound snapshot stands; without one, the first offset there is. */
async function restoreNewestSnapshot(
  files: LogFiles,
  producers: ProducerState,
  segments: SegmentList,
  flushedOffset: Offset,
): Promise<Offset> {
  producers.clear()
  for (const offset of await snapshotOffsets(files)) {
    if (offset > Math.max(flushedOffset, segments.active.baseOffset)) continue
    if (await restoreSnapshot(files, offset, producers)) return offset
  }
  return segments.holding(toOffset(0)).baseOffset
}

async function noteProducersOfClosed(
  segments: SegmentList,
  from: Offset,
  producers: ProducerState,
  nowMs: number,
): Promise<void> {
  for (const segment of segments.closed) {
    if ((segments.after(segment)?.baseOffset ?? 0) <= from) continue
    const scanner = new BatchScanner(segment.file, { from: toPosition(0), to: segment.sizeBytes })
    while (true) {
      const batch = scanner.take()
      if (batch !== undefined) noteProducer(producers, batch, from, nowMs)
      else if (!(await scanner.fill())) break
    }
    if (scanner.problem !== undefined) throw corruption(segment.file.path, scanner.problem)
  }
}
