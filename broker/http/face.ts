/**
 * What every route of the HTTP face shares beside the broker's context: the budgets that bound what
 * clients can make us hold, the metrics, and the signal that the face is closing. Every Fastify
 * instance carries it as `app.face`.
 */

import type { BrokerMetrics } from '../metrics.ts'
import type { ByteBudget } from './limits/byte-budget.ts'
import type { RateLimitedLog } from './limits/rate-limited-log.ts'
import type { Slots } from './limits/slots.ts'
import type { Streams } from './streams/streams.ts'

export interface HttpFace {
  readonly metrics: BrokerMetrics
  /** Bytes of request bodies held in memory (`queued.max.bytes`). */
  readonly queuedBytes: ByteBudget
  /** Requests that wait for records, and streams (`waiting.requests.max`). */
  readonly waiting: Slots
  readonly streams: Streams
  /** Warnings about clients, at most a few a second. */
  readonly warnings: RateLimitedLog
  /** Aborted when the broker begins to stop: streams end, long polls answer what they have. */
  readonly closing: AbortSignal
}

declare module 'fastify' {
  interface FastifyInstance {
    face: HttpFace
  }
}
