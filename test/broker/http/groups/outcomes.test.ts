/** What a commit or a rewind that failed says of itself: whoever was refused need not look whether it happened. */

import { beforeAll, expect, test } from 'vitest'
import { startBroker } from '../../../../broker/testing.ts'
import { GroupClient, ServingGroupClient } from './group-client.ts'

const client = ServingGroupClient.serve({ groupsMax: 1 })
beforeAll(async () => {
  await client.topic('taken', 2, 4)
})

const one = { topic: 'taken', partition: 0, offset: 1 }

const REFUSED: readonly (readonly [string, string, string, unknown, number, string])[] = [
  ['a token that is none', 'POST', 'g/commit', { tokens: ['AAAA'] }, 400, 'INVALID_REQUEST'],
  ['no tokens', 'POST', 'g/commit', { tokens: [] }, 400, 'INVALID_REQUEST'],
  ['a field nobody knows', 'POST', 'g/commit', { token: 'AAAA' }, 400, 'INVALID_REQUEST'],
  ['one of offsets', 'PUT', 'g/offsets', { offsets: [one], colour: 1 }, 400, 'INVALID_REQUEST'],
  ['half a member', 'PUT', 'g/offsets', { memberId: 'm', offsets: [one] }, 400, 'INVALID_REQUEST'],
  ['no such topic', 'PUT', 'g/offsets', { offsets: [{ ...one, topic: 'x' }] }, 404, ''],
  ['one group too many', 'PUT', 'other/offsets', { offsets: [one] }, 429, 'LIMIT_EXCEEDED'],
  ['a rewind to nowhere', 'POST', 'g/offsets/reset', { to: 'soon' }, 400, 'INVALID_REQUEST'],
  [
    'a rewind of no topic',
    'POST',
    'g/offsets/reset',
    { topics: ['x'], to: 'earliest' },
    404,
    'UNKNOWN_TOPIC_OR_PARTITION',
  ],
  [
    'a rewind of no group',
    'POST',
    'nobody/offsets/reset',
    { to: 'latest' },
    404,
    'GROUP_ID_NOT_FOUND',
  ],
  [
    'a rewind by partition of no group',
    'POST',
    'nobody/offsets/reset',
    { partitions: [{ topic: 'taken', partition: 0 }], to: '1' },
    404,
    'GROUP_ID_NOT_FOUND',
  ],
]

test('before there is any group, a rewind is refused', async () => {
  const body = { topics: ['taken'], to: 'earliest' }
  const answer = await client.ask('POST', '/v1/groups/nobody/offsets/reset', body)
  expect(answer.document).toMatchObject({ code: 'GROUP_ID_NOT_FOUND', outcome: 'refused' })
})

test.each([
  ['a join', 'POST', 'members', { topics: ['taken'], sessionTimeoutMs: 1 }, 400],
  ['a join by pattern', 'POST', 'members', { topicPattern: '(', from: 'latest' }, 400],
  ['a stranger’s commit', 'PUT', 'offsets', { memberId: 'x', memberEpoch: 1, offsets: [one] }, 404],
  ['a commit of nothing', 'PUT', 'offsets', { offsets: [{ ...one, topic: 'x' }] }, 404],
] as const)(
  '%s that is refused makes no topic for groups',
  async (_what, method, path, body, status) => {
    await using empty = await startBroker()
    const first = new GroupClient(empty.url)
    await first.topic('taken', 1, 2)
    expect((await first.ask(method, `/v1/groups/g/${path}`, body)).status).toBe(status)
    expect(empty.context.clusterImage().activeTopic('__consumer_offsets')).toBeUndefined()
  },
)

test.each(REFUSED)('%s: refused', async (_what, method, path, body, status, code) => {
  await client.get('PUT', '/v1/groups/g/offsets', { offsets: [one] })
  const answer = await client.ask(method, `/v1/groups/${path}`, body)
  expect(answer).toMatchObject({ status, document: { outcome: 'refused' } })
  expect(answer.document.code).toContain(code)
})

test('a body that is no JSON, or is too long: refused', async () => {
  for (const [body, status] of [
    ['{', 400],
    ['"'.padEnd(1024 * 1024 + 1), 413],
  ] as const) {
    const response = await fetch(`${client.url}/v1/groups/g/commit`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ outcome: 'refused' })
  }
})

test('the token of a group that is gone: refused', async () => {
  const broken = await startBroker()
  const other = new GroupClient(broken.url)
  try {
    await other.topic('taken', 1, 2)
    const { memberId } = await other.join('short', { topics: ['taken'] })
    const stream = await fetch(`${other.url}/v1/groups/short-2/records?topics=taken`)
    const reader = stream.body!.getReader()
    let text = ''
    while (!text.includes('"token"')) text += Buffer.from((await reader.read()).value!)
    const token = /"token":"([^"]+)"/.exec(text)![1]
    await reader.cancel()
    await other.get('DELETE', `/v1/groups/short/members/${memberId}`)
    await expect
      .poll(async () => (await other.ask('DELETE', '/v1/groups/short-2')).status, {
        timeout: 20_000,
      })
      .toBe(204)
    const answer = await other.ask('POST', '/v1/groups/short-2/commit', { tokens: [token] })
    expect(answer).toMatchObject({
      status: 404,
      document: { code: 'GROUP_ID_NOT_FOUND', outcome: 'refused' },
    })
  } finally {
    await broken[Symbol.asyncDispose]()
  }
})
