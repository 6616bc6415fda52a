/** Groups as the client's admin shows and changes them: list, describe, offsets and lag, commit, reset, delete. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../client/index.ts'
import { GroupClient } from '../../broker/http/groups/group-client.ts'
import { BrokerSuite, serveSuite } from '../../rigs/broker-suite.ts'
import { DOORS, failure, newTopic, write } from '../reader/doors.ts'

const suite = serveSuite(new BrokerSuite())

describe.each(DOORS)('over $name', ({ name: door, connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('what is committed is told with its lag, and a commit of a group with members is refused', async () => {
    const topic = await newTopic(suite.client, 2)
    await write(suite.client, topic, 20, { partitions: 2 })
    const group = `offsets over ${door}`
    const committed = await client.admin.commitGroupOffsets(group, [
      { topic, partition: 0, offset: 4, metadata: 'so far' },
      { topic, partition: 1, offset: 10 },
    ])
    expect(committed.map(({ offset }) => offset)).toEqual([4, 10])
    expect(await client.admin.groupOffsets(group)).toMatchObject([
      { topic, partition: 0, offset: 4, lag: 6, metadata: 'so far', memberId: null },
      { topic, partition: 1, offset: 10, lag: 0, lagMs: 0 },
    ])
    expect(await client.admin.groupOffsets(group, { topic: 'another' })).toEqual([])
    const curl = new GroupClient(suite.broker.url)
    const { memberId } = await curl.join(encodeURIComponent(group), { topics: [topic] })
    const refused = client.admin.commitGroupOffsets(group, [{ topic, partition: 0, offset: 5 }])
    expect(await failure(refused)).toMatchObject({ code: 'NON_EMPTY_GROUP', outcome: 'refused' })
    expect(await client.admin.describeGroup(group)).toMatchObject({
      groupId: group,
      state: 'stable',
      members: [{ memberId, topics: [topic] }],
      offsets: [{ memberId }, { memberId }],
    })
  })

  test('commits of which some are refused say which', async () => {
    const topic = await newTopic(suite.client)
    const commit = client.admin.commitGroupOffsets(`partly over ${door}`, [
      { topic, partition: 0, offset: 0 },
      { topic, partition: 9, offset: 0 },
    ])
    expect(await failure(commit)).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      outcome: 'partial',
      extensions: {
        offsets: [
          { partition: 0, offset: 0 },
          { partition: 9, error: {} },
        ],
      },
    })
  })

  test('a reset is previewed, done, and undone with what it answered', async () => {
    const topic = await newTopic(suite.client, 2)
    await write(suite.client, topic, 20, { partitions: 2 })
    const group = `reset-over-${door}`
    const { admin } = client
    const place = { topic, partition: 0 }
    await admin.commitGroupOffsets(group, [
      { ...place, offset: 8 },
      { topic, partition: 1, offset: 9 },
    ])
    const at = async () => (await admin.groupOffsets(group)).map(({ offset }) => offset)
    const preview = await admin.resetGroupOffsets(group, { to: { shift: -3 }, dryRun: true })
    expect(preview).toMatchObject({ dryRun: true, recordsAgain: 6 })
    expect(await at()).toEqual([8, 9])
    await admin.resetGroupOffsets(group, { to: { offsets: preview.to } })
    expect(await at()).toEqual([5, 6])
    const done = await admin.resetGroupOffsets(group, { to: 2, partitions: [place] })
    expect(await at()).toEqual([2, 6])
    await admin.resetGroupOffsets(group, { to: { offsets: done.from } })
    expect(await at()).toEqual([5, 6])
    await admin.resetGroupOffsets(group, { to: 'latest', topics: [topic] })
    expect(await at()).toEqual([10, 10])
    // Records have the times 1000 to 1019.
    await admin.resetGroupOffsets(group, { to: new Date(1_010), topics: [topic] })
    expect(await at()).toEqual([5, 5])
    const wrong = failure((async () => admin.resetGroupOffsets(group, { to: 'yesterday' }))())
    expect(await wrong).toMatchObject({ code: 'INVALID_REQUEST' })
  })

  test('groups are listed, page by page, and gone when they are deleted', async () => {
    const topic = await newTopic(suite.client)
    const names = [0, 1, 2, 3, 4].map((it) => `listed over ${door} ${it}`)
    for (const name of names) {
      await client.admin.commitGroupOffsets(name, [{ topic, partition: 0, offset: 0 }])
    }
    const listed = async () => {
      const groups = await Array.fromAsync(client.admin.listGroups({ pageSize: 2 }))
      return groups.filter(({ groupId }) => groupId.startsWith(`listed over ${door}`))
    }
    expect(await listed()).toMatchObject(
      names.map((groupId) => ({ groupId, state: 'empty', members: 0 })),
    )
    await client.admin.deleteGroup(names[2]!)
    expect((await listed()).map(({ groupId }) => groupId)).toEqual(names.toSpliced(2, 1))
    for (const call of [
      client.admin.describeGroup(names[2]!),
      client.admin.deleteGroup(names[2]!),
      client.admin.groupOffsets(names[2]!),
    ]) {
      expect(await failure(call)).toMatchObject({ code: 'GROUP_ID_NOT_FOUND' })
    }
  })

  test('a name that is none is refused before anything is asked', async () => {
    const nowhere = connect('http://127.0.0.1:9')
    const asked = (async () => nowhere.admin.describeGroup('..'))()
    expect(await failure(asked)).toMatchObject({ code: 'INVALID_GROUP_ID', outcome: 'refused' })
  })
})
