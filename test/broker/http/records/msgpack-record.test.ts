/** Records in MessagePack: hostile bytes are refused before anything is built, the rest is stored exactly. */

import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { readMsgpackBody } from '../../../../broker/http/records/msgpack-record.ts'
import type {
  ProducedRecord,
  ValueReading,
} from '../../../../broker/http/records/produced-record.ts'
import {
  checkMsgpack,
  MSGPACK_DEPTH_MAX,
  MsgpackError,
} from '../../../../client/api/msgpack-check.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true })
const pack = (value: unknown) => Buffer.from(packr.pack(value))

function read(bytes: Buffer, as: ValueReading = 'auto') {
  const fates: (ProducedRecord | string)[] = []
  readMsgpackBody(
    bytes,
    as,
    (record) => fates.push(record),
    (refusal) => fates.push(`${refusal.code}: ${refusal.message}`),
  )
  return fates
}

const storedValue = (value: unknown, as?: ValueReading) => {
  const [fate] = read(pack({ value }), as)
  return typeof fate === 'string' ? fate : (fate?.value?.toString() ?? null)
}

describe('the walk over the markers', () => {
  it('passes what a library packs', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => checkMsgpack(pack(value))).not.toThrow()
      }),
    )
    expect(() =>
      checkMsgpack(pack([2n ** 63n, -(2n ** 63n), 2 ** 40, 0.5, -1, -200, 70_000])),
    ).not.toThrow()
    expect(() => checkMsgpack(pack('x'.repeat(70_000)))).not.toThrow()
    expect(() => checkMsgpack(pack(Array(70_000).fill(0)))).not.toThrow()
  })

  it('answers any bytes with a value or a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          read(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(MsgpackError)
        }
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['nothing', []],
    ['an extension', [0xd4, 1, 0]],
    ['an extension of 8 bits', [0xc7, 1, 5, 0]],
    ['a timestamp', [0xd6, 0xff, 0, 0, 0, 0]],
    ['the unused marker', [0xc1]],
    ['an array of 2^32 - 1', [0xdd, 255, 255, 255, 255]],
    ['a map of 2^32 - 1', [0xdf, 255, 255, 255, 255]],
    ['a string of 2^32 - 1 bytes', [0xdb, 255, 255, 255, 255]],
    ['a binary beyond the end', [0xc4, 5, 1]],
    ['a cut length', [0xc6, 0]],
    ['a string that is not UTF-8', [0xa1, 0xff]],
    ['something after the value', [0xc0, 0xc0]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => checkMsgpack(Buffer.from(bytes))).toThrow(MsgpackError)
  })

  it('bounds the depth', () => {
    const nested = (depth: number) => Buffer.from([...Array(depth).fill(0x91), 0xc0])
    expect(() => checkMsgpack(nested(MSGPACK_DEPTH_MAX))).not.toThrow()
    expect(() => checkMsgpack(nested(MSGPACK_DEPTH_MAX + 1))).toThrow('deeper')
    expect(() => checkMsgpack(Buffer.alloc(1_000_000, 0x91))).toThrow('deeper')
  })
})

describe('what is stored', () => {
  it('is binary and text as their bytes', () => {
    const record = {
      key: Buffer.from([1, 255]),
      value: Buffer.from([0, 254]),
      headers: { h: Buffer.from([9]) },
    }
    expect(read(pack(record))).toEqual([
      {
        key: record.key,
        value: record.value,
        headers: [{ name: Buffer.from('h'), value: Buffer.from([9]) }],
        partition: -1,
        timestamp: -1,
      },
    ])
    expect(storedValue('hé')).toBe('hé')
    expect(storedValue(null)).toBeNull()
    expect(storedValue({ base64: 'aGk=' })).toBe('hi')
  })

  it('is JSON text for the rest, big integers exact', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(value !== null && typeof value !== 'string')
        expect(JSON.parse(storedValue(value) as string)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(storedValue([2n ** 63n, -(2n ** 63n)])).toBe(
      '[9223372036854775808,-9223372036854775808]',
    )
    expect(storedValue('x', 'json')).toBe('"x"')
    expect(storedValue({ base64: 'aGk=' }, 'json')).toBe('{"base64":"aGk="}')
  })

  it('is nothing where JSON has no word for it', () => {
    expect(storedValue([Number.NaN])).toContain('INVALID_RECORD')
    expect(storedValue([Buffer.from('x')])).toContain('INVALID_RECORD')
    expect(storedValue(Buffer.from('x'), 'json')).toContain('INVALID_RECORD')
    expect(storedValue(new Map([[1, 2]]))).toContain('INVALID_RECORD')
  })

  it('has integer keys as decimal text', () => {
    const storedKey = (key: unknown) => {
      const [fate] = read(pack({ key, value: 0 }))
      return typeof fate === 'string' ? fate : fate?.key?.toString()
    }
    expect(storedKey(42)).toBe('42')
    expect(storedKey(-300)).toBe('-300')
    expect(storedKey(2n ** 63n)).toBe('9223372036854775808')
    expect(storedKey(1.5)).toContain('INVALID_RECORD')
    expect(storedKey(true)).toContain('INVALID_RECORD')
  })

  it('takes times as 64-bit integers, not as floats', () => {
    expect(read(pack({ value: 0, timestamp: 1_700_000_000_000n }))).toMatchObject([
      { timestamp: 1_700_000_000_000 },
    ])
    expect(read(pack({ value: 0, timestamp: 2 ** 40 }))[0]).toContain('pack it as int64')
    expect(read(pack({ value: 0, timestamp: 2n ** 60n }))[0]).toContain('INVALID_TIMESTAMP')
    expect(read(pack({ value: 0, partition: -1 }))[0]).toContain('INVALID_RECORD')
  })
})

describe('a body', () => {
  it('tells the fate of every record in its place', () => {
    expect(read(pack({ records: [{ value: 'a' }, 7, { valu: 1 }, { value: 'b' }] }))).toMatchObject(
      [
        { value: Buffer.from('a') },
        expect.stringContaining('a record is a map'),
        expect.stringContaining('"valu" is not part'),
        { value: Buffer.from('b') },
      ],
    )
  })

  it('with a name twice is refused', () => {
    const twice = Buffer.concat([
      Buffer.from([0x82]),
      ...[1, 2].flatMap((n) => [pack('value'), pack(n)]),
    ])
    expect(read(twice)[0]).toContain('a second time')
  })
})
