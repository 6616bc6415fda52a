/**
 * Indents JSON that is at hand as text, for `pretty=true`. Only white space between tokens changes, so
 * that numbers and strings stay as they were stored; parsing and printing would not keep them.
 */

import { SpoolError } from '../../../client/api/errors.ts'

/** Brackets nested 128 deep become a hundred times as long: a page of them would not fit into a string. */
const INDENTED_CHARACTERS_MAX = 64 * 1024 * 1024

const INDENT = '  '

/**
 * `text` is well-formed JSON without white space between tokens at its own levels, or with any. Throws
 * INVALID_REQUEST for one that would become too long.
 */
export function indentJson(text: string): string {
  let out = ''
  let depth = 0
  let at = 0
  const newLine = () => {
    out += `\n${INDENT.repeat(depth)}`
  }
  while (at < text.length) {
    const character = text[at]!
    if (character === '"') {
      const end = endOfString(text, at)
      out += text.slice(at, end)
      at = end
      continue
    }
    at++
    if (out.length > INDENTED_CHARACTERS_MAX) throw tooLong()
    if (character === '{' || character === '[') {
      const next = nextToken(text, at)
      const closing = character === '{' ? '}' : ']'
      if (text[next] === closing) {
        out += character + closing
        at = next + 1
        continue
      }
      out += character
      depth++
      newLine()
    } else if (character === '}' || character === ']') {
      depth--
      newLine()
      out += character
    } else if (character === ',') {
      out += character
      newLine()
    } else if (character === ':') out += ': '
    else if (!isSpace(character)) out += character
  }
  return `${out}\n`
}

function tooLong(): SpoolError {
  return new SpoolError(
    'INVALID_REQUEST',
    `with pretty=true this becomes longer than ${INDENTED_CHARACTERS_MAX} characters; leave it out, or ask for less (limit=, maxBytes=)`,
  )
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function nextToken(text: string, from: number): number {
  let at = from
  while (at < text.length && isSpace(text[at]!)) at++
  return at
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t'
}
