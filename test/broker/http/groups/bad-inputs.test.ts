/** Whoever sends something wrong is told which field it was, what it had and what it takes. */

import { beforeAll, expect, test } from 'vitest'
import { ServingGroupClient } from './group-client.ts'

const client = ServingGroupClient.serve()
beforeAll(async () => {
  await client.topic('t', 2, 2)
  await client.join('g', { topics: ['t'], memberId: 'm' })
})

const T0 = { topic: 't', partition: 0 }
const LONG = 'x'.repeat(250)

type Case = readonly [method: string, path: string, body: unknown, field: string, detail: RegExp]

const JOINS: readonly Case[] = (
  [
    [{ sessionTimeoutMs: 3_000_000 }, 'sessionTimeoutMs', /is 3000000, .*from 1000 to 1800000/],
    [{ rebalanceTimeoutMs: 10 }, 'rebalanceTimeoutMs', /is 10, .*from 1000 to 1800000/],
    [{ memberId: '' }, 'memberId', /"", .*1 to 249 characters/],
    [{ memberId: LONG }, 'memberId', /1 to 249 characters/],
    [{ instanceId: 'a\nb' }, 'instanceId', /1 to 249 characters/],
    [{ clientId: '' }, 'clientId', /1 to 249 characters/],
    [{ clientId: '\ud800' }, 'clientId', /surrogate/],
    [{ from: 'soon' }, 'from', /"soon": expected earliest, latest/],
    [{ topics: ['t', 'a b'] }, 'topics[1]', /"a b".*1 to 249/],
    [{ topics: undefined, topicPattern: '(' }, 'topicPattern', /RE2.*missing closing/],
    [{ topics: undefined, topicPattern: '(', from: 'latest' }, 'topicPattern', /RE2.*missing/],
    [{ assignor: 'sticky' }, 'assignor', /"sticky".*"uniform", "range"/],
  ] as const
).map(([body, field, detail]) => {
  return ['POST', 'g/members', { topics: ['t'], ...body }, field, detail]
})

const RESETS: readonly Case[] = (
  [
    [{ to: 5 }, 'to', /is 5, .*text .* or an object with shift or an object with offsets/],
    [{ to: {} }, 'to', /an object with shift or an object with offsets/],
    [{ to: { shift: 1.5 } }, 'to.shift', /is 1.5, which is not an integer/],
    [{ to: { offsets: [] } }, 'to.offsets', /is \[\], which is not an array of 1 to/],
    [{ to: { offsets: [{ ...T0, offset: -1 }] } }, 'to.offsets[0].offset', /is -1,.*from 0/],
    [{ to: { shift: 1, offset: 2 } }, 'to.offset', /not known/],
    [{ to: 'tomorrow' }, 'to', /"tomorrow": expected earliest/],
    [{ to: 'latest', partitions: [T0, T0] }, 'partitions', /partition 0 of t .*twice/],
    [{ to: { offsets: [0, 1].map((offset) => ({ ...T0, offset })) } }, 'to', /of t .*twice/],
    [{ to: 'latest', topics: ['t'], partitions: [T0] }, 'partitions', /topics has whole/],
  ] as const
).map(([body, field, detail]) => ['POST', 'g/offsets/reset', body, field, detail])

const OTHERS: readonly Case[] = [
  ['POST', 'g/commit', { tokens: ['A'.repeat(2_000)] }, 'tokens[0]', /1 to 1088 characters/],
  ['POST', 'g/commit', { tokens: ['AAAA', 'AAAA'] }, 'tokens[0]', /field tokens\[0\] is no token/],
  [
    'PUT',
    'g/offsets',
    { memberEpoch: 1, offsets: [{ ...T0, offset: 1 }] },
    'memberId',
    /memberEpoch/,
  ],
  [
    'PUT',
    'g/offsets',
    { memberId: 'm', offsets: [{ ...T0, offset: 1 }] },
    'memberEpoch',
    /memberId/,
  ],
  ['GET', 'g/records?topics=a,,b', undefined, 'topics', /must not be empty/],
  ['GET', 'g/records?topics=t&from=soon', undefined, 'from', /"soon": expected/],
  ['GET', 'g/records?topicPattern=(', undefined, 'topicPattern', /missing closing/],
  [
    'GET',
    'g/records?topics=t&rebalanceTimeoutMs=5',
    undefined,
    'rebalanceTimeoutMs',
    /is 5, .*1000/,
  ],
]

test.each([...JOINS, ...RESETS, ...OTHERS])('%s %s %j: names %s', async (...of) => {
  const [method, path, body, field, detail] = of
  const { status, headers, document } = await client.ask(method, `/v1/groups/${path}`, body)
  expect(status).toBe(400)
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(document).toMatchObject({ status: 400, field })
  expect(document.detail).toMatch(detail)
})
