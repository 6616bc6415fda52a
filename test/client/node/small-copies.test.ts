/** Copies of bytes in Node: equal to what they were made of, and nobody else's. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copyIntoSlab } from '../../../client/node/small-copies.ts'

test('copies of any sizes keep their bytes, whatever is done to their neighbours and their source', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 30 }), (all) => {
      const copies = all.map((bytes, index) => {
        const around = Buffer.concat([Buffer.alloc(index), bytes, Buffer.alloc(3)])
        const copied = copyIntoSlab(around, index, index + bytes.length)
        around.fill(0xee)
        return copied
      })
      expect(copies.map((it) => [...it])).toEqual(all.map((it) => [...it]))
      copies.forEach((copied, index) => {
        copied.fill(index)
      })
      copies.forEach((copied, index) => {
        expect(copied.every((byte) => byte === index)).toBe(true)
      })
    }),
  )
})

test('takes any view, and gives plain bytes', () => {
  const plain = Uint8Array.of(1, 2, 3, 4).subarray(1)
  expect(copyIntoSlab(plain, 1, 3)).toStrictEqual(Uint8Array.of(3, 4))
  expect(copyIntoSlab(Buffer.from(plain), 1, 3)).toStrictEqual(Uint8Array.of(3, 4))
})

test('a copy sent to another thread takes nothing from the others', () => {
  const source = Uint8Array.of(1, 2, 3)
  const [first, second] = [copyIntoSlab(source, 0, 3), copyIntoSlab(source, 0, 2)]
  expect(() => structuredClone(first, { transfer: [first.buffer as ArrayBuffer] })).toThrow()
  expect([...second]).toEqual([1, 2])
})
