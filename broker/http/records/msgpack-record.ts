/**
 * Reads records from MessagePack: the same shapes as in JSON (`json-record.ts`), with keys, values and
 * header values that may be binary. A value that is neither binary, string, nil nor `{base64}` is stored
 * as JSON text, integers of 64 bits exact; what JSON can not say (NaN, a nested binary) is refused.
 */

import { isUtf8 } from 'node:buffer'
import { checkMsgpack, MsgpackError } from '../../../client/api/msgpack-check.ts'
import { decodeBase64 } from './base64.ts'
import { MsgpackReader } from './msgpack-reader.ts'
import {
  type ProducedHeader,
  type ProducedRecord,
  RECORD_MEMBERS,
  RecordRefusal,
  type ValueReading,
} from './produced-record.ts'
import { timestampOfText } from './timestamp-text.ts'

const MEMBER_LIST = RECORD_MEMBERS.join(', ')
const PARTITION_MAX = 2 ** 31 - 1

/**
 * The records of a request's body, one record or `{records: […]}`, handed over in order. Throws
 * `MsgpackError` when the body is not plain MessagePack: before the first record is handed over.
 */
export function readMsgpackBody(
  bytes: Buffer,
  as: ValueReading,
  take: (record: ProducedRecord) => void,
  refuse: (refusal: RecordRefusal) => void,
): void {
  checkMsgpack(bytes, isUtf8)
  const reader = new MsgpackReader(bytes)
  const count = listLength(reader)
  for (let i = 0; i < (count ?? 1); i++) {
    const next = new MsgpackReader(bytes, reader.at)
    next.skip()
    try {
      take(readRecord(reader, as))
    } catch (error) {
      if (!(error instanceof RecordRefusal)) throw error
      refuse(error)
    }
    reader.at = next.at
  }
}

/** Enters `{records: […]}`, returning its length; `undefined`, having moved nowhere, for one record. */
function listLength(reader: MsgpackReader): number | undefined {
  const start = reader.at
  if (reader.kind() === 'map') {
    const members = reader.enter()
    if (members > 0 && reader.kind() === 'text' && reader.text() === 'records') {
      if (members > 1) throw new MsgpackError('another name beside "records",', reader.at)
      if (reader.kind() !== 'array') throw new MsgpackError('"records" that is no array', reader.at)
      return reader.enter()
    }
  }
  reader.at = start
  return undefined
}

function readRecord(reader: MsgpackReader, as: ValueReading): ProducedRecord {
  if (reader.kind() !== 'map') throw refused(`a record is a map with ${MEMBER_LIST}`)
  const record = {
    key: null as Buffer | null,
    value: undefined as Buffer | null | undefined,
    headers: [] as ProducedHeader[],
    partition: -1,
    timestamp: -1,
  }
  const seen = new Set<string>()
  for (let left = reader.enter(); left > 0; left--) {
    const name = memberName(reader, seen)
    if (name === 'key') record.key = readKey(reader)
    else if (name === 'value') record.value = readValue(reader, as)
    else if (name === 'headers') record.headers = readHeaders(reader)
    else if (name === 'partition') record.partition = readPartition(reader)
    else if (name === 'timestamp') record.timestamp = readTimestamp(reader)
    else {
      const shown = JSON.stringify(name.slice(0, 60))
      throw refused(`${shown} is not part of a record, which has ${MEMBER_LIST}`)
    }
  }
  if (record.value === undefined) throw refused('value is missing; a tombstone is an explicit nil')
  return { ...record, value: record.value }
}

function memberName(reader: MsgpackReader, seen: Set<string>): string {
  if (reader.kind() !== 'text') throw refused('a name in the record is not a string')
  const name = reader.text()
  if (seen.has(name)) throw refused(`the name ${JSON.stringify(name.slice(0, 60))} a second time`)
  seen.add(name)
  return name
}

function readKey(reader: MsgpackReader): Buffer | null {
  const kind = reader.kind()
  if (kind === 'integer') return Buffer.from(String(reader.integer()))
  return readBytes(reader, 'key', 'a string, an integer, binary, {base64: …} or nil')
}

/** A string, a binary, `{base64}` or nil. */
function readBytes(reader: MsgpackReader, part: string, expected: string): Buffer | null {
  const kind = reader.kind()
  if (kind === 'text' || kind === 'binary') return reader.content()
  if (kind === 'nil') return reader.nil()
  if (kind === 'map') {
    const decoded = readBase64(reader, part)
    if (decoded !== undefined) return decoded
  }
  throw refused(`${part} is of the kind ${kind}, not ${expected}`)
}

/** Passes a map whose only name is `base64`; `undefined`, having moved nowhere, for any other map. */
function readBase64(reader: MsgpackReader, part: string): Buffer | undefined {
  const start = reader.at
  if (reader.enter() === 1 && reader.kind() === 'text' && reader.text() === 'base64') {
    const decoded = reader.kind() === 'text' ? decodeBase64(reader.content()) : undefined
    if (decoded === undefined) throw refused(`${part}: what stands under "base64" is not base64`)
    return decoded
  }
  reader.at = start
  return undefined
}

function readValue(reader: MsgpackReader, as: ValueReading): Buffer | null {
  const kind = reader.kind()
  if (kind === 'nil') return reader.nil()
  if (as === 'auto') {
    if (kind === 'text' || kind === 'binary') return reader.content()
    if (kind === 'map') {
      const decoded = readBase64(reader, 'value')
      if (decoded !== undefined) return decoded
    }
  }
  return Buffer.from(jsonText(reader))
}

/** Passes one value; its JSON. Depth is bounded by `checkMsgpack`. */
function jsonText(reader: MsgpackReader): string {
  const kind = reader.kind()
  switch (kind) {
    case 'nil':
      return String(reader.nil())
    case 'boolean':
      return String(reader.boolean())
    case 'integer':
      return String(reader.integer())
    case 'text':
      return JSON.stringify(reader.text())
    case 'float': {
      const value = reader.float()
      if (!Number.isFinite(value)) throw refused(`value holds ${value}, which JSON can not say`)
      return JSON.stringify(value)
    }
    case 'binary':
      throw refused('value holds a binary inside, which JSON can not say')
    case 'array': {
      const parts: string[] = []
      for (let left = reader.enter(); left > 0; left--) parts.push(jsonText(reader))
      return `[${parts.join(',')}]`
    }
    case 'map': {
      const parts: string[] = []
      const seen = new Set<string>()
      for (let left = reader.enter(); left > 0; left--) {
        const name = memberName(reader, seen)
        parts.push(`${JSON.stringify(name)}:${jsonText(reader)}`)
      }
      return `{${parts.join(',')}}`
    }
  }
}

function readHeaders(reader: MsgpackReader): ProducedHeader[] {
  const kind = reader.kind()
  if (kind !== 'map' && kind !== 'array') {
    throw refused('headers are neither a map nor an array of [name, value]')
  }
  const headers: ProducedHeader[] = []
  const seen = new Set<string>()
  for (let left = reader.enter(); left > 0; left--) {
    if (kind === 'array' && (reader.kind() !== 'array' || reader.enter() !== 2)) {
      throw refused('headers are neither a map nor an array of [name, value]')
    }
    if (reader.kind() !== 'text') throw refused('the name of a header is not a string')
    const name = kind === 'map' ? Buffer.from(memberName(reader, seen)) : reader.content()
    const value = readBytes(reader, 'a header', 'a string, binary, {base64: …} or nil')
    headers.push({ name, value })
  }
  return headers
}

function readPartition(reader: MsgpackReader): number {
  const value = reader.kind() === 'integer' ? reader.integer() : undefined
  if (typeof value === 'number' && value >= 0 && value <= PARTITION_MAX) return value
  throw refused(`partition is not an integer from 0 to ${PARTITION_MAX}`)
}

function readTimestamp(reader: MsgpackReader): number {
  const kind = reader.kind()
  if (kind === 'text') {
    const text = reader.content()
    const value = timestampOfText(text, 0, text.length)
    if (value !== undefined && value >= 0) return value
  } else if (kind === 'integer') {
    const value = reader.integer()
    if (typeof value === 'number' && value >= 0) return value
  }
  const hint = kind === 'float' ? '; pack it as int64, not as a float' : ''
  throw new RecordRefusal(
    'INVALID_TIMESTAMP',
    `timestamp is not milliseconds since 1970 or RFC 3339 with a zone${hint}`,
  )
}

function refused(detail: string): RecordRefusal {
  return new RecordRefusal('INVALID_RECORD', detail)
}
