/** The parts of `spool produce` that decide and count: no process, no broker. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { durationForPeople } from '../../cli/numbers.ts'
import { Acknowledged, BEGINNING, type Place } from '../../cli/produce/acknowledged.ts'
import { Arrived, numberOf, printOf } from '../../cli/produce/arrived.ts'
import { goOnSentence } from '../../cli/produce/go-on.ts'
import { Pace } from '../../cli/produce/pace.ts'
import { producePlan } from '../../cli/produce/plan.ts'
import {
  decidingWords,
  decodeState,
  difference,
  encodeState,
  type ResumeState,
} from '../../cli/produce/resume-state.ts'
import { progressText, Rates } from '../../cli/progress-display.ts'
import { type Delivery, SpoolError } from '../../client/index.ts'

function delivery(partition: number, recordCount: number, baseOffset: number): Delivery {
  return {
    topic: 't',
    partition,
    recordCount,
    baseOffset,
    timestamp: -1,
    durability: 'flushed',
    duplicate: false,
    error: undefined,
    tags: undefined,
  }
}

const NOTHING = { place: BEGINNING, taken: [0, 0, 0], offsets: [10, 20, 30] }

function placeAt(records: number): Place {
  return { ...BEGINNING, position: records * 10, line: records, lines: records, records }
}

describe('what was acknowledged', () => {
  test('a mark is reached when every partition has what came before it, in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 60 }),
        fc.array(fc.nat({ max: 2 }), { maxLength: 200 }),
        (lines, answers) => {
          const account = new Acknowledged(NOTHING)
          const taken = [0, 0, 0]
          for (const [at, partition] of lines.entries()) {
            expect(account.take(partition)).toBe(taken[partition])
            taken[partition]! += 1
            account.mark(placeAt(at + 1))
          }
          const told = [0, 0, 0]
          for (const partition of answers) {
            if (told[partition]! >= taken[partition]!) continue
            account.delivered(delivery(partition, 1, told[partition]!))
            told[partition]! += 1
            const left = [...told]
            const safe = lines.findIndex((each) => --left[each]! < 0)
            expect(account.reached.place.records).toBe(safe < 0 ? lines.length : safe)
            expect(account.count).toBe(told[0]! + told[1]! + told[2]!)
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('a mark knows an offset before which none of the later records is', () => {
    const account = new Acknowledged(NOTHING)
    for (let at = 0; at < 4; at++) account.take(1)
    account.delivered(delivery(1, 2, 25))
    account.mark(placeAt(4))
    account.delivered(delivery(1, 2, 40))
    expect(account.reached).toMatchObject({ taken: [0, 4, 0], offsets: [10, 27, 30] })
    expect(account.settled.offsets).toEqual([10, 42, 30])
  })

  test('behind a failure nothing counts; another try begins where the last mark was reached', () => {
    const account = new Acknowledged(NOTHING)
    account.take(0)
    account.mark(placeAt(1))
    account.delivered(delivery(0, 1, 10))
    account.take(0)
    account.take(1)
    account.mark(placeAt(3))
    const error = new SpoolError('OUT_OF_ORDER_SEQUENCE_NUMBER', 'gap')
    account.delivered({ ...delivery(0, 1, -1), error })
    account.delivered(delivery(1, 1, 20))
    expect(account.reached.place.records).toBe(1)
    expect(account.failure).toBe(error)
    account.restart()
    expect([account.failure, account.count]).toEqual([undefined, 1])
    expect([account.take(0), account.take(1)]).toEqual([1, 0])
    account.found(0)
    account.found(1)
    account.mark(placeAt(3))
    expect(account.reached.place.records).toBe(3)
    // They were sent by the try before: nothing of it is from an earlier process.
    expect([account.count, account.earlier]).toEqual([3, 0])
  })

  test('what an earlier process appended is told apart', () => {
    const account = new Acknowledged({ ...NOTHING, place: placeAt(5), taken: [2, 2, 1] })
    expect(account.take(2)).toBe(1)
    account.found(2)
    account.take(2)
    account.mark(placeAt(7))
    account.delivered(delivery(2, 1, 31))
    expect([account.count, account.earlier]).toEqual([1, 6])
    expect(account.totals()).toEqual([{ partition: 2, count: 1, firstOffset: 31, lastOffset: 31 }])
  })
})

describe('what has arrived', () => {
  test('numbers come from sequences, which begin again at 2^31', () => {
    expect(numberOf(7, 0)).toBe(7)
    expect(numberOf(7, 1_000)).toBe(7)
    expect(numberOf(3, 2 ** 31 - 5)).toBe(2 ** 31 + 3)
    expect(numberOf(2 ** 31 - 1, 2 ** 31 + 10)).toBe(2 ** 31 - 1)
    expect(numberOf(1, 5 * 2 ** 31 + 4)).toBe(5 * 2 ** 31 + 1)
  })

  test('counts and prints are by number; where no print is, the number is believed', () => {
    const arrived = new Arrived({ ...NOTHING, taken: [3, 0, 0] })
    arrived.add(0, 6)
    arrived.add(0, 5)
    arrived.addPrint(0, 2, 1)
    arrived.addPrint(0, 5, 77)
    expect([arrived.count(0), arrived.count(1), arrived.total]).toEqual([6, 0, 3])
    expect(arrived.matches(0, 5, 77)).toBe(true)
    expect(arrived.matches(0, 5, 78)).toBe(false)
    expect(arrived.matches(0, 4, 1)).toBe(true)
    expect(arrived.sequences()).toEqual({ 0: 6, 1: 0, 2: 0 })
  })

  test('a print tells null, empty and swapped parts apart', () => {
    const [a, b, empty] = [Buffer.from('a'), Buffer.from('b'), Buffer.alloc(0)]
    const prints = [
      printOf(null, a),
      printOf(a, null),
      printOf(a, b),
      printOf(b, a),
      printOf(empty, a),
      printOf(a, empty),
      printOf(null, null),
    ]
    expect(new Set(prints).size).toBe(prints.length)
  })
})

describe('a resume file', () => {
  const state: ResumeState = {
    topic: 't',
    topicId: 'id',
    producerId: 3,
    producerEpoch: 0,
    partitions: 2,
    firstPartition: 1,
    words: { '-D': '"\\n"' },
    files: [{ path: 'a', device: 1, inode: 2, modifiedMs: 3.5, sizeBytes: 4 }],
    mark: { place: placeAt(3), taken: [1, 2], offsets: [10, 20] },
    surroundings: { head: 1, tail: 2 },
    isSettled: true,
    isDone: false,
    endsOpen: false,
  }

  test('comes back as it was written', () => {
    expect(decodeState(encodeState(state))).toEqual(state)
  })

  test('that somebody else wrote is refused, whatever is in it', () => {
    const text = encodeState(state).toString()
    for (const wrong of [
      'null',
      '[]',
      '"text"',
      '{}',
      'no json',
      text.replace('"producerId":3', '"producerId":-3'),
      text.replace('[1,2]', '[1]'),
      text.replace('[10,20]', '[10,"20"]'),
      text.replace('"file":0', '"file":1'),
      text.replace('"topicId":"id"', '"topicId":7'),
      text.replace('"partitions":2', '"partitions":1e9'),
      text.replace('"words":{', '"words":null,"other":{'),
    ]) {
      expect(() => decodeState(Buffer.from(wrong)), wrong).toThrow(Error)
    }
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => decodeState(Buffer.from(JSON.stringify({ ...state, mark: value })))).toThrow()
      }),
    )
  })

  test('says in a few words what is different in the options', () => {
    const words = (options: Parameters<typeof producePlan>[1]) => {
      const { reading, sending, delimiter } = producePlan('t', options)
      return decidingWords(reading, sending, delimiter)
    }
    expect(difference(words({ keyFrom: '/k' }), words({ keyFrom: '/k', rate: 5 }))).toBeUndefined()
    expect(difference(words({ keyFrom: '/k' }), words({ keyFrom: '/n' }))).toBe(
      'it was begun with --key-from /k, not /n',
    )
    expect(difference(words({}), words({ partition: 0 }))).toBe('it was begun without -p')
    expect(difference(words({ null: true }), words({}))).toBe('it was begun with -Z')
    expect(difference(words({ delimiter: '\\0' }), words({ delimiter: '\\x00' }))).toBeUndefined()
  })
})

describe('pace', () => {
  test('nothing comes at once at the beginning', () => {
    const pace = new Pace(100)
    expect([1, 2, 3].map(() => pace.take(60_000))).toEqual([10, 20, 30])
  })

  test('over time it is the rate, however late timers ring; a pause is not made up for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.array(fc.nat({ max: 30 }), { maxLength: 200 }),
        (rate, late) => {
          const pace = new Pace(rate)
          let nowMs = 5_000
          let count = 0
          for (const lateMs of late) {
            let waitMs = 0
            while (waitMs === 0 && count < 1_000_000) {
              waitMs = pace.take(nowMs)
              count += 1
            }
            nowMs += waitMs + lateMs
          }
          // A tenth of a second's worth may come at once.
          expect(count).toBeLessThanOrEqual(((nowMs - 5_000 + 100) * rate) / 1_000 + 2)
        },
      ),
      { numRuns: 300 },
    )
    const pace = new Pace(10)
    pace.take(0)
    expect([pace.take(60_000), pace.take(60_000)]).toEqual([0, 100])
  })
})

describe('words', () => {
  test('progress is a share, sizes, rates and the time that is left', () => {
    const rates = new Rates()
    rates.update({ done: 0, records: 0 }, 1_000)
    rates.update({ done: 50 * 1024 * 1024, records: 250_000 }, 2_000)
    const progress = { done: 100 * 1024 * 1024, records: 500_000 }
    const file = { name: 'a.ndjson', total: 200 * 1024 * 1024, unit: 'bytes' } as const
    expect(progressText(file, progress, rates)).toBe(
      ' 50%  100 MiB of 200 MiB  50 MiB/s  250,000 records/s  2.0 s left  a.ndjson',
    )
    const stdin = { name: undefined, total: undefined, unit: 'bytes' } as const
    expect(progressText(stdin, progress, rates)).toBe('500,000 records  250,000 records/s')
    const empty = { ...stdin, total: 0 }
    expect(progressText(empty, { done: 0, records: 0 }, new Rates())).toContain('100%')
  })

  test('times', () => {
    expect(
      [0, 2_140, 9_940, 9_960, 59_400, 59_600, 200_000, 7_500_000, 270_000_000].map(
        durationForPeople,
      ),
    ).toEqual([
      '0.0 s',
      '2.1 s',
      '9.9 s',
      '10 s',
      '59 s',
      '1 min 0 s',
      '3 min 20 s',
      '2 h 5 min',
      '3 d 3 h',
    ])
  })

  test('the command that goes on is the one that was typed', () => {
    const files = producePlan('t', { fromFile: ['my file.ndjson'], delimiter: '\\n' })
    const words = ['produce', 't', '-l', 'my file.ndjson', '-D', '\\n', '--restart']
    expect(goOnSentence(files, placeAt(5), true, words)).toBe(
      "to go on: spool produce t -l 'my file.ndjson' -D '\\n' --resume",
    )
    expect(goOnSentence(producePlan('t', {}), placeAt(5), false, ['produce', 't'])).toBe(
      'to go on: … | tail -n +6 | spool produce t',
    )
    expect(goOnSentence(producePlan('t', { delimiter: '\\0' }), placeAt(5), false, [])).toBe(
      undefined,
    )
  })
})
