/** What every home of the metadata promises; run on each implementation. */

import { describe, expect, test } from 'vitest'
import {
  type ClusterStore,
  type EntryEvent,
  VersionConflict,
} from '../../../broker/cluster/cluster-store.ts'

/** Runs the promises on stores made by `open`, each empty. */
export function clusterStoreSuite(name: string, open: () => Promise<ClusterStore>): void {
  describe(`${name} as a cluster store`, () => {
    test('reads back what was written, by prefix, in the order of keys', async () => {
      const store = await open()
      await store.transact([
        { key: 'topics/b', value: '{"b":1}', expect: 'absent' },
        { key: 'topics/a', value: '{"a":1}', expect: 'absent' },
        { key: 'other', value: '1', expect: 'absent' },
      ])
      const topics = await store.read('topics/')
      expect(topics.map((entry) => [entry.key, entry.value])).toEqual([
        ['topics/a', '{"a":1}'],
        ['topics/b', '{"b":1}'],
      ])
    })

    test('changes an entry only from the version its writer saw', async () => {
      const store = await open()
      const [first] = await store.transact([{ key: 'k', value: '1', expect: 'absent' }])
      const [second] = await store.transact([{ key: 'k', value: '2', expect: first! }])
      expect(second).not.toBe(first)
      for (const expected of [first!, 'absent'] as const) {
        await expect(
          store.transact([{ key: 'k', value: '3', expect: expected }]),
        ).rejects.toBeInstanceOf(VersionConflict)
      }
      expect(await store.read('k')).toMatchObject([{ value: '2', version: second }])
    })

    test('never gives a version twice, also after a removal', async () => {
      const store = await open()
      const [first] = await store.transact([{ key: 'k', value: '1', expect: 'absent' }])
      await store.transact([{ key: 'k', value: null, expect: first! }])
      const [again] = await store.transact([{ key: 'k', value: '1', expect: 'absent' }])
      expect(again).not.toBe(first)
    })

    test('makes all changes of a transaction or none', async () => {
      const store = await open()
      const changes = [
        { key: 'new', value: '1', expect: 'absent' },
        { key: 'missing', value: '1', expect: 7 },
      ] as const
      await expect(store.transact(changes)).rejects.toBeInstanceOf(VersionConflict)
      expect(await store.read('')).toEqual([])
    })

    test('lets one of many racing for a key win', async () => {
      const store = await open()
      const racing = Array.from({ length: 20 }, (_, racer) =>
        store.transact([{ key: 'leader', value: String(racer), expect: 'absent' }]),
      )
      const outcomes = await Promise.allSettled(racing)
      const winners = outcomes.flatMap((one, racer) => (one.status === 'fulfilled' ? [racer] : []))
      expect(winners).toHaveLength(1)
      expect(await store.read('leader')).toMatchObject([{ value: String(winners[0]) }])
    })

    test('tells watchers of a prefix what changed, in order, before the change is answered', async () => {
      const store = await open()
      const seen: EntryEvent[] = []
      const end = store.watch('topics/', (events) => seen.push(...events))
      const [version] = await store.transact([
        { key: 'topics/a', value: '1', expect: 'absent' },
        { key: 'other', value: '1', expect: 'absent' },
      ])
      expect(seen).toMatchObject([{ key: 'topics/a', value: '1', version }])
      await store.transact([{ key: 'topics/a', value: null, expect: version! }])
      expect(seen[1]).toEqual({ key: 'topics/a', value: null })
      end()
      await store.transact([{ key: 'topics/b', value: '1', expect: 'absent' }])
      expect(seen).toHaveLength(2)
    })

    test('takes nothing after it was closed', async () => {
      const store = await open()
      await store.close()
      await expect(store.transact([{ key: 'k', value: '1', expect: 'absent' }])).rejects.toThrow()
    })
  })
}
