/** Which of its ways `spool consume` prints records in, from the options. Pure. */

import { RecordView } from '../broker/http/records/record-view.ts'
import type { ConsumeOptions } from './consume-options.ts'
import { unescapeBytes } from './escapes.ts'
import { delimitedPrinter, type RecordPrinter, recordPrinter } from './record-format.ts'
import { UsageError } from './usage-error.ts'

/**
 * `hasTopic`: JSON records say which topic they are of.
 *
 * @throws UsageError for options that contradict each other, and for a format that is none.
 */
export function consumePrinter(
  topic: string,
  options: ConsumeOptions,
  isJson: boolean,
  { hasTopic } = { hasTopic: false },
): RecordPrinter {
  const { format, delimiter, keyDelimiter, as } = options
  const nullText = options.nullAs ?? (options.null === true ? 'NULL' : '')
  if (isJson) {
    const textOption = Object.entries({
      '-f': format,
      '-D': delimiter,
      '-K': keyDelimiter,
      '-Z': options.null,
      '--null-as': options.nullAs,
    }).find(([, value]) => value !== undefined)
    if (textOption !== undefined) {
      throw new UsageError(`${textOption[0]} is for text, and --json prints whole records as JSON`)
    }
    const heading = hasTopic ? `"topic":${JSON.stringify(topic)},` : ''
    return jsonPrinter(new RecordView(as ?? 'auto', true), heading)
  }
  if (as !== undefined) throw new UsageError('--as says how values become JSON: it needs --json')
  if (format === undefined) {
    return delimitedPrinter(
      {
        delimiter: unescapeBytes(delimiter ?? '\\n', '-D'),
        ...(keyDelimiter === undefined ? {} : { keyDelimiter: unescapeBytes(keyDelimiter, '-K') }),
      },
      { topic, nullText },
    )
  }
  if (delimiter !== undefined || keyDelimiter !== undefined) {
    const option = delimiter === undefined ? '-K' : '-D'
    throw new UsageError(`${option} is for output without a format: with -f it stands in there`)
  }
  return recordPrinter(format, { topic, nullText })
}

/** One record a line, in the shape of the HTTP interface. */
export function jsonPrinter(view: RecordView, heading = ''): RecordPrinter {
  return (writer, partition, cursor) => {
    view.write(writer, partition, cursor, heading)
    writer.ascii('\n')
  }
}
