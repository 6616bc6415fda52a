/** Text written straight into a batch is, byte for byte, its UTF-8 appended. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'

const records = fc.array(
  fc.record({
    timestamp: fc.integer({ min: 0, max: 2 ** 40 }),
    key: fc.option(fc.uint8Array({ maxLength: 40 })),
    text: fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      // Around the sizes where it goes another way, or a length takes a byte more.
      fc.nat({ max: 20 }).map((over) => 'é'.repeat(16 * 1024 - 10 + over)),
      fc.nat({ max: 200 }).map((length) => 'a'.repeat(length)),
    ),
    headers: fc.array(fc.record({ name: fc.uint8Array(), value: fc.option(fc.uint8Array()) }), {
      maxLength: 2,
    }),
  }),
  { minLength: 1, maxLength: 20 },
)

test('a batch of texts is the batch of their bytes', () => {
  fc.assert(
    fc.property(records, (given) => {
      const ofText = new BatchBuilder({ compression: 'none', initialBytes: 64 })
      const ofBytes = new BatchBuilder({ compression: 'none' })
      for (const { timestamp, key, text, headers } of given) {
        ofText.appendText(timestamp, key, text, headers)
        ofBytes.append(timestamp, key, Buffer.from(text), headers)
      }
      expect(ofText.sizeBytes).toBe(ofBytes.sizeBytes)
      expect(ofText.build().equals(ofBytes.build())).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('a refused timestamp leaves the batch as it was', () => {
  const builder = new BatchBuilder({ compression: 'none' })
  builder.appendText(1, null, 'one')
  const before = builder.build()
  expect(() => builder.appendText(0.5, null, 'two')).toThrow(RangeError)
  expect(builder.build().equals(before)).toBe(true)
})
