/** How old the next record of a group is, whatever the log keeps in its batches' headers. Over a real log. */

import { expect, test } from 'vitest'
import { LagReader } from '../../../broker/groups/lag.ts'
import { Throttle } from '../../../storage/compaction/pace.ts'
import { workPlaceHere } from '../../../storage/compaction/work-place.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { ManualClock } from '../../rigs/clock.ts'
import { append, startNew } from '../../storage/log/engine.ts'

const HOUR_MS = 3_600_000
const MIB = 1 << 20

test.each([
  ['in whole batches', [['a', '1']]],
  ['behind a tombstone that waits for its time to go', [['gone', null]]],
  ['where the records before it were removed', [['b', 'old']]],
] as const)('lag in time is the age of the next record %s', async (_, before) => {
  const { log, clock } = await startNew({ config: { 'cleanup.policy': 'compact' } })
  const writtenAt = clock.now()
  const batch = new BatchBuilder({ compression: 'none' })
  for (const [key, value] of before) {
    batch.append(writtenAt - HOUR_MS, Buffer.from(key), value === null ? null : Buffer.from(value))
  }
  batch.append(writtenAt, Buffer.from('b'), Buffer.from('2'))
  await append(log, batch.build()).acknowledged
  await log.roll()
  clock.advance(10 * HOUR_MS)
  const partition = {
    topicId: '00000000-0000-4000-8000-000000000001',
    partition: 0,
    logStartOffset: log.logStartOffset,
    highWatermark: log.logEndOffset,
    read: log.read.bind(log),
  }
  const lagAt = (offset: number) =>
    new LagReader({ maxDecompressedBytes: MIB }).lagAt(partition, offset, clock.now())
  const uncompacted = { records: 2, ms: 11 * HOUR_MS }
  expect(await lagAt(0)).toEqual(uncompacted)
  await log.compaction.run({
    work: workPlaceHere(),
    throttle: new Throttle(new ManualClock(), Number.MAX_SAFE_INTEGER),
    bufferBytes: 4_096,
    maxDecompressedBytes: MIB,
    mapBytesMax: MIB,
    reserveBytes: 0,
  })
  const hasRemoved = before[0][0] === 'b'
  expect(await lagAt(0)).toEqual(hasRemoved ? { records: 2, ms: 10 * HOUR_MS } : uncompacted)
  expect(await lagAt(1)).toEqual({ records: 1, ms: 10 * HOUR_MS })
})
