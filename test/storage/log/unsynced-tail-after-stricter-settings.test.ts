/**
 * A topic with relaxed flush may lose many unsynced groups at a power cut, with holes between. When the
 * next start finds stricter settings (a changed default of the broker), that tail must be cut, not
 * taken for the corruption of something synced.
 */

import { expect, test } from 'vitest'
import { afterPowerCut, append, batchOf, startNew } from './engine.ts'

const SMALL_GROUPS = { 'max.message.bytes': 1024 }
const SEEDS = 60

test('the recovery point, not the settings of the day, says whether a tail may be long', async () => {
  let cut = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const engine = await startNew({
      config: { ...SMALL_GROUPS, 'flush.messages': 1_000_000, 'flush.ms': 3_600_000 },
      settings: { appendGroupBytesMax: 1024 },
    })
    for (let batch = 0; batch < 40; batch += 1) {
      await append(engine.log, batchOf([`${batch}`.padEnd(700, 'x')])).acknowledged
    }
    const again = await afterPowerCut(engine, seed, { config: SMALL_GROUPS })
    expect(again.manager.failures.size, `seed ${seed}`).toBe(0)
    expect(again.log.logEndOffset, `seed ${seed}`).toBeLessThanOrEqual(40)
    if (again.log.logEndOffset < 40) cut += 1
    await append(again.log, batchOf(['after'])).acknowledged
    await again.manager.close()
  }
  expect(cut).toBeGreaterThan(SEEDS / 2)
})
