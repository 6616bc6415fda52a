/**
 * A raw value as an HTTP answer: the content type it was produced with, or one told from its bytes, and
 * the headers that keep a browser from running what somebody stored.
 */

import { BYTES_TYPE, JSON_TYPE, mediaTypeOf, TEXT_TYPE } from '../../../client/api/media-types.ts'
import type { RecordHeader } from '../../../storage/record/record.ts'
import { CONTENT_TYPE_NAME } from './raw-headers.ts'
import { isText, structuredJsonKind } from './value-kind.ts'

/** Longer than any content type means anything. */
const CONTENT_TYPE_CHARACTERS_MAX = 256
const VISIBLE_ASCII = /^[\x20-\x7e]*$/

/** The Content-Type the record was produced with, if it is one and may stand in a header. */
function storedContentType(headers: readonly RecordHeader[]): string | undefined {
  const found = headers.find(({ name }) => name.toString('latin1') === CONTENT_TYPE_NAME)
  const text = found?.value?.toString('latin1')
  if (text === undefined || text.length > CONTENT_TYPE_CHARACTERS_MAX) return undefined
  return VISIBLE_ASCII.test(text) && mediaTypeOf(text) !== null ? text : undefined
}

/** The content type of a raw value, and the record headers that it does not already say. */
export function contentOf(
  value: Buffer,
  headers: readonly RecordHeader[],
): { readonly contentType: string; readonly headers: readonly RecordHeader[] } {
  const stored = storedContentType(headers)
  if (stored === undefined) return { contentType: guessedType(value), headers }
  const first = headers.findIndex(({ name }) => name.toString('latin1') === CONTENT_TYPE_NAME)
  return { contentType: stored, headers: headers.filter((_, i) => i !== first) }
}

function guessedType(value: Buffer): string {
  if (structuredJsonKind(value, 0, value.length) !== 'none') return JSON_TYPE
  return isText(value, 0, value.length) ? `${TEXT_TYPE}; charset=utf-8` : BYTES_TYPE
}

/** What every raw value carries, since anybody may have stored it. */
export function safetyHeaders(contentType: string): Record<string, string> {
  const mediaType = mediaTypeOf(contentType) ?? BYTES_TYPE
  const isShown =
    mediaType === TEXT_TYPE ||
    mediaType === JSON_TYPE ||
    (mediaType.startsWith('image/') && mediaType !== 'image/svg+xml')
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    ...(isShown ? {} : { 'content-disposition': 'attachment' }),
  }
}
