/** The refusals that several parts of the group's machine have in common, with the values that matter. */

import { SpoolError } from '../../client/api/errors.ts'

export function unknownGroup(groupId: string): SpoolError {
  return new SpoolError(
    'GROUP_ID_NOT_FOUND',
    `there is no group ${groupId}; a group begins when its first member joins, or with its first commit`,
  )
}

export function unknownMember(groupId: string, memberId: string): SpoolError {
  return new SpoolError(
    'UNKNOWN_MEMBER_ID',
    `group ${groupId} has no member ${memberId}: it left, or its session ended; join again`,
  )
}

export function notEmpty(groupId: string, members: number, what: string): SpoolError {
  return new SpoolError(
    'NON_EMPTY_GROUP',
    `group ${groupId} has ${members} member${members === 1 ? '' : 's'}; ${what}`,
    { extensions: { members } },
  )
}

export function invalidPattern(problem: string): SpoolError {
  return new SpoolError(
    'INVALID_REGULAR_EXPRESSION',
    `topicPattern is no RE2 pattern: ${problem}; see https://github.com/google/re2/wiki/Syntax`,
    { extensions: { field: 'topicPattern' } },
  )
}
