/**
 * What the faces of a broker (HTTP, later the Kafka protocol) get to work with, and nothing more.
 * `broker.ts` makes it; the faces never reach the log engine or the metadata store themselves.
 */

import type { Clock, Random } from '../storage/clock.ts'
import type { CleanerTotals } from '../storage/compaction/cleaner.ts'
import type { Logger } from '../storage/logger.ts'
import type { ClusterImage } from './cluster/cluster-image.ts'
import type { BrokerSettings } from './config.ts'
import type { GroupCoordinator } from './groups/group-coordinator.ts'
import type { ReplicaManager } from './partition/replica-manager.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { TopicService } from './topics/topic-service.ts'

export interface BrokerContext {
  readonly settings: BrokerSettings
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger

  /**
   * True from the end of recovery until the broker begins to stop. A face listens before that (liveness)
   * and answers 503 with `Retry-After` to everything but its health routes.
   */
  isReady(): boolean

  /** Calls `listener` after every sync of a log, with the seconds it took. */
  onFlush(listener: (seconds: number) => void): void

  /** What compaction did since the start; `undefined` before the end of recovery. */
  compactionTotals(): CleanerTotals | undefined

  /** These five throw SpoolError BROKER_NOT_READY before the end of recovery. */
  readonly topics: TopicService
  readonly replicas: ReplicaManager
  readonly producerIds: ProducerIds
  readonly groups: GroupCoordinator
  clusterImage(): ClusterImage
}

/** A face that listens on a socket: `createHttpServer(context)` in `http/server.ts` gives one. */
export interface Listener {
  /** Begins to listen on the host and port of the settings; port 0 becomes a free one. */
  listen(): Promise<{ readonly url: string; readonly port: number }>
  /** Takes no new connections or requests, waits for those under way, then closes what is left. */
  close(): Promise<void>
}
