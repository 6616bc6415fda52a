/** The checker of the producers' campaign sees what it is there to see. */

import { expect, test } from 'vitest'
import {
  ANOMALIES,
  type Anomaly,
  checkHistory,
  type LoggedRecord,
  type Promises,
  SendHistory,
} from './send-history.ts'

const STRICT: Promises = { isIdempotent: true, isPatient: false }

/** A log of these values from offset 0 on. */
function logOf(...values: string[]): LoggedRecord[] {
  return values.map((value, offset) => ({ value, offset }))
}

/** Gives `values` of producer 0, then tells of each: its offset in partition 0, or how it failed. */
function historyOf(...values: [string, number | 'refused' | 'unknown' | 'untold'][]): SendHistory {
  const history = new SendHistory(1)
  const given = values.map(([value], at) => history.give(value, 0, at))
  for (const [at, [, fate]] of values.entries()) {
    if (typeof fate === 'number') history.acknowledge(given[at]!, 0, fate)
    else given[at]!.told = fate
  }
  return history
}

function anomalies(
  history: SendHistory,
  log: LoggedRecord[],
  promises: Promises = STRICT,
): Partial<Record<Anomaly, number>> {
  const { counts } = checkHistory(history.records, [log], () => promises)
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

test('a run in which all is well has none', () => {
  const history = historyOf(
    ['a', 0],
    ['b', 'unknown'],
    ['c', 'refused'],
    ['d', 'unknown'],
    ['e', 2],
  )
  expect(anomalies(history, logOf('a', 'b', 'e'))).toEqual({})
})

test.each<[Anomaly, SendHistory, LoggedRecord[]]>([
  ['lost-write', historyOf(['a', 0], ['b', 1]), logOf('a')],
  ['duplicate', historyOf(['a', 0], ['b', 'unknown']), logOf('a', 'b', 'b')],
  ['unexpected', historyOf(['a', 0]), logOf('a', 'x')],
  ['aborted-read', historyOf(['a', 0], ['b', 'refused']), logOf('a', 'b')],
  ['nonmonotonic-send', historyOf(['a', 1], ['b', 0]), logOf('b', 'a')],
  ['offset-gap', historyOf(['a', 0]), [...logOf('a'), { value: 'a2', offset: 2 }]],
  ['untold', historyOf(['a', 0], ['b', 'untold']), logOf('a')],
  ['inconsistent-offsets', historyOf(['a', 1], ['b', 2]), logOf('a', 'x', 'b')],
])('%s', (anomaly, history, log) => {
  expect(anomalies(history, log)).toMatchObject({ [anomaly]: 1 })
})

test('stale-offset', () => {
  const history = new SendHistory(1)
  history.acknowledge(history.give('a', 0, 0), 0, 5)
  history.acknowledge(history.give('b', 1, 0), 0, 4)
  expect(anomalies(history, [])).toMatchObject({ 'stale-offset': 1 })
})

test('given-up', () => {
  const history = historyOf(['a', 0], ['b', 'refused'])
  const patient = { isIdempotent: true, isPatient: true }
  expect(anomalies(history, logOf('a'), patient)).toEqual({ 'given-up': 1 })
})

test('without idempotence a value may be there twice, and only acknowledged ones have an order', () => {
  const history = historyOf(['a', 0], ['b', 1])
  const loose = { isIdempotent: false, isPatient: true }
  expect(anomalies(history, logOf('a', 'b', 'a'), loose)).toEqual({})
})

test('every anomaly has its sentence', () => {
  expect(Object.values(ANOMALIES).every((sentence) => sentence.length > 10)).toBe(true)
})
