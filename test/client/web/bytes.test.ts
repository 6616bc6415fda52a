/** Bytes as JSON carries them, without Node's own codecs: base64, text, batches of records, lines. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeBase64,
  decodeSlowly,
  encodeBase64,
  encodeSlowly,
  textOf,
} from '../../../client/web/base64.ts'
import { OpenJsonBatch } from '../../../client/web/json-batch.ts'
import { LineReader } from '../../../client/web/line-reader.ts'

const encoder = new TextEncoder()

describe('base64', () => {
  test('is that of everybody else, with the platform’s methods and without', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64')
        expect(encodeBase64(bytes)).toBe(text)
        expect(encodeSlowly(bytes)).toBe(text)
        expect(decodeBase64(text)).toEqual(bytes)
        expect(decodeSlowly(text)).toEqual(bytes)
      }),
    )
  })

  test('of more than one piece', () => {
    const bytes = new Uint8Array(100_000).map((_, index) => index * 7)
    expect(decodeSlowly(encodeSlowly(bytes))).toEqual(bytes)
  })
})

test('text is text only where its UTF-8 is the very bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
      const text = textOf(bytes)
      if (text !== undefined) expect(encoder.encode(text)).toEqual(bytes)
    }),
  )
  const withMark = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)
  expect(textOf(withMark)).toBe('\ufeffa')
  expect(textOf(Uint8Array.of(0xff))).toBeUndefined()
})

describe('a batch', () => {
  const batchOf = (value: Uint8Array | null, key: Uint8Array | null = null) => {
    const batch = new OpenJsonBatch({ compression: 'lz4' })
    batch.append(1_735_689_600_000, key, value, [])
    return batch.seal(undefined)
  }
  const recordIn = (body: string) => JSON.parse(body).records[0]

  test('says text as text, other bytes as base64, and nothing where there is none', () => {
    expect(recordIn(batchOf(encoder.encode('grün "1"')).body)).toEqual({
      value: 'grün "1"',
      timestamp: 1_735_689_600_000,
    })
    expect(recordIn(batchOf(Uint8Array.of(0, 255)).body).value).toEqual({ base64: 'AP8=' })
    expect(recordIn(batchOf(null).body)).toHaveProperty('value', null)
    expect(recordIn(batchOf(null, encoder.encode('')).body).key).toBe('')
  })

  test('keeps headers as pairs, in their order, twice the same name too', () => {
    const batch = new OpenJsonBatch({ compression: 'none' })
    const name = encoder.encode('trace')
    const headers = [
      { name, value: encoder.encode('1') },
      { name, value: null },
      { name, value: Uint8Array.of(0x80) },
    ]
    batch.append(1, null, null, headers)
    expect(recordIn(batch.seal(undefined).body).headers).toEqual([
      ['trace', '1'],
      ['trace', null],
      ['trace', { base64: 'gA==' }],
    ])
    const nameless = [{ name: Uint8Array.of(0xff), value: null }]
    expect(() => batch.append(1, null, null, nameless)).toThrow(/not UTF-8/)
  })

  test('does not grow by more than base64 does, whatever is in it', () => {
    const controls = new Uint8Array(30_000)
    expect(batchOf(controls).body.length).toBeLessThan(41_000)
  })

  test('is sealed again with other numbers', () => {
    const batch = new OpenJsonBatch({ compression: 'lz4' })
    batch.append(1, null, encoder.encode('a'), [])
    const numbers = { producerId: 1, producerEpoch: 0, baseSequence: 5 }
    const first = batch.seal(numbers)
    const second = batch.seal({ ...numbers, producerEpoch: 1, baseSequence: 0 })
    expect(second.body).toBe(first.body)
    expect(second.producer?.baseSequence).toBe(0)
  })

  test('of another compression than the broker gives it is refused', () => {
    expect(() => new OpenJsonBatch({ compression: 'zstd' })).toThrow(/compression/)
  })
})

describe('lines', () => {
  const reading = async (pieces: readonly Uint8Array[], charactersMax?: number) => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece)
        controller.close()
      },
    })
    const reader = new LineReader(body, charactersMax)
    const lines: string[] = []
    for (let next = await reader.next(); next !== undefined; next = await reader.next()) {
      lines.push(...next)
    }
    return lines
  }

  test('come whole, however the bytes were cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '))),
        fc.integer({ min: 1, max: 7 }),
        async (lines, size) => {
          const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(''))
          const pieces: Uint8Array[] = []
          for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size))
          expect(await reading(pieces)).toEqual(lines)
        },
      ),
    )
  })

  test('half a one at the end is none', async () => {
    expect(await reading([encoder.encode('{"a":1}\n{"b":')])).toEqual(['{"a":1}'])
  })

  test('beyond the bound, or of no text, are refused', async () => {
    await expect(reading([encoder.encode('12345'), encoder.encode('6')], 5)).rejects.toThrow(
      /more than 5 characters/,
    )
    await expect(reading([Uint8Array.of(0xff, 0x0a)])).rejects.toThrow(/not UTF-8/)
  })
})
