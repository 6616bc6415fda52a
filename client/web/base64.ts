/**
 * Base64 (RFC 4648, section 4) between bytes and text, and text that stands for bytes exactly. By the
 * platform's own `Uint8Array` methods where they are there, else by `btoa` and `atob`, which every
 * browser and runtime has. Nothing here knows what the bytes mean.
 */

/** What newer platforms put on `Uint8Array` (ECMAScript "Uint8Array to/from base64"). */
interface Encoding {
  toBase64?(): string
}
interface Decoding {
  fromBase64?(text: string): Uint8Array
}

/** Arguments of one call of `String.fromCharCode`: engines bound them, and 64 Ki is below all bounds. */
const CHARACTERS_AT_ONCE = 16 * 1024

export function encodeBase64(bytes: Uint8Array): string {
  return (bytes as Encoding).toBase64?.() ?? encodeSlowly(bytes)
}

/** The bytes that padded base64 stands for. Throws where it is none (`SyntaxError`, `DOMException`). */
export function decodeBase64(text: string): Uint8Array {
  return (Uint8Array as Decoding).fromBase64?.(text) ?? decodeSlowly(text)
}

/** As `encodeBase64`, where the platform has no method for it. */
export function encodeSlowly(bytes: Uint8Array): string {
  let characters = ''
  for (let at = 0; at < bytes.length; at += CHARACTERS_AT_ONCE) {
    characters += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS_AT_ONCE))
  }
  return btoa(characters)
}

/** As `decodeBase64`, where the platform has no method for it. */
export function decodeSlowly(text: string): Uint8Array {
  const characters = atob(text)
  const bytes = new Uint8Array(characters.length)
  for (let at = 0; at < bytes.length; at++) bytes[at] = characters.charCodeAt(at)
  return bytes
}

/** Keeps a byte order mark: text that comes back must be the same bytes. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** The text whose UTF-8 these very bytes are, or `undefined` when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** The UTF-8 of a text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}
