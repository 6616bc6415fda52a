/**
 * A page of one partition: up to `limit` records that pass the filter, out of at most `maxBytes` of
 * batches (one at least), waiting for the first of them if the request allows. The page is written while
 * it is read: as JSON straight from stored bytes, or as MessagePack.
 */

import { packMsgpack } from '../../../client/api/batch-frame.ts'
import type { Clock } from '../../../storage/clock.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import type { Partition } from '../../partition/partition.ts'
import { ByteWriter } from './byte-writer.ts'
import { readPlaces } from './read-places.ts'
import type { ReadPlan } from './read-plan.ts'
import { RecordScan } from './record-scan.ts'
import { RecordView } from './record-view.ts'
import { isText } from './value-kind.ts'

/** What collects the records of a page and becomes its body. */
export interface PageBody {
  add(cursor: RecordCursor): void
  /** Memory it takes, about. */
  readonly sizeBytes: number
  finish(place: PagePlace): Buffer
}

export interface PagePlace {
  readonly nextOffset: number
  readonly highWatermark: number
  readonly logStartOffset: number
}

export interface Page {
  readonly body: Buffer
  readonly nextOffset: number
  /** The offset before which the request ends, as it was found for this page; infinite where that lies ahead. */
  readonly endOffset: number
}

export interface PageOptions {
  readonly partition: Partition
  readonly plan: ReadPlan
  readonly body: PageBody
  readonly clock: Clock
  readonly maxDecompressedBytes: number
  /** Aborted when nobody waits for the page any more: it is then given as it is. */
  readonly signal: AbortSignal
  /** Told how much memory the page takes with all it is made from; throws where that is too much. */
  readonly hold: (bytes: number) => void
}

export async function readPage(options: PageOptions): Promise<Page> {
  const { partition, plan, body, clock, signal } = options
  const deadlineMs = clock.monotonicMs() + plan.waitMs
  const [place_] = await readPlaces([partition], plan, clock.now())
  const { from, end } = place_!
  const scan = new RecordScan({
    partition,
    from,
    filter: plan.filter,
    maxDecompressedBytes: options.maxDecompressedBytes,
    hold: (bytes) => options.hold(bytes + body.sizeBytes),
  })
  let count = 0
  for (;;) {
    const upTo = Math.min(end, partition.highWatermark)
    while (count < plan.limit && (await scan.nextBatch(upTo))) {
      count += addBatch(scan, upTo, body, plan.limit - count, count > 0)
      if (scan.scannedBytes >= plan.maxBytes) break
    }
    const leftMs = deadlineMs - clock.monotonicMs()
    const isDone = count > 0 || scan.scannedBytes >= plan.maxBytes || scan.nextOffset >= end
    if (isDone || leftMs <= 0 || signal.aborted) break
    if (!(await partition.waitForAppend(scan.nextOffset, leftMs, signal))) break
  }
  const { highWatermark, logStartOffset } = partition
  const place = { nextOffset: scan.nextOffset, highWatermark, logStartOffset }
  return { body: body.finish(place), nextOffset: scan.nextOffset, endOffset: end }
}

/**
 * Adds up to `limit` records of the batch at hand; returns how many. A record that can not be shown ends
 * a page that has others before it: asked for first, it is the error.
 */
function addBatch(
  scan: RecordScan,
  upTo: number,
  body: PageBody,
  limit: number,
  hasOthers: boolean,
): number {
  let added = 0
  while (added < limit) {
    const cursor = scan.nextRecord(upTo)
    if (cursor === undefined) break
    try {
      body.add(cursor)
    } catch (error) {
      if (added === 0 && !hasOthers) throw error
      scan.stopBefore(cursor.offset)
      break
    }
    added++
  }
  return added
}

/** A page in JSON. */
export class JsonPage implements PageBody {
  readonly #writer = new ByteWriter()
  readonly #view: RecordView
  readonly #partition: number
  #isFirst = true

  constructor(partition: number, plan: ReadPlan) {
    this.#partition = partition
    this.#view = new RecordView(plan.as, false)
    this.#writer.ascii('{"records":[')
  }

  get sizeBytes(): number {
    return this.#writer.length
  }

  add(cursor: RecordCursor): void {
    const before = this.#writer.length
    if (!this.#isFirst) this.#writer.ascii(',')
    try {
      this.#view.write(this.#writer, this.#partition, cursor)
    } catch (error) {
      this.#writer.cutTo(before)
      throw error
    }
    this.#isFirst = false
  }

  finish({ nextOffset, highWatermark, logStartOffset }: PagePlace): Buffer {
    this.#writer.ascii(
      `],"nextOffset":${nextOffset},"highWatermark":${highWatermark},"logStartOffset":${logStartOffset}}\n`,
    )
    return this.#writer.take()
  }
}

/** What V8 takes for the objects of a record, and for each of its headers, about. */
const RECORD_OBJECT_BYTES = 400
const HEADER_OBJECT_BYTES = 300

/** A page in MessagePack: keys, values and header values are the bytes themselves. */
export class MsgpackPage implements PageBody {
  readonly #partition: number
  readonly #records: object[] = []
  #contentBytes = 0
  #lastBytes: Buffer | undefined

  constructor(partition: number) {
    this.#partition = partition
  }

  get sizeBytes(): number {
    return this.#contentBytes
  }

  add(cursor: RecordCursor): void {
    this.#records.push(msgpackRecord(this.#partition, cursor))
    // Its keys and values are views that keep the bytes of their batch.
    if (cursor.bytes !== this.#lastBytes) this.#contentBytes += cursor.bytes.length
    this.#lastBytes = cursor.bytes
    this.#contentBytes += RECORD_OBJECT_BYTES + cursor.headerCount * HEADER_OBJECT_BYTES
  }

  finish(place: PagePlace): Buffer {
    return packMsgpack({ records: this.#records, ...place })
  }
}

/** A record as MessagePack carries it. */
export function msgpackRecord(partition: number, cursor: RecordCursor): object {
  return {
    partition,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: cursor.key(),
    value: cursor.value(),
    headers: cursor
      .headers()
      .map(({ name, value }) => [isText(name, 0, name.length) ? name.toString() : name, value]),
  }
}
