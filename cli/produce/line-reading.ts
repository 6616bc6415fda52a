/**
 * From a line to a record, with the meaning of the options: what the HTTP interface reads (values, JSON
 * records, JSON Pointers) is read by its code, keys before a delimiter are read here. Bytes are views of
 * the line's: use the record before the next line is read.
 */

import { JsonRecords } from '../../broker/http/records/json-record.ts'
import { LineRecords } from '../../broker/http/records/line-record.ts'
import { readJsonLine } from '../../broker/http/records/ndjson-line.ts'
import { NO_HEADERS, type ProducedRecord } from '../../broker/http/records/produced-record.ts'
import type { ReadingPlan } from './plan.ts'

export class LineReading {
  readonly #plan: ReadingPlan
  readonly #lines: LineRecords
  readonly #json = new JsonRecords('auto')
  /** The line's own record is the record: nothing is added to it. */
  readonly #isPlain: boolean

  constructor(plan: ReadingPlan) {
    this.#plan = plan
    this.#lines = new LineRecords(plan)
    this.#isPlain = plan.key === null && !plan.emptyIsNull && plan.headers.length === 0
  }

  /**
   * The record in the line at [start, end); `undefined` for a blank line between JSON records. Throws
   * `JsonError` or `RecordRefusal`.
   */
  read(bytes: Buffer, start: number, end: number): ProducedRecord | undefined {
    const record = this.#own(bytes, start, end)
    return record === undefined || this.#isPlain ? record : this.#withCommon(record)
  }

  #own(bytes: Buffer, start: number, end: number): ProducedRecord | undefined {
    const { format, keyDelimiter } = this.#plan
    if (format === 'json') return readJsonLine(this.#json, bytes, start, end)
    if (keyDelimiter === undefined) return this.#lines.read(bytes, start, end)
    const line = bytes.subarray(start, end)
    const keyEnd = line.indexOf(keyDelimiter)
    // As kcat has it: all of it is the value.
    if (keyEnd < 0) return this.#lines.read(bytes, start, end)
    const record = this.#lines.read(bytes, start + keyEnd + keyDelimiter.length, end)
    return { ...record, key: line.subarray(0, keyEnd) }
  }

  #withCommon(record: ProducedRecord): ProducedRecord {
    const { headers, emptyIsNull } = this.#plan
    let { key, value } = record
    if (emptyIsNull && value?.length === 0) value = null
    if (emptyIsNull && key?.length === 0) key = null
    return {
      key: key ?? this.#plan.key,
      value,
      headers: record.headers === NO_HEADERS ? headers : [...record.headers, ...headers],
      partition: record.partition,
      timestamp: record.timestamp,
    }
  }
}
