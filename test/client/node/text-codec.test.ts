/** Node's own way between text and UTF-8 says the same as what every platform has. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeTextCodec } from '../../../client/node/text-codec.ts'

const encoder = new TextEncoder()

function strictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

test('encodes any well-formed text as everybody does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect([...nodeTextCodec.encode(text)]).toEqual([...encoder.encode(text)])
      expect(strictly(nodeTextCodec.encode(text))).toBe(text)
    }),
  )
})

/** Well-formed, broken, and near the edges of both. */
const anyBytes = fc.oneof(
  fc.uint8Array(),
  fc.string({ unit: 'binary' }).map((text) => encoder.encode(text)),
  fc
    .tuple(fc.string({ unit: 'binary', minLength: 1 }), fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([text, at, byte]) => {
      const bytes = encoder.encode(text)
      bytes[at % bytes.length] = byte
      return bytes
    }),
)

test('decodes what is UTF-8, and says of the rest that it is none', () => {
  fc.assert(
    fc.property(anyBytes, fc.nat({ max: 5 }), fc.nat({ max: 5 }), (bytes, before, behind) => {
      const around = new Uint8Array(before + bytes.length + behind).fill(0xc3)
      around.set(bytes, before)
      const end = before + bytes.length
      const expected = strictly(bytes)
      expect(nodeTextCodec.decode(around, before, end)).toBe(expected)
      expect(nodeTextCodec.decode(Buffer.from(around), before, end)).toBe(expected)
    }),
    { numRuns: 1_000 },
  )
})

test('a byte order mark and a replacement character are text as any other', () => {
  for (const text of ['\ufeffx', 'a\ufffdb', '']) {
    const bytes = encoder.encode(text)
    expect(nodeTextCodec.decode(bytes, 0, bytes.length)).toBe(text)
  }
})
