/** What the clients that use our own client are asked to do and answer; shared by scenarios and clients. */

import type { CompressionName } from '../../client/index.ts'

/**
 * How a program gives its records: `enqueue` and `room()`; `sendMany` of arrays; `Promise.all` over the
 * `send` of each record of an array; a thousand loops of `await send(record)`.
 */
export type ProducingWay = 'enqueue' | 'sendMany' | 'sendAll' | 'sendInLoops'

/** What a program has: bytes, text that is JSON, or objects that become JSON. */
export type ValueKind = 'bytes' | 'text' | 'objects'

export interface ClientProduceTask {
  readonly url: string
  readonly brokerPid: number
  readonly topic: string
  readonly recordBytes: number
  readonly values: ValueKind
  readonly compression: CompressionName
  readonly hasKeys: boolean
  readonly way: ProducingWay
  readonly seconds: number
}

/** How a program takes records: one after the other, or batches that it iterates, or batches only. */
export type ReadingWay = 'records' | 'batches' | 'batchesOnly'

/** What it makes of each value; nothing: it looks at the offset only. */
export type DecodedAs = 'string' | 'json' | 'bytes' | 'nothing'

export interface ClientReadTask {
  readonly url: string
  readonly brokerPid: number
  readonly topic: string
  readonly way: ReadingWay
  readonly decodedAs: DecodedAs
  readonly recordBytes: number
  readonly seconds: number
}

/** What it cost to have `records` on their way, acknowledged or read. */
export interface ClientAnswer {
  readonly seconds: number
  readonly records: number
  /** Values, before compression. */
  readonly payloadBytes: number
  /** Of all threads. */
  readonly clientCpuSeconds: number
  readonly brokerCpuSeconds: number
}

/** What one record leaves for the garbage collector. */
export interface AllocationAnswer {
  readonly bytesPerRecord: number
  readonly objectsPerRecord: number
}
