/** Many groups, many members, and a member that polls without end: bounded, told so, and gone again. */

import { type BrokerUnderAttack, LIMITS } from './broker-under-attack.ts'
import { answersInWords, answersOf, countOf, floodMany, hangUp } from './flood-client.ts'
import { expectOnly, type Flood, HEAD, within } from './flood-rig.ts'

const GROUPS = LIMITS['groups.max'] * 2
const CONNECTIONS = 20

const sent = (line: string, body: string) =>
  `${line} ${HEAD}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`

const manyGroups: Flood = {
  name: `${GROUPS} groups that commit once`,
  run: async (broker) => {
    const body = '{"offsets":[{"topic":"taken","partition":0,"offset":0}]}'
    const ask = (index: number) => sent(`PUT /v1/groups/flood-${index}/offsets`, body)
    const each = GROUPS / CONNECTIONS
    const connections = await floodMany(CONNECTIONS, broker.port, (index) =>
      Array.from({ length: each }, (_, at) => ask(index * each + at)).join(''),
    )
    await within(() => countOf(answersOf(connections)) >= GROUPS)
    hangUp(connections)
    const answers = answersOf(connections)
    const problems = expectOnly(answers, 200, 429)
    const kept = await floodGroups(broker)
    if (kept.length > LIMITS['groups.max']) problems.push(`${kept.length} groups`)
    if ((answers.get(429) ?? 0) < GROUPS - LIMITS['groups.max']) problems.push('too few refused')
    for (const group of kept) await broker.ask(`/v1/groups/${group}`, { method: 'DELETE' })
    return { answer: answersInWords(answers), problems }
  },
}

const manyMembers: Flood = {
  name: '1,000 members that join one group and fall silent, half of them with patterns of their own',
  run: async (broker) => {
    const ask = (index: number) =>
      index % 2 === 0
        ? '{"topics":["taken","untouched"],"sessionTimeoutMs":1000}'
        : `{"topicPattern":"t(aken)?|[x-z]{${index}}","sessionTimeoutMs":1000}`
    const connections = await floodMany(CONNECTIONS, broker.port, (index) =>
      Array.from({ length: 50 }, (_, at) =>
        sent('POST /v1/groups/crowd/members', ask(index * 50 + at)),
      ).join(''),
    )
    await within(() => countOf(answersOf(connections)) >= 1_000)
    hangUp(connections)
    const answers = answersOf(connections)
    const problems = expectOnly(answers, 201, 429)
    const left = async () => JSON.parse((await broker.ask('/v1/groups/crowd')).text).members.length
    const untilMs = performance.now() + 15_000
    while ((await left()) > 0 && performance.now() < untilMs) await pause()
    if ((await left()) > 0) problems.push('members that are silent stay')
    await broker.ask('/v1/groups/crowd', { method: 'DELETE' })
    return { answer: answersInWords(answers), problems }
  },
}

const crossedPolls: Flood = {
  name: '200 polls that wait for one member, all hung up on',
  run: async (broker) => {
    const join = '{"memberId":"poller","topics":["untouched"],"sessionTimeoutMs":1000}'
    const joined = await floodMany(1, broker.port, () =>
      sent('POST /v1/groups/polled/members', join),
    )
    await within(() => countOf(answersOf(joined)) >= 1)
    const poll = sent('POST /v1/groups/polled/members/poller/poll', '{"waitMs":30000}')
    const polls = await floodMany(200, broker.port, () => poll)
    const refused = 200 - LIMITS['waiting.requests.max']
    await within(() => countOf(answersOf(polls)) >= refused)
    hangUp(polls)
    hangUp(joined)
    const answers = answersOf(polls)
    const problems = expectOnly(answers, 429, 200)
    // Nobody speaks for the member any more, whatever was under way when they hung up.
    const left = async () => JSON.parse((await broker.ask('/v1/groups/polled')).text).members.length
    const untilMs = performance.now() + 15_000
    while ((await left()) > 0 && performance.now() < untilMs) await pause()
    if ((await left()) > 0) problems.push('a member stays whose polls are gone')
    await broker.ask('/v1/groups/polled', { method: 'DELETE' })
    return { answer: answersInWords(answers), problems }
  },
}

export const GROUP_FLOODS: readonly Flood[] = [manyGroups, manyMembers, crossedPolls]

async function floodGroups(broker: BrokerUnderAttack): Promise<string[]> {
  const { text } = await broker.ask('/v1/groups?limit=1000')
  const groups = JSON.parse(text).groups as { groupId: string }[]
  return groups.map(({ groupId }) => groupId).filter((name) => name.startsWith('flood-'))
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100))
}
