/** What a broker hands out it takes back, of a member that has every partition there may be. */

import { expect, test } from 'vitest'
import { BROKER_SETTINGS } from '../../../../broker/config/settings-table.ts'
import { settingsWith } from '../../../../broker/config.ts'
import { TOKEN_CHARACTERS_MAX } from '../../../../broker/groups/tokens.ts'
import { encodePollToken } from '../../../../broker/http/groups/poll-token.ts'
import * as schemas from '../../../../client/api/schemas/groups.ts'
import { ServingGroupClient } from './group-client.ts'

const { partitionsMax } = settingsWith({})
const LONGEST_NAME = 't'.repeat(249)

const client = ServingGroupClient.serve()

/** As long as places get: each of a topic of its own, high numbers everywhere. */
const tokenOf = (groupId: string, memberId: string, places: number) =>
  encodePollToken(groupId, {
    memberId,
    memberEpoch: 1,
    turn: places,
    places: Array.from({ length: places }, (_, index) => ({
      topicId: `ffffffff-ffff-4fff-8fff-${index.toString(16).padStart(12, '0')}`,
      partition: 2 ** 31 - 1,
      offset: Number.MAX_SAFE_INTEGER,
    })),
  })

const placesOf = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, partition) => ({ topic: LONGEST_NAME, partition, ...more }))

test('a poll takes the token of every partition there may be, as after and as commit', async () => {
  await client.topic('read', 1, 1)
  const memberId = '€'.repeat(249)
  const path = `/v1/groups/wide/members/${encodeURIComponent(memberId)}/poll`
  await client.join('wide', { topics: ['read'], memberId })
  const token = tokenOf('wide', memberId, partitionsMax)
  const answer = await client.ask('POST', path, { after: token, commit: token })
  expect(answer).toMatchObject({ status: 200, document: { records: [{ topic: 'read' }] } })

  const one = tokenOf('wide', memberId, partitionsMax + 1)
  expect(await client.ask('POST', path, { after: one })).toMatchObject({
    status: 400,
    document: { code: 'INVALID_REQUEST', field: 'after' },
  })
})

test('a heartbeat takes every partition there may be as owned, and not one more', async () => {
  await client.topic('held', 1)
  const { memberId, memberEpoch } = await client.join('holders', { topics: ['held'] })
  const path = `/v1/groups/holders/members/${memberId}/heartbeat`
  const beat = (count: number) => client.ask('POST', path, { memberEpoch, owned: placesOf(count) })
  expect((await beat(partitionsMax)).status).toBe(200)
  const refused = await beat(partitionsMax + 1)
  expect(refused).toMatchObject({ status: 400, document: { field: 'owned' } })
  expect(refused.document.detail).toMatch(/20001.*partitions\.max is 20000/)
})

test('a rewind takes back the list that another one answered, however long', async () => {
  await client.topic('long', 1, 1)
  const offsets = [{ topic: 'long', partition: 0, offset: 1 }]
  await client.get('PUT', '/v1/groups/longs/offsets', { offsets })
  const to = { offsets: placesOf(partitionsMax, { offset: Number.MAX_SAFE_INTEGER }) }
  const answer = await client.ask('POST', '/v1/groups/longs/offsets/reset', { to })
  // Read and understood: that topic is not there.
  expect(answer).toMatchObject({ status: 404, document: { code: 'UNKNOWN_TOPIC_OR_PARTITION' } })
})

test('the schemas allow a commit token of the longest member id', () => {
  expect(schemas.TOKEN_CHARACTERS_MAX).toBe(TOKEN_CHARACTERS_MAX)
})

test('the schemas allow as many partitions as partitions.max may ever be', () => {
  expect(BROKER_SETTINGS.partitionsMax).toMatchObject({ max: schemas.GROUP_PARTITIONS_MAX })
})
