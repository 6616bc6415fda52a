/** What a worker of a trial is like, and what it leaves behind. Shapes only. */

import type { SeededRandom } from '../rigs/random.ts'
import type { WorkerHistory } from './worker-history.ts'

export const WORKER_KINDS = ['poll', 'stream', 'heartbeat'] as const
export type WorkerKind = (typeof WORKER_KINDS)[number]

export interface WorkerOptions {
  readonly kind: WorkerKind
  readonly port: number
  readonly group: string
  readonly topic: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly history: WorkerHistory
  readonly random: SeededRandom
  /** Of one page or poll. */
  readonly pageRecords?: number
  /** Records are work: at most so long for each page. */
  readonly workMsMax?: number
  /** It was refused and joined again, or its stream did: what it is given from now on is read again. */
  onFenced?(): void
  /** A commit that must be refused once its partition is another's. */
  leaveBehind(commit: GhostCommit): void
}

/** What a member could have sent, and did not. */
export interface GhostCommit {
  readonly member: string
  readonly partition: number
  readonly offset: number
  readonly method: 'POST' | 'PUT'
  readonly path: string
  readonly body: unknown
}
