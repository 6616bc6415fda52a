/**
 * Indents JSON that is at hand as text, for `pretty=true`. Only white space between tokens changes, so
 * that numbers and strings stay as they were stored; parsing and printing would not keep them.
 */

const INDENT = '  '

/** `text` is well-formed JSON without white space between tokens at its own levels, or with any. */
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
