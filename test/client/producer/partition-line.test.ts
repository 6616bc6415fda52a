/**
 * The line of a partition against a model of what is at the other end: the broker's real memory of
 * producers, connections that break with requests in them which arrive later all the same, answers that
 * are lost, refusals, restarts, time-outs. Whatever happens, the log holds what was said of it.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpoolError } from '../../../client/api/errors.ts'
import { PartitionLine } from '../../../client/producer/partition-line.ts'
import { ACTIONS, LineModel } from './line-model.ts'

const RUNS = Number(process.env.RUNS ?? 2_000)

function runs(isForgetful: boolean, check: (model: LineModel) => void): void {
  const property = fc.property(
    fc.array(ACTIONS, { maxLength: 150, size: 'max' }),
    fc.nat(),
    (actions, seed) => {
      const model = new LineModel({ seed, isForgetful })
      for (const action of actions) model.do(action)
      model.finish()
      check(model)
    },
  )
  fc.assert(property, { numRuns: RUNS })
}

describe('an idempotent line', () => {
  test('appends once, in order, and tells the truth, whatever the network does', () => {
    runs(false, (model) => expect(model.problems()).toEqual([]))
  })

  test('loses nothing even when the broker forgets it', () => {
    runs(true, (model) => expect(model.lossProblems()).toEqual([]))
  })

  test('the model is hard enough: every kind of end happens often', () => {
    const seen = { appended: 0, refused: 0, unknown: 0, epochs: 0, repeats: 0, stale: 0 }
    const actions = fc.sample(fc.array(ACTIONS, { minLength: 80, maxLength: 120 }), 400)
    for (const [seed, each] of actions.entries()) {
      const model = new LineModel({ seed, isForgetful: false })
      for (const action of each) model.do(action)
      model.finish()
      for (const word of Object.keys(seen) as (keyof typeof seen)[]) seen[word] += model.seen[word]
    }
    for (const [word, count] of Object.entries(seen))
      expect([word, count > 50]).toEqual([word, true])
  })
})

describe('what goes when', () => {
  const rules = {
    place: 'orders-0',
    isIdempotent: true,
    inFlightMax: 5,
    deliveryTimeoutMs: 1_000,
    backoff: { retryBackoffMs: 10, retryBackoffMsMax: 100 },
  }
  const busy = new SpoolError('BROKER_BUSY', 'busy', { outcome: 'refused' })

  function lineOf(count: number, isIdempotent = true): PartitionLine<number> {
    const line = new PartitionLine<number>({ ...rules, isIdempotent })
    for (let item = 0; item < count; item++) line.push(item, 10, 1_000)
    if (isIdempotent) line.useProducer({ producerId: 7, producerEpoch: 0 })
    return line
  }

  function sendAll(line: PartitionLine<number>, nowMs: number) {
    const sent = []
    for (let batch = line.next(nowMs); batch !== undefined; batch = line.next(nowMs))
      sent.push(batch)
    return sent
  }

  test('the first goes alone, then five at a time with sequences in a row', () => {
    const line = lineOf(8)
    const [first, ...none] = sendAll(line, 0)
    expect([first?.item, none.length]).toEqual([0, 0])
    expect(line.answered(first!, { kind: 'appended' }, 1, 0)).toEqual([
      { item: 0, error: undefined },
    ])
    const five = sendAll(line, 1)
    expect(five.map(({ item, numbers }) => [item, numbers?.baseSequence])).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
      [4, 40],
      [5, 50],
    ])
  })

  test('after an hour of silence the first goes alone again', () => {
    const line = lineOf(1)
    line.answered(line.next(0)!, { kind: 'appended' }, 0, 0)
    for (let item = 1; item < 4; item++) line.push(item, 1, 10_000_000)
    expect(sendAll(line, 3_600_000)).toHaveLength(1)
  })

  test('what was refused for now goes again with the same numbers, before all behind it', () => {
    const line = lineOf(4)
    line.answered(line.next(0)!, { kind: 'appended' }, 0, 0)
    const [one, two, three] = sendAll(line, 0)
    const numbers = one?.numbers
    const gap = new SpoolError('OUT_OF_ORDER_SEQUENCE_NUMBER', 'gap', { outcome: 'refused' })
    line.answered(one!, { kind: 'retriable', error: busy, isLost: false }, 5, 0.5)
    expect(sendAll(line, 1_000)).toEqual([]) // two and three are still in flight
    line.answered(two!, { kind: 'gap', error: gap }, 6, 0)
    line.answered(three!, { kind: 'gap', error: gap }, 6, 0)
    expect(sendAll(line, 6)).toEqual([]) // it backs off
    expect(line.retryAtMs).toBeGreaterThan(6)
    expect(sendAll(line, line.retryAtMs).map(({ item }) => item)).toEqual([1, 2, 3])
    expect(one?.numbers).toEqual(numbers)
  })

  test('what follows a batch refused for good begins a new epoch', () => {
    const line = lineOf(3)
    const bad = new SpoolError('INVALID_RECORD', 'bad', { outcome: 'refused' })
    const first = line.next(0)!
    const [settled] = line.answered(first, { kind: 'failed', error: bad, isLost: false }, 0, 0)
    expect([settled?.item, settled?.error?.outcome]).toEqual([0, 'refused'])
    expect(line.next(0)?.numbers).toEqual({ producerId: 7, producerEpoch: 1, baseSequence: 0 })
  })

  test('past the last epoch it asks for another producer id', () => {
    const line = lineOf(2)
    line.useProducer({ producerId: 7, producerEpoch: 0x7fff })
    const bad = new SpoolError('INVALID_RECORD', 'bad', { outcome: 'refused' })
    line.answered(line.next(0)!, { kind: 'failed', error: bad, isLost: false }, 0, 0)
    expect([line.next(0), line.needsProducer]).toEqual([undefined, true])
    line.useProducer({ producerId: 8, producerEpoch: 0 })
    expect(line.next(0)?.numbers?.producerId).toBe(8)
  })

  test('sequences wrap at 2^31', () => {
    const line = new PartitionLine<number>(rules)
    line.useProducer({ producerId: 7, producerEpoch: 0 })
    const next: (number | undefined)[] = []
    for (const count of [2 ** 31 - 3, 5, 1]) {
      line.push(count, count, 1_000)
      const batch = line.next(0)!
      next.push(batch.numbers?.baseSequence)
      line.answered(batch, { kind: 'appended' }, 0, 0)
    }
    expect(next).toEqual([0, 2 ** 31 - 3, 2])
  })

  test('time that runs out in flight is unknown, before it went refused', () => {
    const line = lineOf(2)
    line.next(0)
    const settled = line.expire(1_000)
    expect(settled.map(({ item, error }) => [item, error?.code, error?.outcome])).toEqual([
      [0, 'REQUEST_TIMED_OUT', 'unknown'],
      [1, 'REQUEST_TIMED_OUT', 'refused'],
    ])
    expect(line.length).toBe(1) // it stays for its answer
  })

  test('given up at once, everything says what it can', () => {
    const line = lineOf(3)
    line.next(0)
    const reason = new SpoolError('BROKER_STOPPING', 'closing')
    expect(line.abandon(reason).map(({ error }) => error?.outcome)).toEqual([
      'unknown',
      'refused',
      'refused',
    ])
  })

  test('without numbers one of several in flight may be lost, and comes again', () => {
    const line = lineOf(2, false)
    const [first, second] = sendAll(line, 0)
    expect(second?.item).toBe(1)
    line.answered(first!, { kind: 'retriable', error: busy, isLost: true }, 0, 0)
    expect(line.next(0)).toBeUndefined()
    line.answered(second!, { kind: 'appended' }, 0, 0)
    expect(line.next(10)?.item).toBe(0)
  })
})
