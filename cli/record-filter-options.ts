/** What `--key`, `--header` and `--contains` ask for. They are the filters of the HTTP interface, applied here. */

import { type RecordFilter, recordFilter } from '../broker/http/records/record-filter.ts'
import type { ConsumeOptions } from './consume-options.ts'
import { UsageError } from './usage-error.ts'

/**
 * Which records are wanted; `undefined`: all.
 *
 * @throws UsageError for a header without a colon.
 */
export function filterOf({
  key,
  header,
  contains,
}: Pick<ConsumeOptions, 'key' | 'header' | 'contains'>): RecordFilter | undefined {
  if (header !== undefined && !header.includes(':')) {
    throw new UsageError(`--header ${JSON.stringify(header)}: expected name:value`)
  }
  return recordFilter({
    ...(key === undefined ? {} : { key }),
    ...(header === undefined ? {} : { header }),
    ...(contains === undefined ? {} : { contains }),
  })
}
