/**
 * The small data directory that `storage/FORMAT.md` shows byte for byte, made by the real code on a disk
 * in memory, with a clock that stands still: the same bytes every time.
 */

import { FileClusterStore } from '../../broker/cluster/file-store.ts'
import { logConfigFrom } from '../../storage/config.ts'
import { LogManager } from '../../storage/log-manager.ts'
import { silentLogger } from '../../storage/logger.ts'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { ManualClock } from '../rigs/clock.ts'
import { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'

const DIRECTORY = '/data'
const TOPIC_ID = '33294010-c663-4f6c-bbf6-2659b2bf8863'
const START_MS = Date.UTC(2024, 0, 1)
const utf8 = (text: string) => Buffer.from(text, 'utf8')

/** Every file of the directory by its path in it, in the order of their names. */
export async function formatExample(): Promise<Map<string, Buffer>> {
  const clock = new ManualClock(START_MS)
  const disk = new SimulatedDisk({ clock })
  disk.medium.provideDirectory(DIRECTORY)
  const manager = await LogManager.open({
    directory: DIRECTORY,
    fileSystem: disk,
    lock: disk.directoryLock,
    owner: { pid: 4242, host: 'example', startedAt: '2024-01-01T00:00:00.000Z' },
    clock,
    logger: silentLogger,
    settings: {
      appendGroupBytesMax: 1_048_576,
      decompressedBytesMax: 1_048_576,
      producerIdExpirationMs: 86_400_000,
      producerIdsPerPartitionMax: 1_000,
      openFilesMax: 100,
      retentionCheckIntervalMs: 300_000,
    },
  })
  await writeMetadata(disk)
  await manager.loadLogs([])
  const config = logConfigFrom({ 'index.interval.bytes': 0 })
  await manager.createTopicLogs({ name: 'orders', topicId: TOPIC_ID, config }, [0, 1])
  const log = manager.log('orders', 0)!
  for (const [at, batch] of exampleBatches().entries()) {
    clock.advance(1_000)
    if (at === 2) await log.roll()
    await log.append(batch, { maxDecompressedBytes: 1_048_576 }).acknowledged
  }
  await manager.close()
  const paths = disk.medium.paths(DIRECTORY)
  return new Map(
    paths.map((path) => [path.slice(DIRECTORY.length + 1), disk.medium.contents(path)]),
  )
}

/** Two records with key, header and a null value; one of an idempotent producer; one more after a roll. */
function exampleBatches(): Buffer[] {
  const plain = new BatchBuilder({ compression: 'none' })
  const headers = [{ name: utf8('lang'), value: utf8('en') }]
  plain.append(START_MS, utf8('k1'), utf8('hello'), headers)
  plain.append(START_MS + 500, utf8('k2'), null)
  const idempotent = new BatchBuilder({
    compression: 'none',
    producerId: 4711,
    producerEpoch: 0,
    baseSequence: 0,
  })
  idempotent.append(START_MS + 1_500, null, utf8('world'))
  const last = new BatchBuilder({ compression: 'none' })
  last.append(START_MS + 2_500, null, utf8('!'))
  return [plain, idempotent, last].map((builder) => builder.build())
}

async function writeMetadata(disk: SimulatedDisk): Promise<void> {
  const store = await FileClusterStore.open({
    fileSystem: disk,
    directory: DIRECTORY,
    onFatal(error) {
      throw error
    },
  })
  const topic = { topicId: TOPIC_ID, state: 'active', partitions: 2, replicationFactor: 1 }
  await store.transact([
    { key: 'broker-epochs/1', value: '1', expect: 'absent' },
    {
      key: 'topics/orders',
      value: JSON.stringify({ ...topic, config: {} }),
      expect: 'absent',
    },
  ])
  await store.close()
}
