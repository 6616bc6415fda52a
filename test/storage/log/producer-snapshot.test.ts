/** The `.snapshot` file: Kafka's version 1, byte for byte, and what of ours follows it. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
} from '../../../storage/log/producer-snapshot.ts'
import { type ProducedBatch, ProducerState } from '../../../storage/log/producer-state.ts'
import { crc32c } from '../../../storage/record/crc32c.ts'
import { type Offset, toOffset } from '../../../storage/record/offsets.ts'

const LIMITS = { producersMax: 1_000, expirationMs: 86_400_000 }
const EVERYTHING = toOffset(Number.MAX_SAFE_INTEGER)

function stateOf(producers: readonly [number, ProducedBatch[]][]): ProducerState {
  const state = new ProducerState(LIMITS)
  for (const [id, batches] of producers) state.restore(id, batches)
  return state
}

const produced = (lastSequence: number, lastOffset: number, offsetDelta = 0, epoch = 0) => ({
  epoch,
  lastSequence,
  lastOffset: toOffset(lastOffset),
  offsetDelta,
  appendedAtMs: 1_700_000_000_000 + lastOffset,
})

const producedBatch = fc.record({
  epoch: fc.integer({ min: 0, max: 32_767 }),
  lastSequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  lastOffset: fc
    .maxSafeNat()
    .map((offset) => Math.min(offset, Number.MAX_SAFE_INTEGER - 1) as Offset),
  offsetDelta: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  appendedAtMs: fc.maxSafeNat(),
})

const producers = fc.uniqueArray(
  fc.tuple(fc.maxSafeNat(), fc.array(producedBatch, { minLength: 1, maxLength: 5 })),
  { maxLength: 20, selector: ([id]) => id },
)

test('any state comes back from its snapshot, in its order', () => {
  fc.assert(
    fc.property(producers, (entries) => {
      const bytes = encodeProducerSnapshot(stateOf(entries), EVERYTHING)
      const again = new ProducerState(LIMITS)
      expect(decodeProducerSnapshot(bytes, again)).toBeUndefined()
      expect([...again.entries()]).toEqual(entries)
    }),
  )
})

test('a snapshot of one producer with two batches, byte for byte', () => {
  const state = stateOf([[4_711, [produced(9, 109, 9), produced(11, 111, 1)]]])
  const bytes = encodeProducerSnapshot(state, EVERYTHING)
  const crc = bytes.toString('hex', 2, 6)
  expect(bytes.toString('hex')).toBe(
    [
      '0001', // version
      crc,
      '00000001', // one producer
      '0000000000001267', // producer id 4711
      '0000', // epoch
      '0000000b', // last sequence 11
      '000000000000006f', // last offset 111
      '00000001', // offset delta
      '0000018bcfe5686f', // timestamp 1700000000111
      'ffffffff', // coordinator epoch: none
      'ffffffffffffffff', // no transaction
      '01', // ours: one earlier batch
      '0000', // its epoch
      '00000009', // last sequence 9
      '000000000000006d', // last offset 109
      '00000009', // offset delta
      '0000018bcfe5686d', // timestamp 1700000000109
    ].join(''),
  )
  expect(Number.parseInt(crc, 16)).toBe(crc32c(bytes.subarray(6)))
})

/** As Kafka's ProducerStateManager reads version 1: CRC over the rest, then the counted entries, no more. */
function readAsKafka(bytes: Buffer) {
  expect(bytes.readInt16BE(0)).toBe(1)
  expect(bytes.readUInt32BE(2)).toBe(crc32c(bytes.subarray(6)))
  const entries = []
  let at = 10
  for (let left = bytes.readInt32BE(6); left > 0; left--, at += 46) {
    entries.push({
      producerId: Number(bytes.readBigInt64BE(at)),
      epoch: bytes.readInt16BE(at + 8),
      lastSequence: bytes.readInt32BE(at + 10),
      lastOffset: Number(bytes.readBigInt64BE(at + 14)),
      offsetDelta: bytes.readInt32BE(at + 22),
      timestamp: Number(bytes.readBigInt64BE(at + 26)),
      coordinatorEpoch: bytes.readInt32BE(at + 34),
      currentTxnFirstOffset: bytes.readBigInt64BE(at + 38),
    })
  }
  return { entries, readBytes: at }
}

test("a reader of Kafka's version 1 sees each producer's last batch and stops before our extension", () => {
  fc.assert(
    fc.property(producers, (given) => {
      const bytes = encodeProducerSnapshot(stateOf(given), EVERYTHING)
      const { entries, readBytes } = readAsKafka(bytes)
      expect(entries).toEqual(
        given.map(([producerId, batches]) => {
          const { appendedAtMs: timestamp, ...last } = batches.at(-1)!
          return {
            producerId,
            ...last,
            timestamp,
            coordinatorEpoch: -1,
            currentTxnFirstOffset: -1n,
          }
        }),
      )
      expect(readBytes).toBeLessThanOrEqual(bytes.length)
    }),
  )
})

test('a snapshot that Kafka wrote, without an extension, is read', () => {
  const ours = encodeProducerSnapshot(
    stateOf([
      [7, [produced(3, 3)]],
      [8, [produced(5, 9)]],
    ]),
    EVERYTHING,
  )
  const kafkas = Buffer.from(ours.subarray(0, 10 + 2 * 46))
  kafkas.writeUInt32BE(crc32c(kafkas.subarray(6)), 2)
  const state = new ProducerState(LIMITS)
  expect(decodeProducerSnapshot(kafkas, state)).toBeUndefined()
  expect([...state.entries()]).toEqual([
    [7, [produced(3, 3)]],
    [8, [produced(5, 9)]],
  ])
})

test('batches from the snapshot’s offset on are left out: they may never be written', () => {
  const state = stateOf([
    [1, [produced(0, 4), produced(1, 5), produced(2, 6)]],
    [2, [produced(0, 6)]],
  ])
  const again = new ProducerState(LIMITS)
  decodeProducerSnapshot(encodeProducerSnapshot(state, toOffset(6)), again)
  expect([...again.entries()]).toEqual([[1, [produced(0, 4), produced(1, 5)]]])
})

test('any flipped bit, any missing end, any byte too many: not sound', () => {
  const bytes = encodeProducerSnapshot(
    stateOf([[4_711, [produced(9, 109, 9), produced(11, 111, 1)]]]),
    EVERYTHING,
  )
  const problem = (changed: Buffer) => decodeProducerSnapshot(changed, new ProducerState(LIMITS))
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    expect(problem(flipped)).toBeDefined()
  }
  for (let length = 0; length < bytes.length; length++) {
    expect(problem(bytes.subarray(0, length))).toBeDefined()
  }
  expect(problem(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeDefined()
})
