/** Patterns match whole names in RE2 syntax, in time that no pattern can blow up, and are looked up once for each picture of the topics. */

import { expect, test } from 'vitest'
import { PATTERN_CHARACTERS_MAX } from '../../../broker/groups/group-limits.ts'
import { Re2Patterns } from '../../../broker/groups/re2-patterns.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { TopicPicture } from './group-rig.ts'

const TOPICS = ['orders', 'orders-late', 'my-orders', 'Orders', 'clicks'].reduce(
  (picture, name) => picture.with(name, 1),
  new TopicPicture(),
)

test.each([
  ['orders', ['orders']],
  ['orders.*', ['orders', 'orders-late']],
  ['.*orders', ['my-orders', 'orders']],
  ['(?i)orders', ['Orders', 'orders']],
  ['orders|clicks', ['clicks', 'orders']],
  ['[a-z]+', ['clicks', 'orders']],
  ['nothing', []],
])('%s finds whole names: %j', (pattern, found) => {
  expect(new Re2Patterns().matching(pattern, TOPICS)).toEqual(found)
})

test.each([
  ['(', /missing/i],
  ['(a)\\1', /invalid escape/i],
  ['(?=a)b', /invalid|unsupported/i],
  ['a{2000}', /repeat/i],
  ['((a{100}){100}){100}', /repeat|large|size/i],
  ['x'.repeat(PATTERN_CHARACTERS_MAX + 1), /more than 1024/],
  ['(?:(?:.?.?.?.?.?.?.?.?.?.?){10}){90}z', /18003 instructions, more than 1024/],
])('%s is no pattern, and why', (pattern, why) => {
  expect(new Re2Patterns().problem(pattern)).toMatch(why)
})

test('a pattern that makes a backtracking engine hang is no trouble', () => {
  const name = `${'a'.repeat(248)}b`
  const topics = new TopicPicture().with(name, 1)
  // (a*)*c over 248 a's is 2^248 ways for an engine that tries them one by one.
  for (const pattern of ['(a*)*c', '(a|aa)+c', '(.*)*(.*)*(.*)*c']) {
    expect(new Re2Patterns().matching(pattern, topics)).toEqual([])
  }
})

test('a pattern that is slow holds nobody up while it is looked up', async () => {
  // Of nearly the size that is allowed, and some milliseconds a name.
  const slow = '(?:.*[ab].{1,60}){8}z'
  const random = new SeededRandom(1)
  const name = () => Array.from({ length: 240 }, () => 'ab-.'[random.below(4)]).join('')
  const topics = Array.from({ length: 40 }, name).reduce(
    (picture, each) => picture.with(each, 1),
    new TopicPicture(),
  )
  const patterns = new Re2Patterns()
  expect(patterns.problem(slow)).toBeUndefined()
  let turns = 0
  const others = setInterval(() => turns++, 1)
  await patterns.prepare(slow, topics)
  clearInterval(others)
  expect(turns).toBeGreaterThan(2)
  expect(patterns.matching(slow, topics)).toEqual(new Re2Patterns().matching(slow, topics))
})

test('when topics come and go only those that came are looked at', () => {
  const patterns = new Re2Patterns()
  expect(patterns.matching('orders.*', TOPICS)).toEqual(['orders', 'orders-late'])
  const more = TOPICS.with('orders-new', 1).without('orders-late')
  expect(patterns.matching('orders.*', more)).toEqual(['orders', 'orders-new'])
  expect(patterns.matching('orders.*', TOPICS)).toEqual(['orders', 'orders-late'])
})

test('the names are looked at once for a picture of the topics, however many groups ask', () => {
  let walks = 0
  const counted = {
    version: 1,
    byName: () => undefined,
    byId: () => undefined,
    *names() {
      walks++
      yield* TOPICS.names()
    },
  }
  const patterns = new Re2Patterns()
  for (let group = 0; group < 100; group++) patterns.matching('orders.*', counted)
  expect(walks).toBe(1)
  expect(patterns.matching('orders.*', new TopicPicture())).toEqual([])
  patterns.matching('orders.*', counted)
  expect(walks).toBe(2)
})
