/** An idempotent producer is remembered though nothing it wrote is left, also by the log alone. */

import { expect, test } from 'vitest'
import { afterKill, append, type Engine, LOG_DIRECTORY } from '../log/engine.ts'
import { batchesOf, compactNow, keyedBatch, put, startCompacted, wordsOf } from './keyed-log.ts'

const stamp = (baseSequence: number) => ({ producerId: 7, producerEpoch: 3, baseSequence })
const last = () =>
  keyedBatch(
    [
      ['a', '3'],
      ['b', '3'],
    ],
    { compression: 'lz4', ...stamp(2) },
  )

/** Three batches of a producer, all of them replaced by others, compacted. */
async function replaced(): Promise<Engine> {
  const engine = await startCompacted()
  const { log } = engine
  await append(log, keyedBatch([['a', '1']], stamp(0))).acknowledged
  await append(log, keyedBatch([['a', '2']], stamp(1))).acknowledged
  await append(log, last()).acknowledged
  await put(log, 'a=4 b=4')
  await log.roll()
  await compactNow(log)
  return engine
}

async function afterLosingSnapshots(engine: Engine): Promise<Engine> {
  for (const path of engine.disk.medium.paths(LOG_DIRECTORY)) {
    if (path.endsWith('.snapshot')) await engine.disk.removeFile(path)
  }
  return afterKill(engine)
}

test('of its batches the newest stays, without its records', async () => {
  const { log } = await replaced()
  expect(await wordsOf(log)).toBe('4:a=4 5:b=4')
  const [gap, kept] = await batchesOf(log)
  expect(gap).toMatchObject({ baseOffset: 0, lastOffset: 1, recordCount: 0, producerId: -1 })
  expect(kept).toMatchObject({
    ...{ baseOffset: 2, lastOffset: 3, recordCount: 0, sizeBytes: 61, compression: 'none' },
    ...{ producerId: 7, producerEpoch: 3, baseSequence: 2, lastSequence: 3 },
  })
})

test('its repeat is known, and it must go on where it was, though both snapshots are lost', async () => {
  const { log } = await afterLosingSnapshots(await replaced())
  expect(append(log, last())).toMatchObject({ duplicate: true, baseOffset: 2, lastOffset: 3 })
  expect(() => append(log, keyedBatch([['a', '5']], stamp(9)))).toThrow(/continue with sequence 4/)
  expect(append(log, keyedBatch([['a', '5']], stamp(4)))).toMatchObject({ baseOffset: 6 })
})

test('once more compactions change nothing of that', async () => {
  const engine = await replaced()
  for (const words of ['c=1', 'c=2']) {
    await put(engine.log, words)
    await engine.log.roll()
    await compactNow(engine.log)
  }
  const { log } = await afterLosingSnapshots(engine)
  expect(append(log, last())).toMatchObject({ duplicate: true, baseOffset: 2 })
})

test('a batch is let go when the producer wrote another, and when it is forgotten', async () => {
  const engine = await replaced()
  const { log, clock } = engine
  await append(log, keyedBatch([['c', '1']], stamp(4))).acknowledged
  await log.roll()
  await compactNow(log)
  const ofProducer = async () =>
    (await batchesOf(log))
      .filter(({ producerId }) => producerId === 7)
      .map((batch) => batch.baseOffset)
  expect(await ofProducer()).toEqual([6])
  await put(log, 'c=2')
  await log.roll()
  clock.advance(86_400_001)
  log.forgetIdleProducers()
  await compactNow(log)
  expect(await ofProducer()).toEqual([])
})
