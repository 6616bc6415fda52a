/**
 * A line of a POSIX shell as its words, as far as completing needs it: quotes and backslashes are taken
 * off, and the last word may still be open. Nothing is expanded. Pure.
 */

/** The words of the last command on the line; the last one is what the cursor stands at, maybe empty. */
export function shellWords(line: string): readonly string[] {
  let words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!
    if (character === '\\' && quote !== "'") {
      at++
      word = (word ?? '') + (line[at] ?? '')
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else word += character
    } else if (character === "'" || character === '"') {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (/[|;&]/.test(character)) {
      words = []
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  return [...words, word ?? '']
}
