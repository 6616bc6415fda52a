/** What records hold in a bench: bytes that do not compress, or JSON that does, of one exact size. */

import { SeededRandom } from '../../test/rigs/random.ts'

export type PayloadKind = 'random' | 'json'

const LOREM = 'the quick brown fox jumps over the lazy dog and then it sleeps in the warm sun '

/** `count` different values of `bytes` each. */
export function payloads(kind: PayloadKind, bytes: number, count: number, seed: number): Buffer[] {
  const random = new SeededRandom(seed)
  return Array.from({ length: count }, (_, at) =>
    kind === 'random' ? random.bytes(bytes) : jsonOf(bytes, at, random),
  )
}

function jsonOf(bytes: number, at: number, random: SeededRandom): Buffer {
  const user = `u${random.below(50_000)}`
  const front = `{"id":${at},"user":"${user}","status":${random.pick([200, 304, 404])},"text":"`
  const end = '"}'
  const room = Math.max(0, bytes - front.length - end.length)
  const from = random.below(LOREM.length)
  const text = LOREM.repeat(Math.ceil((room + LOREM.length) / LOREM.length)).slice(
    from,
    from + room,
  )
  return Buffer.from(front + text + end).subarray(0, bytes)
}
