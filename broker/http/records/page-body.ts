/**
 * What the records of a page become while it is read: JSON, written straight from stored bytes, or
 * MessagePack. Which records those are is `page.ts`; what the page says of its places `page-place.ts`.
 */

import { packMsgpack } from '../../../client/api/batch-frame.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import type { Partition } from '../../partition/partition.ts'
import { ByteWriter } from './byte-writer.ts'
import { RecordView, type View } from './record-view.ts'
import { isText } from './value-kind.ts'

/** What collects the records of a page and becomes its body. */
export interface PageBody {
  /** Throws SpoolError INVALID_RECORD for a record that can not be shown so, and is as it was. */
  add(partition: Partition, cursor: RecordCursor): void
  /** Memory it takes, about. */
  readonly sizeBytes: number
  /** The whole document: the records, then the members of `tail`. */
  finish(tail: object): Buffer
}

export class JsonPage implements PageBody {
  readonly #writer = new ByteWriter()
  readonly #view: RecordView
  readonly #namesTopic: boolean
  #isFirst = true

  /** `namesTopic`: each record says which topic it is of. */
  constructor(as: View, namesTopic = false) {
    this.#view = new RecordView(as, false)
    this.#namesTopic = namesTopic
    this.#writer.ascii('{"records":[')
  }

  get sizeBytes(): number {
    return this.#writer.length
  }

  add({ topic, partition }: Partition, cursor: RecordCursor): void {
    const before = this.#writer.length
    if (!this.#isFirst) this.#writer.ascii(',')
    // A topic's name needs no escapes.
    const heading = this.#namesTopic ? `"topic":"${topic}",` : ''
    try {
      this.#view.write(this.#writer, partition, cursor, heading)
    } catch (error) {
      this.#writer.cutTo(before)
      throw error
    }
    this.#isFirst = false
  }

  /** `tail` has numbers and ASCII text only. */
  finish(tail: object): Buffer {
    this.#writer.ascii(`],${JSON.stringify(tail).slice(1)}\n`)
    return this.#writer.take()
  }
}

/** What V8 takes for the objects of a record, and for each of its headers, about. */
const RECORD_OBJECT_BYTES = 400
const HEADER_OBJECT_BYTES = 300

/** Keys, values and header values are the bytes themselves. */
export class MsgpackPage implements PageBody {
  readonly #records: object[] = []
  #contentBytes = 0
  #lastKept: ArrayBufferLike | undefined

  get sizeBytes(): number {
    return this.#contentBytes
  }

  add({ partition }: Partition, cursor: RecordCursor): void {
    this.#records.push(msgpackRecord(partition, cursor))
    // Its keys and values are views: one small value keeps all that was read or decompressed with it.
    const kept = cursor.bytes.buffer
    if (kept !== this.#lastKept) this.#contentBytes += kept.byteLength
    this.#lastKept = kept
    this.#contentBytes += RECORD_OBJECT_BYTES + cursor.headerCount * HEADER_OBJECT_BYTES
  }

  finish(tail: object): Buffer {
    return packMsgpack({ records: this.#records, ...tail })
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
