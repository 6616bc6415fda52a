/**
 * What stored bytes are, for showing them: JSON that every reader would understand alike, text, or
 * neither. Nothing says it when records are written, so it is looked at when they are read.
 */

import { isUtf8 } from 'node:buffer'
import { JsonError, JsonReader } from './json-reader.ts'

/** `base64Object`: JSON, and an object whose only name is `base64`. */
export type JsonKind = 'json' | 'base64Object' | 'none'

const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const BASE64 = Buffer.from('base64')

/** Looking never pauses, so one reader serves everybody. */
const reader = new JsonReader()

/** Whether [start, end) is one JSON text, of any kind; a name twice or too deep nesting is `none`. */
export function jsonKind(bytes: Buffer, start: number, end: number): JsonKind {
  if (!isText(bytes, start, end)) return 'none'
  try {
    reader.open(bytes, start, end)
    if (reader.peek() !== OPEN_OBJECT) {
      reader.skip()
      reader.finish()
      return 'json'
    }
    reader.beginObject()
    let names = 0
    let hasBase64 = false
    for (; reader.nextMember(); names++) {
      hasBase64 ||= reader.nameIs(BASE64)
      reader.skip()
    }
    reader.finish()
    return names === 1 && hasBase64 ? 'base64Object' : 'json'
  } catch (error) {
    if (error instanceof JsonError) return 'none'
    throw error
  } finally {
    reader.release()
  }
}

/** As `jsonKind`, but `none` for what is JSON and neither an object nor an array. */
export function structuredJsonKind(bytes: Buffer, start: number, end: number): JsonKind {
  let at = start
  while (at < end && isSpace(bytes[at]!)) at++
  const first = at < end ? bytes[at]! : -1
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return 'none'
  return jsonKind(bytes, start, end)
}

/** True for valid UTF-8; the native check is asked only where a byte is not ASCII. */
export function isText(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at]! >= 0x80) return isUtf8(bytes.subarray(at, end))
  }
  return true
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}
