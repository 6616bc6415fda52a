/** What records hold in a bench: bytes that do not compress, or JSON that does, of one exact size. */

import { SeededRandom } from '../../test/rigs/random.ts'

export type PayloadKind = 'random' | 'json'

/** As many words as a log's messages have; text of them compresses to about a third. */
const WORDS = 400
const SYLLABLES = ['re', 'con', 'ser', 'ta', 'mo', 'li', 'ness', 'or', 'per', 'un', 'ed', 'ing']

/** `count` different values of `bytes` each. */
export function payloads(kind: PayloadKind, bytes: number, count: number, seed: number): Buffer[] {
  const random = new SeededRandom(seed)
  if (kind === 'random') return Array.from({ length: count }, () => random.bytes(bytes))
  const words = Array.from({ length: WORDS }, () =>
    Array.from({ length: random.between(1, 4) }, () => random.pick(SYLLABLES)).join(''),
  )
  return Array.from({ length: count }, (_, at) => jsonOf(bytes, at, words, random))
}

function jsonOf(bytes: number, at: number, words: readonly string[], random: SeededRandom): Buffer {
  const user = `u${random.below(50_000)}`
  const front = `{"id":${at},"user":"${user}","status":${random.pick([200, 304, 404])},"text":"`
  const end = '"}'
  const room = Math.max(0, bytes - front.length - end.length)
  let text = ''
  while (text.length < room) text += `${random.pick(words)} `
  return Buffer.from(front + text.slice(0, room) + end).subarray(0, bytes)
}
