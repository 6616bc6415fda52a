/**
 * A finite stream of one partition's records as NDJSON: from where the request says to the high watermark
 * of the moment it began. It holds records only: complete means that the connection ended cleanly, and
 * any failure aborts it. Memory does not follow the partition's size nor a slow reader's patience: one
 * piece of the log is decoded at a time, and none while the socket is full.
 */

import type { FastifyReply } from 'fastify'
import { NDJSON_TYPE } from '../../../client/api/media-types.ts'
import type { Clock } from '../../../storage/clock.ts'
import type { Partition } from '../../partition/partition.ts'
import { ByteWriter } from './byte-writer.ts'
import { RawReply, type RawReplyOptions } from './raw-reply.ts'
import { readPlaces } from './read-places.ts'
import type { ReadPlan } from './read-plan.ts'
import { RecordScan } from './record-scan.ts'
import { RecordView } from './record-view.ts'

/** Lines are sent when there are so many bytes of them. */
const SEND_BYTES = 64 * 1024

export interface NdjsonOptions {
  readonly partition: Partition
  readonly plan: ReadPlan
  readonly reply: FastifyReply
  readonly clock: Clock
  readonly maxDecompressedBytes: number
  readonly raw: RawReplyOptions
  /** Aborted when the client is gone or the broker stops. */
  readonly signal: AbortSignal
  /** Told how much memory the stream takes; throws where that is too much. */
  readonly hold: (bytes: number) => void
}

/** Sends the stream. Rejects, with nothing sent, for what can still be said as a problem. */
export async function sendNdjson(options: NdjsonOptions): Promise<void> {
  const { partition, plan, clock, signal } = options
  const [place] = await readPlaces([partition], plan, clock.now())
  const { from, end } = place!
  if (plan.waitMs > 0 && from >= partition.highWatermark && from < end) {
    await partition.waitForAppend(from, plan.waitMs, signal)
  }
  const upTo = Math.min(end, partition.highWatermark)
  const scan = new RecordScan({
    partition,
    from,
    filter: plan.filter,
    maxDecompressedBytes: options.maxDecompressedBytes,
    hold: (bytes) => options.hold(bytes + 2 * SEND_BYTES),
  })
  // Whatever is wrong with the first batch is found before the head is sent.
  const hasRecords = await scan.nextBatch(upTo)
  const raw = new RawReply(options.reply, 200, { 'content-type': NDJSON_TYPE }, options.raw)
  try {
    if (hasRecords) await sendRecords(scan, upTo, raw, options)
    if (signal.aborted) raw.abort()
    else await raw.end()
  } catch (error) {
    raw.abort()
    throw error
  }
}

async function sendRecords(
  scan: RecordScan,
  upTo: number,
  raw: RawReply,
  { partition, plan, signal }: NdjsonOptions,
): Promise<void> {
  const writer = new ByteWriter()
  const view = new RecordView(plan.as, true)
  let left = plan.limit
  do {
    for (; left > 0; left--) {
      const cursor = scan.nextRecord(upTo)
      if (cursor === undefined) break
      view.write(writer, partition.partition, cursor)
      writer.ascii('\n')
      if (writer.length < SEND_BYTES) continue
      const full = raw.write(writer.take())
      if (full !== undefined) await full
      if (signal.aborted) return
    }
  } while (left > 0 && (await scan.nextBatch(upTo)) && !signal.aborted)
  if (writer.length > 0) await raw.write(writer.take())
}
