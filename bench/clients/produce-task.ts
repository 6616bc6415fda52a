/** What the producing client is asked to do and what it answers; shared by scenario and client. */

import type { CompressionName } from '../../storage/record/compression.ts'
import type { PayloadKind } from './payloads.ts'

export interface ProduceTask {
  readonly port: number
  readonly topic: string
  readonly partitions: number
  readonly connections: number
  readonly recordBytes: number
  /** Before compression. */
  readonly batchBytes: number
  readonly payload: PayloadKind
  readonly compression: CompressionName
  /** One of the two ends it. */
  readonly seconds?: number
  readonly records?: number
}

export interface ProduceAnswer {
  readonly seconds: number
  readonly records: number
  readonly requests: number
  /** Keys and values, before compression. */
  readonly payloadBytes: number
  /** Batches as they went over the wire. */
  readonly wireBytes: number
  readonly latencyMsMedian: number
  readonly latencyMs99: number
}
