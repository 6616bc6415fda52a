/**
 * One walk over the markers of a MessagePack text before anything is unpacked: no extensions (a library
 * would turn them into objects of its choice), no reserved marker, strings valid UTF-8, bounded depth,
 * counts that the bytes can hold, nothing after the value. It allocates nothing and is linear. Without
 * it a five-byte array header could ask for 2^32 - 1 elements. Imports no Node module.
 */

/** The deepest nesting of arrays and maps that is read. */
export const MSGPACK_DEPTH_MAX = 128

/** The bytes are not MessagePack, or not the plain MessagePack we read. */
export class MsgpackError extends Error {
  readonly at: number

  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`)
    this.name = 'MsgpackError'
    this.at = at
  }
}

/**
 * Checks that `bytes` is one plain MessagePack value. Throws `MsgpackError`. Returns how many names its
 * maps have together, so that whoever unpacks it can tell that none was lost to another of the same name.
 * `isUtf8` is for Node, whose own is many times faster than what every platform has.
 */
export function checkMsgpack(
  bytes: Uint8Array,
  isUtf8: (bytes: Uint8Array) => boolean = isUtf8Anywhere,
): number {
  // Values still to come at each level that is open.
  const open = new Float64Array(MSGPACK_DEPTH_MAX + 1)
  let depth = 0
  let at = 0
  let names = 0
  open[0] = 1
  for (;;) {
    while (open[depth] === 0) {
      if (depth === 0) {
        if (at < bytes.length) throw new MsgpackError('more bytes after the value', at)
        return names
      }
      depth--
    }
    open[depth]!--
    if (at >= bytes.length) throw new MsgpackError('the bytes end inside a value', at)
    const start = at
    const { bytes: length, values, isText } = sizeAt(bytes, at)
    at += length
    if (at > bytes.length) throw new MsgpackError('a length beyond the end', start)
    if (isText && !isUtf8(bytes.subarray(textStart(bytes, start), at))) {
      throw new MsgpackError('a string that is not valid UTF-8', start)
    }
    if (values === 0) continue
    if (values > bytes.length - at) throw new MsgpackError('a count beyond the end', start)
    if (++depth > MSGPACK_DEPTH_MAX) {
      throw new MsgpackError(`nesting deeper than ${MSGPACK_DEPTH_MAX}`, start)
    }
    open[depth] = values
    if (isMap(bytes[start]!)) names += values / 2
  }
}

const strict = new TextDecoder('utf-8', { fatal: true })

function isUtf8Anywhere(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

function isMap(marker: number): boolean {
  return (marker >= 0x80 && marker <= 0x8f) || marker === 0xde || marker === 0xdf
}

interface Size {
  /** Of the marker and what belongs to it, without nested values. */
  readonly bytes: number
  /** Nested values that follow: elements, or names and values. */
  readonly values: number
  readonly isText: boolean
}

function scalar(bytes: number): Size {
  return { bytes, values: 0, isText: false }
}

const SCALARS: readonly Size[] = [1, 2, 3, 5, 9].map(scalar)
const [ONE, TWO, THREE, FIVE, NINE] = SCALARS as [Size, Size, Size, Size, Size]

/** What the marker at `at` says. A marker cut off by the end yields a size beyond the end. */
function sizeAt(bytes: Uint8Array, at: number): Size {
  const marker = bytes[at]!
  if (marker <= 0x7f || marker >= 0xe0) return ONE
  if (marker <= 0x8f) return { bytes: 1, values: (marker & 0x0f) * 2, isText: false }
  if (marker <= 0x9f) return { bytes: 1, values: marker & 0x0f, isText: false }
  if (marker <= 0xbf) return { bytes: 1 + (marker & 0x1f), values: 0, isText: true }
  switch (marker) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return ONE
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return scalar(1 + (1 << (marker - 0xc4)) + unsigned(bytes, at + 1, 1 << (marker - 0xc4)))
    case 0xca:
    case 0xce:
    case 0xd2:
      return FIVE
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return NINE
    case 0xcc:
    case 0xd0:
      return TWO
    case 0xcd:
    case 0xd1:
      return THREE
    case 0xd9:
    case 0xda:
    case 0xdb: {
      const width = 1 << (marker - 0xd9)
      return { bytes: 1 + width + unsigned(bytes, at + 1, width), values: 0, isText: true }
    }
    case 0xdc:
    case 0xdd: {
      const width = marker === 0xdc ? 2 : 4
      return { bytes: 1 + width, values: unsigned(bytes, at + 1, width), isText: false }
    }
    case 0xde:
    case 0xdf: {
      const width = marker === 0xde ? 2 : 4
      return { bytes: 1 + width, values: unsigned(bytes, at + 1, width) * 2, isText: false }
    }
    case 0xc1:
      throw new MsgpackError('the marker 0xc1, which is never used,', at)
    default:
      throw new MsgpackError(`an extension (marker 0x${marker.toString(16)}), not read here,`, at)
  }
}

/** Big-endian; 0 where the bytes end first (the size then reaches beyond the end by itself). */
function unsigned(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) return 0
  let value = 0
  for (let i = at; i < at + width; i++) value = value * 256 + bytes[i]!
  return value
}

/** Where the content of the string whose marker is at `at` begins. */
export function textStart(bytes: Uint8Array, at: number): number {
  const marker = bytes[at]!
  return marker <= 0xbf ? at + 1 : at + 1 + (1 << (marker - 0xd9))
}
