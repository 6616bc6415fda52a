/**
 * What the golden batches hold, spelled out for our side; `make.py` and `MakeGolden.java` spell it out
 * for theirs. Also the line format in which their `read` commands print records back.
 */

import type { StoredRecord } from '../../storage/record/record.ts'

export interface GoldenRecord {
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly { name: Buffer; value: Buffer | null }[]
}

export const BASE_TIMESTAMP = 1_700_000_000_000

const utf8 = (text: string) => Buffer.from(text)

/** Every shape a field can take. */
export const FIELDS: readonly GoldenRecord[] = [
  { timestamp: BASE_TIMESTAMP, key: null, value: utf8('no key'), headers: [] },
  { timestamp: BASE_TIMESTAMP + 1, key: utf8(''), value: utf8(''), headers: [] },
  { timestamp: BASE_TIMESTAMP + 250, key: utf8('ключ-🔑'), value: null, headers: [] },
  {
    timestamp: BASE_TIMESTAMP - 5000,
    key: Buffer.from([0x00, 0xff, 0x80]),
    value: utf8('v'),
    headers: [
      { name: utf8('trace'), value: utf8('a1') },
      { name: utf8('empty'), value: utf8('') },
      { name: utf8('null'), value: null },
      { name: utf8('trace'), value: utf8('twice') },
      { name: utf8('имя'), value: Buffer.from([0xff, 0x00]) },
    ],
  },
  {
    timestamp: BASE_TIMESTAMP + 86_400_000,
    key: utf8('k'),
    value: Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251)),
    headers: [],
  },
]

/** Enough to fill several LZ4 and snappy blocks. */
export const MANY: readonly GoldenRecord[] = Array.from({ length: 1000 }, (_, index) => ({
  timestamp: BASE_TIMESTAMP + index,
  key: utf8(`key-${index}`),
  value: utf8(`value-${index}-`.repeat(10)),
  headers: [],
}))

/** Without the offset, for comparing with the lists above. */
export function contentOf(record: StoredRecord): GoldenRecord {
  const { timestamp, key, value, headers } = record
  return { timestamp, key, value, headers: headers.map(({ name, value }) => ({ name, value })) }
}

/** One record as the foreign readers print it: offset, timestamp, key, value, headers. */
export function printedLine(offset: number, record: GoldenRecord): string {
  const headers = record.headers.map(({ name, value }) => `${asHex(name)}=${asHex(value)}`)
  return [
    offset,
    record.timestamp,
    asHex(record.key),
    asHex(record.value),
    headers.length === 0 ? '-' : headers.join(','),
  ].join(' ')
}

function asHex(field: Buffer | null): string {
  return field === null ? '-' : `x${field.toString('hex')}`
}
