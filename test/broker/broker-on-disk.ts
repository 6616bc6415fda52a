/**
 * The part of a broker behind its faces, on a simulated disk: started, crashed and started again by a
 * test that wants to know what survives.
 */

import { randomUUID } from 'node:crypto'
import { BrokerCore } from '../../broker/broker-core.ts'
import { type BrokerSettings, settingsWith } from '../../broker/config.ts'
import { type Logger, silentLogger } from '../../storage/logger.ts'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { ManualClock } from '../rigs/clock.ts'
import type { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'

export const DATA_DIR = '/data'

export interface StartOptions extends Partial<BrokerSettings> {
  readonly logger?: Logger
  onFatal?(error: unknown): void
}

/** Opens and recovers; resolves when it would serve. */
export async function startOn(
  disk: SimulatedDisk,
  options: StartOptions = {},
): Promise<BrokerCore> {
  const { logger = silentLogger, onFatal = () => {}, ...given } = options
  const settings = settingsWith({ dataDir: DATA_DIR, diskReserveBytes: 0, ...given })
  const core = await BrokerCore.open(settings, {
    fileSystem: disk,
    directoryLock: disk.directoryLock,
    clock: new ManualClock(),
    logger,
    newUuid: randomUUID,
    flushed() {},
    onFatal,
  })
  await core.recover()
  return core
}

/** One batch of one record, its value `text`. */
export function batchOf(text: string): Buffer {
  const builder = new BatchBuilder({ compression: 'none' })
  builder.append(Date.UTC(2024, 0, 1), null, Buffer.from(text))
  return builder.build()
}

/** Appends one record and waits for it to be on disk. */
export async function appendTo(core: BrokerCore, topic: string, partition = 0): Promise<void> {
  const append = core.replicas
    .partition(topic, partition)
    .appendAsLeader(batchOf('value'), { acks: 'all' })
  await append.acknowledged
}

/** The names in the data directory that look like a partition's, in whichever state. */
export async function partitionDirectories(disk: SimulatedDisk): Promise<string[]> {
  const entries = await disk.list(DATA_DIR)
  return entries
    .filter((entry) => entry.isDirectory)
    .map((entry) => entry.name)
    .sort()
}
