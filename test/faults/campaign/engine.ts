/**
 * The log engine on a simulated disk, started as the broker does it. Owns the settings of
 * the fault tests: groups and files so few and small that every limit is met.
 */

import { type EngineSettings, LogManager } from '../../../storage/log-manager.ts'
import { silentLogger } from '../../../storage/logger.ts'
import type { ManualClock } from '../../rigs/clock.ts'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'

export const DIRECTORY = '/data'

const SETTINGS: EngineSettings = {
  appendGroupBytesMax: 4_096,
  decompressedBytesMax: 1_048_576,
  producerIdExpirationMs: 86_400_000,
  producerIdsPerPartitionMax: 1_000,
  openFilesMax: 50,
  retentionCheckIntervalMs: 2_000,
  // Single batches on the spot, groups of several by a thread: both ways are tried in every run.
  smallWriteBytesMax: 400,
  cleanerEnabled: true,
  cleanerBackoffMs: 600,
  cleanerBufferBytes: 1_500,
}

export function openEngine(
  disk: SimulatedDisk,
  clock: ManualClock,
  settings: Partial<EngineSettings> = {},
): Promise<LogManager> {
  return LogManager.open({
    directory: DIRECTORY,
    fileSystem: disk,
    lock: disk.directoryLock,
    owner: { pid: 1, host: 'simulated', startedAt: '2024-01-01T00:00:00Z' },
    clock,
    logger: silentLogger,
    settings: { ...SETTINGS, ...settings },
  })
}
