/** Bytes typed as text: `\n`, `\t`, `\r`, `\0`, `\\` and `\xNN`, as kcat takes them in `-D`, `-K` and `-f`. Pure. */

import { UsageError } from './usage-error.ts'

const SHORT: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/**
 * The bytes that `text` means; what is no escape is its UTF-8. `option` is where it stood.
 *
 * @throws UsageError naming the option, the text and the escapes there are.
 */
export function unescapeBytes(text: string, option: string): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', from)) {
    parts.push(Buffer.from(text.slice(from, at)))
    const letter = text[at + 1] ?? ''
    if (letter === 'x') {
      const digits = /^[0-9a-fA-F]{2}/.exec(text.slice(at + 2))?.[0]
      if (digits === undefined) throw refused(text, option, text.slice(at, at + 4))
      parts.push(Buffer.from(digits, 'hex'))
      from = at + 4
      continue
    }
    const short = SHORT[letter]
    if (short === undefined) throw refused(text, option, text.slice(at, at + 2))
    parts.push(Buffer.from(short))
    from = at + 2
  }
  parts.push(Buffer.from(text.slice(from)))
  return Buffer.concat(parts)
}

function refused(text: string, option: string, wrong: string): UsageError {
  return new UsageError(
    `${option} ${JSON.stringify(text)}: ${wrong} is no escape; there are \\n \\r \\t \\0 \\\\ and \\xNN with two hex digits`,
  )
}
