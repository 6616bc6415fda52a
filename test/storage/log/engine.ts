/**
 * What the log's tests stand on: one engine over a simulated disk with one topic, batches to append and
 * the ways a process can end. Decides nothing about what is right; the tests do.
 */

import type { Clock } from '../../../storage/clock.ts'
import { logConfigFrom } from '../../../storage/config.ts'
import type { FileSystem } from '../../../storage/file/file-system.ts'
import type { Durability } from '../../../storage/log/durability.ts'
import type { Log } from '../../../storage/log/log.ts'
import type { LogAppend } from '../../../storage/log/log-append.ts'
import { type EngineSettings, LogManager } from '../../../storage/log-manager.ts'
import { type Logger, silentLogger } from '../../../storage/logger.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import type { CompressionName } from '../../../storage/record/compression.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { peekBatchSize, RecordBatch } from '../../../storage/record/record-batch.ts'
import { ManualClock } from '../../rigs/clock.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'

export const DIRECTORY = '/data'
export const TOPIC = 'orders'
export const TOPIC_ID = '0b1e0000-0000-4000-8000-000000000001'
/** Where the one log lives. */
export const LOG_DIRECTORY = `${DIRECTORY}/${TOPIC}-0`
export const FIRST_LOG = `${LOG_DIRECTORY}/00000000000000000000.log`
export const DECOMPRESSED_BYTES_MAX = 1024 * 1024

const SETTINGS: EngineSettings = {
  appendGroupBytesMax: 1024 * 1024,
  decompressedBytesMax: DECOMPRESSED_BYTES_MAX,
  producerIdExpirationMs: 86_400_000,
  producerIdsPerPartitionMax: 1_000,
  openFilesMax: 100,
  retentionCheckIntervalMs: 300_000,
  smallWriteBytesMax: 0,
}

export interface EngineOptions {
  readonly disk?: SimulatedDisk
  /** What stands between the engine and `disk`. */
  readonly fileSystem?: FileSystem
  readonly clock?: ManualClock
  readonly config?: Readonly<Record<string, number | string>>
  readonly settings?: Partial<EngineSettings>
  readonly partitions?: number
  readonly durability?: Durability
  readonly logger?: Logger
}

export interface Engine {
  readonly disk: SimulatedDisk
  readonly clock: ManualClock
  readonly manager: LogManager
  /** Of partition 0. */
  readonly log: Log
  readonly options: EngineOptions
}

export function newDisk(clock: Clock, seed?: number): SimulatedDisk {
  const disk = new SimulatedDisk(seed === undefined ? { clock } : { clock, seed })
  disk.medium.provideDirectory('/')
  return disk
}

export function openManager(
  options: EngineOptions,
  disk: SimulatedDisk,
  clock: Clock,
): Promise<LogManager> {
  const { durability } = options
  return LogManager.open({
    directory: DIRECTORY,
    fileSystem: options.fileSystem ?? disk,
    lock: disk.directoryLock,
    owner: { pid: 1, host: 'simulated', startedAt: '2024-01-01T00:00:00Z' },
    clock,
    logger: options.logger ?? silentLogger,
    settings: { ...SETTINGS, ...options.settings },
    ...(durability === undefined ? {} : { durability }),
  })
}

/** The topic of the rig as the manager wants to be told of it. */
export function topicOf(options: EngineOptions) {
  const config = logConfigFrom(options.config ?? {})
  return { name: TOPIC, topicId: TOPIC_ID, partitions: options.partitions ?? 1, config }
}

/** An engine on a new disk, its topic just created. */
export async function startNew(options: EngineOptions = {}): Promise<Engine> {
  const clock = options.clock ?? new ManualClock()
  const disk = options.disk ?? newDisk(clock)
  const manager = await openManager(options, disk, clock)
  await manager.loadLogs([])
  const topic = topicOf(options)
  await manager.createTopicLogs(
    topic,
    Array.from({ length: topic.partitions }, (_, at) => at),
  )
  return { disk, clock, manager, log: manager.log(TOPIC, 0)!, options }
}

/** An engine on a disk that has the topic. Throws why, when its log can not be opened. */
export async function startAgain(
  disk: SimulatedDisk,
  options: EngineOptions & { readonly clock: ManualClock },
): Promise<Engine> {
  const manager = await openManager(options, disk, options.clock)
  await manager.loadLogs([topicOf(options)])
  return { disk, clock: options.clock, manager, log: manager.log(TOPIC, 0)!, options }
}

/** The same engine after its process was killed: what was written is in the page cache. */
export function afterKill(engine: Engine, changes: Partial<EngineOptions> = {}): Promise<Engine> {
  return startAgain(engine.disk.processKill(1), again(engine, changes))
}

/** The same engine after the power went, and everything unsynced with it. */
export function afterPowerCut(
  engine: Engine,
  seed: number,
  changes: Partial<EngineOptions> = {},
): Promise<Engine> {
  return startAgain(engine.disk.powerCut(seed), again(engine, changes))
}

/** The same engine, stopped and started in good order. */
export async function afterCleanStop(
  engine: Engine,
  changes: Partial<EngineOptions> = {},
): Promise<Engine> {
  await engine.manager.close()
  return startAgain(engine.disk, again(engine, changes))
}

function again(engine: Engine, changes: Partial<EngineOptions>) {
  const { fileSystem: _, ...options } = engine.options
  return { ...options, ...changes, clock: engine.clock }
}

export interface BatchOptions {
  readonly compression?: CompressionName
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  /** Of the records, in their order; the last one counts for those that follow. */
  readonly timestamps?: readonly number[]
}

/** A batch of one record for each value. */
export function batchOf(values: readonly (string | Buffer)[], options: BatchOptions = {}): Buffer {
  const { timestamps = [Date.UTC(2024, 0, 1)], compression = 'none' } = options
  const builder = new BatchBuilder({ ...options, compression })
  for (const [at, value] of values.entries()) {
    builder.append(timestamps[Math.min(at, timestamps.length - 1)]!, null, Buffer.from(value))
  }
  return builder.build()
}

/** A batch of one record of `bytes` bytes. */
export function batchOfBytes(bytes: number, options: BatchOptions = {}): Buffer {
  return batchOf([Buffer.alloc(bytes, 0x61)], options)
}

export function append(log: Log, batch: Buffer): LogAppend {
  return log.append(batch, { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX })
}

/** Appends one batch of these values and waits for its acknowledgement. */
export async function appendAll(log: Log, ...values: string[]): Promise<LogAppend> {
  const appended = append(log, batchOf(values))
  await appended.acknowledged
  return appended
}

/** The batches in `bytes`. */
export function batchesIn(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = []
  for (let at = 0; at < bytes.length; ) {
    const sizeBytes = peekBatchSize(bytes, at)
    batches.push(new RecordBatch(bytes.subarray(at, at + sizeBytes)))
    at += sizeBytes
  }
  return batches
}

/** Every record's value as text that readers can see, from `from` on, read `maxBytes` at a time. */
export async function valuesFrom(
  log: Log,
  from: number = log.logStartOffset,
  maxBytes = 65_536,
): Promise<string[]> {
  const values: string[] = []
  for (let next = toOffset(from); ; ) {
    const read = await log.read(next, { maxBytes })
    if (read.bytes.length === 0) return values
    for (const batch of batchesIn(read.bytes)) {
      for (const record of readRecords(batch, { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX })) {
        if (record.offset >= from) values.push(String(record.value))
      }
    }
    next = read.nextOffset
  }
}

/** Lets everything that can go on without the test go on. */
export async function settled(turns = 30): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}

/** How a promise stands now. */
export async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending'
  promise.then(
    () => {
      state = 'resolved'
    },
    (error) => {
      state = `rejected: ${error.outcome ?? error.message}`
    },
  )
  await settled(2)
  return state
}
