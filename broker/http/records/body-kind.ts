/**
 * What the body of a produce request is, from its Content-Type and `body=`: decided from the head alone,
 * before a byte of it is read. A type nobody chose (curl's own, or none) is refused with the flag to use
 * rather than stored as something that was not meant.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import {
  charsetOf,
  FORM_TYPE,
  JSON_TYPE,
  MSGPACK_TYPE,
  MULTIPART_TYPE,
  NDJSON_TYPE,
} from '../../../client/api/media-types.ts'

/**
 * `json`, `msgpack`: records in one document. `value`: the body is one value. `ndjson`: a record a line,
 * `lines`: a value a line, both without end.
 */
export type BodyKind = 'json' | 'msgpack' | 'value' | 'ndjson' | 'lines'

export type BodyChoice = 'record' | 'value' | 'lines' | undefined

const RECORD_KINDS: ReadonlyMap<string, BodyKind> = new Map([
  [JSON_TYPE, 'json'],
  [NDJSON_TYPE, 'ndjson'],
  [MSGPACK_TYPE, 'msgpack'],
])

/** `mediaType` in lower case, without parameters; `contentType` as it came. Throws 415. */
export function bodyKindOf(
  mediaType: string | undefined,
  contentType: string | undefined,
  choice: BodyChoice,
): BodyKind {
  if (mediaType === MULTIPART_TYPE) {
    throw refused(`${mediaType} (curl -F) is a form, not records${useInstead(choice)}`)
  }
  if (choice === 'lines') return 'lines'
  if (mediaType === undefined) {
    throw refused(`the body came without a Content-Type${useInstead(choice)}`)
  }
  if (mediaType === FORM_TYPE) {
    throw refused(`curl -d and --data-binary send ${FORM_TYPE} on their own${useInstead(choice)}`)
  }
  if (choice === 'value') return 'value'
  const kind = RECORD_KINDS.get(mediaType)
  if (kind === undefined) {
    if (choice === undefined) return 'value'
    throw refused(
      `body=record is read from ${[...RECORD_KINDS.keys()].join(', ')}, not ${mediaType}`,
    )
  }
  const charset = kind === 'msgpack' ? undefined : charsetOf(contentType)
  if (
    charset !== undefined &&
    charset !== 'utf-8' &&
    charset !== 'utf8' &&
    charset !== 'us-ascii'
  ) {
    throw refused(`${mediaType} is read as UTF-8, not as ${charset.slice(0, 40)}`)
  }
  return kind
}

/** True for the kinds that are read line by line. */
export function isUpload(kind: BodyKind): boolean {
  return kind === 'ndjson' || kind === 'lines'
}

function useInstead(choice: BodyChoice): string {
  const asValue = "-H 'content-type: text/plain' (or what it is) for a body that is one value"
  if (choice === 'value') return `; with curl: ${asValue}`
  const asRecord = '--json \'{"value": …}\' for a record'
  const asLines = '?body=lines with -T FILE for a value a line'
  return `; with curl: ${asRecord}, ${asValue}, ${asLines}`
}

function refused(detail: string): SpoolError {
  return new SpoolError('UNSUPPORTED_MEDIA_TYPE', detail, { outcome: 'refused' })
}
