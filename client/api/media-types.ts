/**
 * Media types: their names, reading a Content-Type, and choosing an answer's type from `Accept`
 * (RFC 9110, section 12.5.1). Pure text work; no route is known here.
 */

export const JSON_TYPE = 'application/json'
export const PROBLEM_TYPE = 'application/problem+json'
export const NDJSON_TYPE = 'application/x-ndjson'
export const MSGPACK_TYPE = 'application/msgpack'
export const BATCHES_TYPE = 'application/vnd.spool.batches'
export const EVENT_STREAM_TYPE = 'text/event-stream'
export const FORM_TYPE = 'application/x-www-form-urlencoded'
export const MULTIPART_TYPE = 'multipart/form-data'
export const TEXT_TYPE = 'text/plain'
export const HTML_TYPE = 'text/html'
export const BYTES_TYPE = 'application/octet-stream'

const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+$/

/**
 * The `type/subtype` of a Content-Type in lower case, without parameters; `undefined` when there is no
 * header; `null` when the header is no media type.
 */
export function mediaTypeOf(contentType: string | undefined): string | null | undefined {
  if (contentType === undefined) return undefined
  const end = contentType.indexOf(';')
  const name = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  return MEDIA_TYPE.test(name) ? name : null
}

/** The `charset` parameter of a Content-Type in lower case, if it has one. */
export function charsetOf(contentType: string | undefined): string | undefined {
  const found = /;\s*charset\s*=\s*"?([^\s;"]+)"?/i.exec(contentType ?? '')
  return found?.[1]?.toLowerCase()
}

interface AcceptedRange {
  readonly type: string
  readonly subtype: string
  readonly quality: number
}

/** An `Accept` beyond this many ranges is cut: nobody reads so many types. */
const ACCEPTED_RANGES_MAX = 64

function parseAccept(accept: string): AcceptedRange[] {
  const ranges: AcceptedRange[] = []
  for (const part of accept.split(',', ACCEPTED_RANGES_MAX)) {
    const [name = '', ...parameters] = part.split(';')
    const [type = '', subtype = ''] = name.trim().toLowerCase().split('/', 2)
    if (type === '' || subtype === '') continue
    ranges.push({ type, subtype, quality: qualityOf(parameters) })
  }
  return ranges
}

function qualityOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const found = /^\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$/i.exec(parameter)
    if (found) return Math.min(1, Number(found[1]))
  }
  return 1
}

/** How well the ranges like one media type: the quality of the most specific range, 0 when none fits. */
function qualityFor(ranges: readonly AcceptedRange[], mediaType: string): number {
  const [type, subtype] = mediaType.split('/', 2)
  let best = { precision: -1, quality: 0 }
  for (const range of ranges) {
    const precision =
      range.type === type && range.subtype === subtype
        ? 2
        : range.type === type && range.subtype === '*'
          ? 1
          : range.type === '*' && range.subtype === '*'
            ? 0
            : -1
    if (precision > best.precision) best = { precision, quality: range.quality }
  }
  return best.quality
}

/**
 * The offer to answer with: the one `accept` likes most, the earlier of two it likes alike, the first
 * when there is no `accept`; `undefined` when none fits (406). Put what a browser should get first.
 */
export function preferredMediaType<Offer extends string>(
  accept: string | undefined,
  offers: readonly Offer[],
): Offer | undefined {
  if (accept === undefined || accept.trim() === '') return offers[0]
  const ranges = parseAccept(accept)
  let best: { offer: Offer; quality: number } | undefined
  for (const offer of offers) {
    const quality = qualityFor(ranges, offer)
    if (quality > 0 && quality > (best?.quality ?? 0)) best = { offer, quality }
  }
  return best?.offer
}

/** True when `accept` names this very type (not only through a wildcard). */
export function acceptsExactly(accept: string | undefined, mediaType: string): boolean {
  if (accept === undefined) return false
  return parseAccept(accept).some(
    (range) => `${range.type}/${range.subtype}` === mediaType && range.quality > 0,
  )
}
