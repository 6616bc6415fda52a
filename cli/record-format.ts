/**
 * What `spool consume` prints of a record: a format string is read once into steps, and each record is
 * written by them, byte for byte as it is stored. The letters are kcat's. Writes into memory; who prints
 * it is its caller's business.
 */

import type { ByteWriter } from '../broker/http/records/byte-writer.ts'
import type { RecordCursor } from '../storage/record/batch-reader.ts'
import { unescapeBytes } from './escapes.ts'
import { UsageError } from './usage-error.ts'

/** Writes one record of `partition` at the cursor. */
export type RecordPrinter = (writer: ByteWriter, partition: number, cursor: RecordCursor) => void

export interface FormatOptions {
  readonly topic: string
  /** What stands for a key or value that is null. */
  readonly nullText: string
}

const LETTERS: Readonly<Record<string, (options: FormatOptions) => RecordPrinter>> = {
  s: ({ nullText }) => {
    const absent = Buffer.from(nullText)
    return (writer, _partition, { bytes, valueStart, valueEnd }) =>
      valueStart < 0 ? writer.raw(absent) : writer.raw(bytes, valueStart, valueEnd)
  },
  k: ({ nullText }) => {
    const absent = Buffer.from(nullText)
    return (writer, _partition, { bytes, keyStart, keyEnd }) =>
      keyStart < 0 ? writer.raw(absent) : writer.raw(bytes, keyStart, keyEnd)
  },
  S: () => (writer, _partition, cursor) => writer.integer(valueLength(cursor)),
  K:
    () =>
    (writer, _partition, { keyStart, keyEnd }) =>
      writer.integer(keyStart < 0 ? -1 : keyEnd - keyStart),
  R: () => (writer, _partition, cursor) => {
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(valueLength(cursor))
    writer.raw(length)
  },
  o:
    () =>
    (writer, _partition, { offset }) =>
      writer.integer(offset),
  p: () => (writer, partition) => writer.integer(partition),
  T:
    () =>
    (writer, _partition, { timestamp }) =>
      writer.integer(timestamp),
  t: ({ topic }) => literal(Buffer.from(topic)),
  h: () => (writer, _partition, cursor) => {
    if (cursor.headerCount > 0) writeHeaders(writer, cursor)
  },
  '%': () => literal(Buffer.from('%')),
}

function valueLength({ valueStart, valueEnd }: RecordCursor): number {
  return valueStart < 0 ? -1 : valueEnd - valueStart
}

function literal(bytes: Buffer): RecordPrinter {
  return (writer) => writer.raw(bytes)
}

/** `name=value,name=value`; a null value is NULL, as kcat has it. */
function writeHeaders(writer: ByteWriter, cursor: RecordCursor): void {
  let isFirst = true
  for (const { name, value } of cursor.headers()) {
    if (!isFirst) writer.ascii(',')
    isFirst = false
    writer.raw(name)
    writer.ascii('=')
    if (value === null) writer.ascii('NULL')
    else writer.raw(value)
  }
}

/**
 * Reads a format string.
 *
 * @throws UsageError for a letter or an escape that is none.
 */
export function recordPrinter(format: string, options: FormatOptions): RecordPrinter {
  const steps: RecordPrinter[] = []
  let from = 0
  for (let at = format.indexOf('%'); at >= 0; at = format.indexOf('%', from)) {
    if (at > from) steps.push(literal(unescapeBytes(format.slice(from, at), '-f')))
    const letter = format[at + 1] ?? ''
    const step = Object.hasOwn(LETTERS, letter) ? LETTERS[letter] : undefined
    if (step === undefined) {
      throw new UsageError(
        `-f ${JSON.stringify(format)}: %${letter} is no token; there are %s %S %R %k %K %h %t %p %o %T and %%`,
      )
    }
    steps.push(step(options))
    from = at + 2
  }
  if (from < format.length) steps.push(literal(unescapeBytes(format.slice(from), '-f')))
  return inOrder(steps)
}

/** Without `-f`: the value and what follows each record, before it the key if there is what separates them. */
export function delimitedPrinter(
  { delimiter, keyDelimiter }: { readonly delimiter: Buffer; readonly keyDelimiter?: Buffer },
  options: FormatOptions,
): RecordPrinter {
  const value = [LETTERS.s!(options), literal(delimiter)]
  if (keyDelimiter === undefined) return inOrder(value)
  return inOrder([LETTERS.k!(options), literal(keyDelimiter), ...value])
}

function inOrder(steps: readonly RecordPrinter[]): RecordPrinter {
  const [first, second] = steps
  if (first !== undefined && second !== undefined && steps.length === 2) {
    return (writer, partition, cursor) => {
      first(writer, partition, cursor)
      second(writer, partition, cursor)
    }
  }
  return (writer, partition, cursor) => {
    for (const step of steps) step(writer, partition, cursor)
  }
}
