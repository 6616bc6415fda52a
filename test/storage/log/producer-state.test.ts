/** What a log remembers of idempotent producers: KIP-98's rules one by one, then against a simple model. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BATCHES_PER_PRODUCER,
  type DuplicateOf,
  type ProducerHeader,
  ProducerState,
} from '../../../storage/log/producer-state.ts'
import { toOffset } from '../../../storage/record/offsets.ts'

const LIMITS = { producersMax: 1_000, expirationMs: 86_400_000 }
const SEQUENCE_COUNT = 2 ** 31

const header = (
  baseSequence: number,
  records = 1,
  producerEpoch = 0,
  producerId = 1,
): ProducerHeader => ({ producerId, producerEpoch, baseSequence, lastOffsetDelta: records - 1 })

/** A state and the end of the log that feeds it. */
class Fed {
  readonly state = new ProducerState(LIMITS)
  end = 0

  /** Checks and, unless it is a repeat, appends. Everything is flushed at once. */
  append(of: ProducerHeader, flushedOffset?: number): DuplicateOf | undefined {
    const duplicate = this.state.check(of)
    if (duplicate !== undefined) return duplicate
    this.end += of.lastOffsetDelta + 1
    this.state.update(of, toOffset(this.end - 1), 0, toOffset(flushedOffset ?? this.end))
    return undefined
  }
}

const refusal = (code: string) => expect.objectContaining({ code, outcome: 'refused' })

test('the next sequence is taken, a gap is refused with both numbers', () => {
  const fed = new Fed()
  fed.append(header(0, 10))
  fed.append(header(10, 1))
  expect(() => fed.append(header(12))).toThrow(refusal('OUT_OF_ORDER_SEQUENCE_NUMBER'))
  expect(() => fed.append(header(12))).toThrow(/continue with sequence 11; .* begins with 12/)
  expect(fed.append(header(11))).toBeUndefined()
})

test('a producer without state may start anywhere (KIP-360)', () => {
  const fed = new Fed()
  expect(fed.append(header(4_711))).toBeUndefined()
  expect(fed.append(header(4_712))).toBeUndefined()
})

test('an older epoch is fenced', () => {
  const fed = new Fed()
  fed.append(header(0, 1, 3))
  expect(() => fed.append(header(1, 1, 2))).toThrow(refusal('INVALID_PRODUCER_EPOCH'))
})

test('a newer epoch begins at sequence 0', () => {
  const fed = new Fed()
  fed.append(header(0, 5, 3))
  expect(() => fed.append(header(5, 1, 4))).toThrow(refusal('OUT_OF_ORDER_SEQUENCE_NUMBER'))
  expect(fed.append(header(0, 1, 4))).toBeUndefined()
  expect(() => fed.append(header(5, 1, 3))).toThrow(refusal('INVALID_PRODUCER_EPOCH'))
})

test('a batch of the newer epoch is no repeat of one with the same sequences of the older', () => {
  const fed = new Fed()
  fed.append(header(0, 5, 3))
  expect(fed.append(header(0, 5, 4))).toBeUndefined()
  expect(fed.append(header(0, 5, 4))).toEqual({ baseOffset: 5, lastOffset: 9 })
})

test('each of the last five batches is a repeat with the offsets of its original, the sixth is a gap', () => {
  const fed = new Fed()
  for (let at = 0; at < 7; at++) fed.append(header(at * 10, 10))
  for (let at = 2; at < 7; at++) {
    expect(fed.append(header(at * 10, 10))).toEqual({
      baseOffset: at * 10,
      lastOffset: at * 10 + 9,
    })
  }
  expect(() => fed.append(header(10, 10))).toThrow(refusal('OUT_OF_ORDER_SEQUENCE_NUMBER'))
})

test('a batch that overlaps another without being it is no repeat', () => {
  const fed = new Fed()
  fed.append(header(0, 10))
  for (const overlapping of [header(0, 9), header(1, 9), header(5, 10), header(9, 1)]) {
    expect(() => fed.append(overlapping)).toThrow(refusal('OUT_OF_ORDER_SEQUENCE_NUMBER'))
  }
})

test('sequences wrap from 2^31 - 1 to 0', () => {
  const fed = new Fed()
  fed.append(header(SEQUENCE_COUNT - 3, 2))
  // The last one of the old round and the first two of the new one.
  fed.append(header(SEQUENCE_COUNT - 1, 3))
  expect(fed.append(header(SEQUENCE_COUNT - 1, 3))).toEqual({ baseOffset: 2, lastOffset: 4 })
  expect(() => fed.append(header(3))).toThrow(/continue with sequence 2/)
  expect(fed.append(header(2))).toBeUndefined()
})

test('batches that are not flushed are kept beyond five, so that taking them back leaves the five', () => {
  const fed = new Fed()
  for (let at = 0; at < 5; at++) fed.append(header(at))
  const flushed = fed.end
  for (let at = 5; at < 20; at++) fed.append(header(at), flushed)
  fed.state.truncate(toOffset(flushed))
  fed.end = flushed
  for (let at = 0; at < 5; at++) {
    expect(fed.append(header(at))).toEqual({ baseOffset: at, lastOffset: at })
  }
  expect(fed.append(header(5))).toBeUndefined()
})

test('taking back the first batch of a newer epoch brings the older one back', () => {
  const fed = new Fed()
  fed.append(header(0, 1, 0))
  fed.append(header(0, 1, 1), 1)
  fed.state.truncate(toOffset(1))
  expect(fed.append(header(1, 1, 0))).toBeUndefined()
})

test('a producer expires a full day after its last append, not its first', () => {
  const state = new ProducerState({ producersMax: 10, expirationMs: 100 })
  state.update(header(0, 1, 0, 1), toOffset(0), 1_000, toOffset(1))
  state.update(header(0, 1, 0, 2), toOffset(1), 1_050, toOffset(2))
  state.expire(1_100)
  expect(state.size).toBe(2)
  state.expire(1_101)
  expect([...state.entries()].map(([id]) => id)).toEqual([2])
  state.update(header(1, 1, 0, 2), toOffset(2), 1_140, toOffset(3))
  state.expire(1_200)
  expect(state.size).toBe(1)
})

test('beyond the limit the producer that has appended nothing for longest is forgotten', () => {
  const state = new ProducerState({ producersMax: 3, expirationMs: 100 })
  for (const id of [1, 2, 3]) state.update(header(0, 1, 0, id), toOffset(id), 0, toOffset(id))
  state.update(header(1, 1, 0, 1), toOffset(4), 0, toOffset(4))
  state.update(header(0, 1, 0, 4), toOffset(5), 0, toOffset(5))
  expect([...state.entries()].map(([id]) => id)).toEqual([3, 1, 4])
})

interface Appended {
  readonly of: ProducerHeader
  readonly base: number
  readonly last: number
  /** One of the producer's last five flushed batches, or not flushed, when it last appended. */
  isRemembered: boolean
}

/** The same rules over a plain list of everything that was ever appended and not taken back. */
class Model {
  readonly log: Appended[] = []

  append(of: ProducerHeader, base: number, flushed: number): void {
    this.log.push({ of, base, last: base + of.lastOffsetDelta, isRemembered: true })
    const own = this.log.filter((entry) => entry.of.producerId === of.producerId)
    const ownFlushed = own.filter((entry) => entry.last < flushed)
    for (const old of ownFlushed.slice(0, -BATCHES_PER_PRODUCER)) old.isRemembered = false
  }

  check(of: ProducerHeader): string | DuplicateOf | undefined {
    const own = this.log.filter((entry) => entry.of.producerId === of.producerId)
    const last = own.at(-1)
    if (last === undefined) return undefined
    if (of.producerEpoch < last.of.producerEpoch) return 'INVALID_PRODUCER_EPOCH'
    if (of.producerEpoch > last.of.producerEpoch) {
      return of.baseSequence === 0 ? undefined : 'OUT_OF_ORDER_SEQUENCE_NUMBER'
    }
    const repeated = own.find(
      (entry) =>
        entry.isRemembered &&
        entry.of.producerEpoch === of.producerEpoch &&
        entry.of.baseSequence === of.baseSequence &&
        entry.of.lastOffsetDelta === of.lastOffsetDelta,
    )
    if (repeated !== undefined) {
      return { baseOffset: toOffset(repeated.base), lastOffset: toOffset(repeated.last) }
    }
    const next = (last.of.baseSequence + last.of.lastOffsetDelta + 1) % SEQUENCE_COUNT
    return of.baseSequence === next ? undefined : 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      producerId: fc.integer({ min: 1, max: 2 }),
      /** Against the producer's last batch: 0 goes on, below repeats, above leaves a gap. */
      behind: fc.oneof(fc.constant(0), fc.integer({ min: -8, max: 1 })),
      records: fc.integer({ min: 1, max: 4 }),
      epoch: fc.constantFrom(0, 0, 0, 0, 1, -1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeBack' as const) }) },
)

test('any order of appends, repeats, gaps, epochs, flushes and refusals: as the model says', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.constantFrom(0, SEQUENCE_COUNT - 9),
      (steps, firstSequence) => {
        const state = new ProducerState(LIMITS)
        const model = new Model()
        let end = 0
        let flushed = 0
        for (const step of steps) {
          if (step.kind === 'flush') flushed = end
          if (step.kind === 'takeBack') {
            state.truncate(toOffset(flushed))
            while ((model.log.at(-1)?.last ?? -1) >= flushed) model.log.pop()
            end = flushed
          }
          if (step.kind !== 'append') continue
          const own = model.log.filter((entry) => entry.of.producerId === step.producerId)
          const last = own.at(-1)?.of
          const repeated = step.behind < 0 ? own.at(step.behind)?.of : undefined
          const next =
            last === undefined
              ? firstSequence
              : (last.baseSequence + last.lastOffsetDelta + 1 + Math.max(step.behind, 0)) %
                SEQUENCE_COUNT
          const of: ProducerHeader = repeated ?? {
            producerId: step.producerId,
            producerEpoch: Math.max(0, (last?.producerEpoch ?? 0) + step.epoch),
            baseSequence: step.epoch > 0 && step.behind === 0 ? 0 : next,
            lastOffsetDelta: step.records - 1,
          }
          const expected = model.check(of)
          if (typeof expected === 'string') {
            expect(() => state.check(of)).toThrow(refusal(expected))
            continue
          }
          expect(state.check(of)).toEqual(expected)
          if (expected !== undefined) continue
          const base = end
          end += of.lastOffsetDelta + 1
          state.update(of, toOffset(end - 1), 0, toOffset(flushed))
          model.append(of, base, flushed)
        }
      },
    ),
    { numRuns: 400 },
  )
})
