/**
 * A pull reader of JSON (RFC 8259) over bytes. It finds where things stand and builds nothing: what a
 * caller wants is the byte range of a member, so that a value can be stored as the very text that came.
 * Every byte is checked on the way, also of what is skipped.
 *
 * Stricter than the grammar, because two readers of such a text would not agree about it: a name that
 * occurs twice in one object, nesting deeper than `JSON_DEPTH_MAX`, a byte order mark. Work is linear in
 * the input.
 *
 * The input must be valid UTF-8; check it with `isUtf8` first (many lines at once, where there are many).
 * It does not decode strings (`json-string.ts`) and knows nothing of records.
 */

import { nameHash, nameText, OpenNames } from './json-names.ts'
import { escapeEnd, numberEnd, space, wordEnd } from './json-tokens.ts'

/** The deepest nesting of arrays and objects that is read. */
export const JSON_DEPTH_MAX = 128

const NOTHING = Buffer.alloc(0)
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')

/** The text is not JSON, or not JSON we read. `at` counts bytes from the start of the text. */
export class JsonError extends Error {
  readonly at: number

  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`)
    this.name = 'JsonError'
    this.at = at
  }
}

/** Reads one text after another; hold one and `open` each. Not for use across an `await`. */
export class JsonReader {
  #bytes: Buffer = NOTHING
  #start = 0
  #end = 0
  #at = 0
  #depth = 0
  readonly #names = new OpenNames()
  /** Where the names of the objects entered by `beginObject` begin, innermost last. */
  readonly #objects: number[] = []
  /** True between the opening bracket and the first member. */
  #isFirst = false

  /** The content of the name `nextMember` found, without its quotes, escapes as they came. */
  nameStart = 0
  nameEnd = 0
  /** True when that name holds an escape, so that its bytes are not its text. */
  nameHasEscape = false
  /** The value `skip` passed: [valueStart, valueEnd), no white space around it. */
  valueStart = 0
  valueEnd = 0

  /** Begins the text at [start, end) of `bytes`. */
  open(bytes: Buffer, start = 0, end = bytes.length): void {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#at = start
    this.#depth = 0
    this.#isFirst = false
    this.#objects.length = 0
    this.#names.clear()
    if (end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb) {
      this.#fail('a byte order mark, which JSON does not have,', start)
    }
  }

  /** Lets go of the bytes, which may be large. */
  release(): void {
    this.#bytes = NOTHING
    this.#at = 0
    this.#end = 0
  }

  /** Where reading stands in `bytes`: after `peek` the next value's first byte, after `skip` its end. */
  get position(): number {
    return this.#at
  }

  /** The first byte of the next value; it is not passed. */
  peek(): number {
    this.#skipSpace()
    if (this.#at >= this.#end) this.#fail('the text ends where a value is expected', this.#at)
    return this.#bytes[this.#at]!
  }

  /** Enters the object that `peek` saw. */
  beginObject(): void {
    this.#enter()
    this.#objects.push(this.#names.top)
  }

  /** Enters the array that `peek` saw. */
  beginArray(): void {
    this.#enter()
  }

  /** Moves to the next member's value and gives its name; false after the last, having left the object. */
  nextMember(): boolean {
    if (!this.#next(CLOSE_OBJECT)) {
      this.#names.close(this.#objects.pop() ?? 0)
      return false
    }
    this.#at = this.#readName(this.#objects[this.#objects.length - 1] ?? 0, this.#at)
    return true
  }

  /** Moves to the next element; false after the last, having left the array. */
  nextElement(): boolean {
    return this.#next(CLOSE_ARRAY)
  }

  /** Passes one value of any kind, checking it. */
  skip(): void {
    this.#skipSpace()
    this.valueStart = this.#at
    this.#at = this.#skipValue(this.#at, this.#depth)
    this.valueEnd = this.#at
  }

  /** Checks that nothing but white space is left. */
  finish(): void {
    this.#skipSpace()
    if (this.#at < this.#end) this.#fail('more text after the value', this.#at)
  }

  /** True when the name `nextMember` found is `name` (UTF-8, without escapes). */
  nameIs(name: Buffer): boolean {
    if (this.nameHasEscape) return this.name() === name.toString()
    if (this.nameEnd - this.nameStart !== name.length) return false
    const bytes = this.#bytes
    for (let i = 0; i < name.length; i++) {
      if (bytes[this.nameStart + i] !== name[i]) return false
    }
    return true
  }

  /** The name `nextMember` found, as a string. */
  name(): string {
    return nameText(this.#bytes, this.nameStart, this.nameEnd)
  }

  #enter(): void {
    this.#at++
    if (++this.#depth > JSON_DEPTH_MAX) this.#failDeep(this.#at)
    this.#isFirst = true
  }

  #next(close: number): boolean {
    this.#skipSpace()
    const byte = this.#at < this.#end ? this.#bytes[this.#at]! : -1
    if (byte === close) {
      this.#at++
      this.#depth--
      this.#isFirst = false
      return false
    }
    if (this.#isFirst) {
      this.#isFirst = false
      return true
    }
    if (byte !== COMMA) this.#failAt(this.#at, `"," or "${String.fromCharCode(close)}"`)
    this.#at++
    return true
  }

  /** Reads `"name" :` from `at`, checks that it is new in its object, returns where the value may begin. */
  #readName(first: number, from: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let at = space(bytes, from, end)
    if (at >= end || bytes[at] !== QUOTE) this.#failAt(at, 'a name in quotes')
    const start = ++at
    let hash = 0
    let hasEscape = false
    for (;;) {
      if (at >= end) this.#fail('a string without an end', start - 1)
      const byte = bytes[at]!
      if (byte === QUOTE) break
      if (byte < 0x20) this.#failControl(at)
      if (byte === BACKSLASH) {
        hasEscape = true
        at = this.#skipEscape(at)
      } else {
        hash = (Math.imul(hash, 31) + byte) | 0
        at++
      }
    }
    this.nameStart = start
    this.nameEnd = at
    this.nameHasEscape = hasEscape
    if (hasEscape) hash = nameHash(nameText(bytes, start, at))
    if (!this.#names.add(bytes, first, start, at, hash)) {
      this.#fail(
        `the name ${JSON.stringify(shorten(nameText(bytes, start, at)))} a second time`,
        start - 1,
      )
    }
    at = space(bytes, at + 1, end)
    if (at >= end || bytes[at] !== COLON) this.#failAt(at, '":"')
    return at + 1
  }

  #skipValue(at: number, depth: number): number {
    if (at >= this.#end) this.#fail('the text ends where a value is expected', at)
    const byte = this.#bytes[at]!
    if (byte === QUOTE) return this.#skipString(at + 1)
    if (byte === OPEN_OBJECT) return this.#skipObject(at + 1, depth + 1)
    if (byte === OPEN_ARRAY) return this.#skipArray(at + 1, depth + 1)
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return this.#skipNumber(at)
    if (byte === 0x74) return this.#skipWord(at, TRUE)
    if (byte === 0x66) return this.#skipWord(at, FALSE)
    if (byte === 0x6e) return this.#skipWord(at, NULL)
    return this.#failAt(at, 'a value')
  }

  #skipObject(from: number, depth: number): number {
    if (depth > JSON_DEPTH_MAX) this.#failDeep(from)
    const bytes = this.#bytes
    const end = this.#end
    const first = this.#names.top
    let at = space(bytes, from, end)
    if (at < end && bytes[at] === CLOSE_OBJECT) return at + 1
    for (;;) {
      at = space(bytes, this.#readName(first, at), end)
      at = space(bytes, this.#skipValue(at, depth), end)
      const byte = at < end ? bytes[at]! : -1
      if (byte === CLOSE_OBJECT) break
      if (byte !== COMMA) this.#failAt(at, '"," or "}"')
      at++
    }
    this.#names.close(first)
    return at + 1
  }

  #skipArray(from: number, depth: number): number {
    if (depth > JSON_DEPTH_MAX) this.#failDeep(from)
    const bytes = this.#bytes
    const end = this.#end
    let at = space(bytes, from, end)
    if (at < end && bytes[at] === CLOSE_ARRAY) return at + 1
    for (;;) {
      at = space(bytes, this.#skipValue(at, depth), end)
      const byte = at < end ? bytes[at]! : -1
      if (byte === CLOSE_ARRAY) return at + 1
      if (byte !== COMMA) this.#failAt(at, '"," or "]"')
      at = space(bytes, at + 1, end)
    }
  }

  #skipNumber(at: number): number {
    const end = numberEnd(this.#bytes, at, this.#end)
    return end < 0 ? this.#fail('a number that JSON does not have', at) : end
  }

  #skipWord(at: number, word: Buffer): number {
    const end = wordEnd(this.#bytes, at, this.#end, word)
    return end < 0 ? this.#failAt(at, 'a value') : end
  }

  /** From the byte after the opening quote to the one after the closing quote. */
  #skipString(from: number): number {
    const bytes = this.#bytes
    const end = this.#end
    let at = from
    while (at < end) {
      const byte = bytes[at]!
      if (byte === QUOTE) return at + 1
      if (byte === BACKSLASH) at = this.#skipEscape(at)
      else if (byte < 0x20) this.#failControl(at)
      else at++
    }
    return this.#fail('a string without an end', from - 1)
  }

  #skipEscape(at: number): number {
    const end = escapeEnd(this.#bytes, at, this.#end)
    return end < 0 ? this.#fail('an escape that JSON does not have', at) : end
  }

  #skipSpace(): void {
    this.#at = space(this.#bytes, this.#at, this.#end)
  }

  #failAt(at: number, expected: string): never {
    if (at >= this.#end) this.#fail(`the text ends where ${expected} is expected`, at)
    const byte = this.#bytes[at]!
    const found =
      byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16)}`
    return this.#fail(`${found} where ${expected} is expected`, at)
  }

  #failControl(at: number): never {
    return this.#fail('a control character inside a string (it must be escaped)', at)
  }

  #failDeep(at: number): never {
    return this.#fail(`nesting deeper than ${JSON_DEPTH_MAX}`, at)
  }

  #fail(what: string, at: number): never {
    throw new JsonError(what, at - this.#start)
  }
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`
}
