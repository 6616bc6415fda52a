/** A worker in one request with an instance id: a connection that ends is a restart, and its partitions wait. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { GroupDescription } from '../../../../client/api/schemas/groups.ts'
import { BrokerProcess } from '../../../rigs/broker-process.ts'
import { GroupClient, partitionsOf, ServingGroupClient } from './group-client.ts'
import { GroupWorkerClient } from './group-worker-client.ts'

const SESSION_MS = 2_000

const client = ServingGroupClient.serve({ groupSessionMs: SESSION_MS })

const membersOf = async (group: string, of: GroupClient = client) =>
  (await of.get<GroupDescription>('GET', `/v1/groups/${group}`)).members

/** Resolves once the broker has noticed that the connection ended: the epoch of who is away is below 0. */
async function away(group: string): Promise<void> {
  await expect
    .poll(async () => (await membersOf(group))[0]?.memberEpoch, { timeout: 20_000, interval: 10 })
    .toBeLessThan(0)
}

test('its partitions wait while it restarts, and old tokens are good still', async () => {
  await client.topic('waits', 2, 4)
  const query = 'topics=waits&instanceId=one'
  const first = await GroupWorkerClient.open(client.url, 'waiters', query)
  const records = await first.records(4)
  await first[Symbol.asyncDispose]()
  await away('waiters')
  const before = await membersOf('waiters')
  expect(before).toMatchObject([{ instanceId: 'one', sessionTimeoutMs: SESSION_MS }])

  await using back = await GroupWorkerClient.open(client.url, 'waiters', query)
  expect(partitionsOf((await back.next('assigned')).partitions)).toBe('waits/0 waits/1')
  const [again] = await membersOf('waiters')
  expect(again!.memberId).toBe(before[0]!.memberId)
  await client.get('POST', '/v1/groups/waiters/commit', { tokens: [records[0]!.token] })
})

test('while it is away nobody else gets them; after its session they are free', async () => {
  await client.topic('kept', 2, 4)
  const first = await GroupWorkerClient.open(client.url, 'keepers', 'topics=kept&instanceId=one')
  await first.records(4)
  await first[Symbol.asyncDispose]()
  await away('keepers')
  await using second = await GroupWorkerClient.open(client.url, 'keepers', 'topics=kept')
  expect((await second.next('assigned')).partitions).toEqual([])
  expect(await second.records(4)).toHaveLength(4)
  expect(await membersOf('keepers')).toMatchObject([{ instanceId: null }])
})

test('a second connection of a living instance is refused, and disturbs nobody', async () => {
  await client.topic('twins', 1, 1)
  const query = 'topics=twins&instanceId=one'
  await using first = await GroupWorkerClient.open(client.url, 'twinned', query)
  await first.records(1)
  const twin = await client.ask('GET', `/v1/groups/twinned/records?${query}`)
  expect(twin).toMatchObject({ status: 409, document: { code: 'UNRELEASED_INSTANCE_ID' } })
  await client.write('twins', 1, 1, 2)
  expect(await first.records(1)).toMatchObject([{ offset: 1 }])
  // The same instance of another group is another one.
  await using other = await GroupWorkerClient.open(client.url, 'twinned-2', query)
  expect(await other.records(2)).toHaveLength(2)
})

test('after kill -9 of the broker it has its partitions back at once, not after its session', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-instance-'))
  const query = 'topics=crashed&instanceId=one'
  try {
    const first = await BrokerProcess.start({ dataDir })
    await new GroupClient(first.url).topic('crashed', 2, 4)
    const worker = await GroupWorkerClient.open(first.url, 'crashers', query)
    await worker.records(4)
    first.kill()
    await first.ended()
    await worker[Symbol.asyncDispose]()

    await using second = await BrokerProcess.start({ dataDir })
    await using back = await GroupWorkerClient.open(second.url, 'crashers', query)
    expect(partitionsOf((await back.next('assigned')).partitions)).toBe('crashed/0 crashed/1')
    const alive = new GroupClient(second.url)
    expect(await membersOf('crashers', alive)).toMatchObject([{ sessionTimeoutMs: 45_000 }])
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}, 60_000)
