/** Commit tokens come back as they were given, to the group that gave them, and nothing else is one. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CommitToken } from '../../../broker/groups/group-event.ts'
import { decodeToken, encodeToken, TOKEN_CHARACTERS_MAX } from '../../../broker/groups/tokens.ts'
import { SpoolError } from '../../../client/api/errors.ts'

const int32 = fc.nat(2 ** 31 - 1)
const token: fc.Arbitrary<CommitToken> = fc.record({
  topicId: fc.uuid(),
  partition: int32,
  offset: fc.nat(Number.MAX_SAFE_INTEGER),
  memberId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  memberEpoch: int32,
})
const ONE: CommitToken = {
  topicId: '01234567-89ab-4def-8123-456789abcdef',
  partition: 3,
  offset: 1_234,
  memberId: 'member-1',
  memberEpoch: 7,
}

test('a token comes back as it was given', () => {
  fc.assert(
    fc.property(token, fc.string({ minLength: 1 }), (given, groupId) => {
      const text = encodeToken(groupId, given)
      expect(text).toMatch(/^[A-Za-z0-9_-]+$/)
      expect(decodeToken(groupId, text)).toEqual(given)
    }),
  )
})

test('the longest ids and largest numbers fit the bound', () => {
  const largest = { ...ONE, memberId: '語'.repeat(255), offset: Number.MAX_SAFE_INTEGER }
  const text = encodeToken('g', { ...largest, partition: 2 ** 31 - 1, memberEpoch: 2 ** 31 - 1 })
  expect(text.length).toBeLessThanOrEqual(TOKEN_CHARACTERS_MAX)
  expect(decodeToken('g', text).memberId).toBe(largest.memberId)
})

test('a token of another group is refused', () => {
  const text = encodeToken('workers', ONE)
  expect(() => decodeToken('others', text)).toThrow(/another group/)
})

test('a token with any character changed, left out or added is refused', () => {
  const text = encodeToken('workers', ONE)
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === 'A' ? 'B' : 'A'
    for (const wrong of [
      text.slice(0, at) + other + text.slice(at + 1),
      text.slice(0, at) + text.slice(at + 1),
      `${text.slice(0, at)}A${text.slice(at)}`,
    ]) {
      expect(() => decodeToken('workers', wrong), wrong).toThrow(SpoolError)
    }
  }
})

test.each(['', 'x', '!', '=', 'ä', 'A'.repeat(TOKEN_CHARACTERS_MAX + 1)])(
  'what is no token is refused, naming where it came from: %#',
  (text) => {
    expect(() => decodeToken('workers', text, 'tokens[3]')).toThrow(
      /^field tokens\[3\] is no token/,
    )
  },
)

test('any text is a token or refused', () => {
  fc.assert(
    fc.property(fc.base64String(), (text) => {
      try {
        decodeToken('workers', text)
      } catch (error) {
        expect((error as SpoolError).code).toBe('INVALID_REQUEST')
      }
    }),
  )
})
