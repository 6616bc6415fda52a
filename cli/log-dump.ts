/**
 * `spool log dump`: what the files of a log hold, read without a broker. It takes no lock and never
 * writes, so that it can be used beside a running broker and on a copy; what a running broker is just
 * appending may then show as an unfinished tail.
 */

import { statSync } from 'node:fs'
import type { SegmentSuffix } from '../storage/file/names.ts'
import { nodeFileSystem } from '../storage/file/node-file-system.ts'
import type { RecoveryPoint } from '../storage/file/recovery-point.ts'
import { CommandError } from './command-error.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { type FoundPartition, type FoundSegment, findFiles } from './log-dump/find-files.ts'
import { RowPrinter } from './log-dump/output.ts'
import { Progress } from './log-dump/progress.ts'
import { note, problem, type Row } from './log-dump/rows.ts'
import { dumpSegment, type SegmentEnd } from './log-dump/segment-dump.ts'
import {
  indexRows,
  type LoadedIndex,
  loadOffsetIndex,
  loadTimeIndex,
  readRecoveryPoint,
  snapshotRows,
} from './log-dump/side-files.ts'
import type { DumpOptions } from './log-dump-options.ts'

/** Kinds that `--verify` shows. */
const VERDICTS = new Set<Row['kind']>(['note', 'problem', 'summary'])

/**
 * Prints the dump of `path` to stdout. Resolves to `failed` when anything in it is wrong; rejects with
 * CommandError where nothing is there to dump.
 */
export async function dumpLog(path: string, options: DumpOptions): Promise<ExitCode> {
  const found = findFiles(path)
  if (found.kind === 'nothing') {
    throw new CommandError(found.reason, { exitCode: exitCodes.failed })
  }
  const shape = options.json === true ? 'json' : process.stdout.isTTY ? 'table' : 'tabs'
  const printer = new RowPrinter(shape, (text) => void process.stdout.write(text))
  const only = found.kind === 'file' ? found.path : undefined
  const partitions = found.kind === 'file' ? [found.partition] : found.partitions
  const progress = new Progress(logBytesOf(partitions, only))
  let problems = 0
  let doneBytes = 0
  for (const partition of partitions) {
    const dump = new PartitionDump(partition, only, options, (bytes) =>
      progress.at(doneBytes + bytes),
    )
    for await (const row of dump.rows()) {
      if (row.kind === 'problem') problems++
      if (options.verify === true && !VERDICTS.has(row.kind)) continue
      printer.print(row)
      if (process.stdout.writableNeedDrain) {
        await new Promise((resolve) => process.stdout.once('drain', resolve))
      }
    }
    doneBytes += logBytesOf([partition], only)
  }
  progress.finish()
  printer.finish()
  return problems === 0 ? exitCodes.done : exitCodes.failed
}

function logBytesOf(partitions: readonly FoundPartition[], only: string | undefined): number {
  const logs = partitions.flatMap((partition) =>
    partition.segments.map((segment) => segment.files.get('.log')),
  )
  const wanted = logs.filter((log) => log !== undefined && (only === undefined || log === only))
  return wanted.reduce((sum, log) => sum + sizeOf(log), 0)
}

function sizeOf(path: string | undefined): number {
  return path === undefined ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0)
}

/** The dump of one partition's directory, or of one file in it. */
class PartitionDump {
  readonly #partition: FoundPartition
  readonly #only: string | undefined
  readonly #options: DumpOptions
  readonly #walked: (bytes: number) => void
  #walkedBefore = 0

  constructor(
    partition: FoundPartition,
    only: string | undefined,
    options: DumpOptions,
    walked: (bytes: number) => void,
  ) {
    this.#partition = partition
    this.#only = only
    this.#options = options
    this.#walked = walked
  }

  async *rows(): AsyncGenerator<Row> {
    const { recoveryPoint, segments } = this.#partition
    let point: RecoveryPoint | undefined
    if (recoveryPoint !== undefined) {
      const read = readRecoveryPoint(recoveryPoint, await nodeFileSystem.readFile(recoveryPoint))
      point = read.point
      if (this.#isWanted(recoveryPoint)) yield* read.rows
    }
    let end: SegmentEnd | undefined
    let replacedBelow = 0
    for (const segment of segments) {
      if (segment.baseOffset < replacedBelow) continue
      end = yield* this.#segmentRows(segment, point, end)
      if (!segment.isSwap || end === undefined) continue
      replacedBelow = end.nextOffset
      const sentence = `compacted; the next start puts it in the place of all segments below offset ${end.nextOffset}`
      yield note(segment.files.get('.log')!, sentence)
    }
  }

  /** One file by itself is compared with its indexes but not with the segment before it. */
  #isWanted(path: string): boolean {
    return this.#only === undefined || path === this.#only
  }

  async *#segmentRows(
    segment: FoundSegment,
    point: RecoveryPoint | undefined,
    before: SegmentEnd | undefined,
  ): AsyncGenerator<Row, SegmentEnd | undefined> {
    const { baseOffset, files } = segment
    const log = files.get('.log')
    // The log's size is taken after its index was read: beside a running broker both grow.
    const offsets = await load(files, '.index', (bytes) =>
      loadOffsetIndex(bytes, baseOffset, sizeOf(log)),
    )
    const times = await load(files, '.timeindex', (bytes) => loadTimeIndex(bytes, baseOffset))
    if (offsets !== undefined && this.#isWanted(offsets.name)) {
      yield* indexRows('offset-index', offsets.name, offsets.loaded)
    }
    if (times !== undefined && this.#isWanted(times.name)) {
      yield* indexRows('time-index', times.name, times.loaded)
    }
    const snapshot = files.get('.snapshot')
    if (snapshot !== undefined && this.#isWanted(snapshot)) {
      yield* snapshotRows(snapshot, await nodeFileSystem.readFile(snapshot))
    }
    if (log === undefined) {
      // A snapshot at the very end of the log stands alone after a clean stop; indexes never do.
      const orphan = files.get('.index') ?? files.get('.timeindex')
      if (orphan !== undefined && this.#isWanted(orphan)) yield problem(orphan, 'has no .log')
      return before
    }
    if (!this.#isWanted(log)) return undefined
    const sizeBytes = sizeOf(log)
    const file = await nodeFileSystem.open(log, 'read')
    try {
      const end = yield* dumpSegment(
        {
          file,
          name: log,
          sizeBytes,
          baseOffset,
          offsetIndex: usable(offsets),
          timeIndex: usable(times),
          durableBytes: durableBytesOf(segment, point),
          withRecords: this.#options.records === true,
        },
        before,
        (bytes) => this.#walked(this.#walkedBefore + bytes),
      )
      const { batches, records, nextOffset } = end
      const values = { bytes: sizeBytes, batches, records, baseOffset, nextOffset }
      yield { kind: 'summary', file: log, values }
      this.#walkedBefore += sizeBytes
      return end
    } finally {
      await file.close()
    }
  }
}

interface Loaded<Index> {
  readonly name: string
  readonly loaded: LoadedIndex<Index>
}

async function load<Index>(
  files: ReadonlyMap<SegmentSuffix, string>,
  suffix: SegmentSuffix,
  decode: (bytes: Buffer) => LoadedIndex<Index>,
): Promise<Loaded<Index> | undefined> {
  const name = files.get(suffix)
  return name === undefined
    ? undefined
    : { name, loaded: decode(await nodeFileSystem.readFile(name)) }
}

function usable<Index>(loaded: Loaded<Index> | undefined) {
  if (loaded?.loaded.index === undefined) return undefined
  return { name: loaded.name, index: loaded.loaded.index }
}

/** Segments before the recovery point's own are durable as a whole, however long they are now. */
function durableBytesOf(segment: FoundSegment, point: RecoveryPoint | undefined): number {
  if (point === undefined || segment.baseOffset < point.segmentBaseOffset) {
    return Number.POSITIVE_INFINITY
  }
  return segment.baseOffset === point.segmentBaseOffset ? point.position : 0
}
