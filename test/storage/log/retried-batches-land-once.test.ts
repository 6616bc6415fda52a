/** An idempotent producer's retry lands once: while its original is on the way, and after every kind of restart. */

import { expect, test } from 'vitest'
import { ManualClock } from '../../rigs/clock.ts'
import {
  afterCleanStop,
  afterKill,
  afterPowerCut,
  append,
  batchOf,
  type Engine,
  FIRST_LOG,
  newDisk,
  settled,
  startAgain,
  startNew,
  stateOf,
  valuesFrom,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const PRODUCER = { producerId: 42, producerEpoch: 1 }
const SIZES = [1, 3, 2, 1, 4]

/** Five batches of one producer, as it would send them again. */
function fiveBatches(): Buffer[] {
  let baseSequence = 0
  return SIZES.map((size, at) => {
    const values = Array.from({ length: size }, (_, index) => `${at}.${index}`)
    const batch = batchOf(values, { ...PRODUCER, baseSequence })
    baseSequence += size
    return batch
  })
}

const ENDS: [string, (engine: Engine) => Promise<Engine>][] = [
  ['a clean stop', (engine) => afterCleanStop(engine)],
  ['a kill', (engine) => afterKill(engine)],
  ['a power cut', (engine) => afterPowerCut(engine, 3)],
  ['a kill and a clean stop', async (engine) => afterCleanStop(await afterKill(engine))],
  ['a clean stop and a kill', async (engine) => afterKill(await afterCleanStop(engine))],
  ['two clean stops', async (engine) => afterCleanStop(await afterCleanStop(engine))],
]

for (const config of [{}, { 'segment.bytes': 1_024 }]) {
  const segments = 'segment.bytes' in config ? 'across segments' : 'in one segment'
  test.each(ENDS)(
    `after %s, ${segments}, a retry of each of the last five lands once, at its old offsets`,
    async (_, end) => {
      const engine = await startNew({ config })
      const filler = () => append(engine.log, batchOf(['.'.repeat(600)])).acknowledged
      const originals = []
      for (const batch of fiveBatches()) {
        const { baseOffset, lastOffset, acknowledged } = append(engine.log, batch)
        await acknowledged
        await filler()
        originals.push({ baseOffset, lastOffset })
      }
      const { log } = await end(engine)
      const endOffset = log.logEndOffset
      for (const [at, batch] of fiveBatches().entries()) {
        const again = append(log, batch)
        expect(again).toMatchObject({ ...originals[at], duplicate: true, durability: 'flushed' })
        await again.acknowledged
      }
      expect(log.logEndOffset).toBe(endOffset)
      expect(() => append(log, batchOf(['gap'], { ...PRODUCER, baseSequence: 12 }))).toThrow(
        expect.objectContaining({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }),
      )
      const next = append(log, batchOf(['next'], { ...PRODUCER, baseSequence: 11 }))
      expect(next).toMatchObject({ baseOffset: endOffset, duplicate: false })
      await next.acknowledged
    },
  )
}

test('a repeat waits for the same promise as its original', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem })
  const sync = fileSystem.hold((call) => call.operation === 'sync' && call.path === FIRST_LOG)
  const original = append(log, fiveBatches()[0]!)
  await settled()
  const repeat = append(log, fiveBatches()[0]!)
  expect(repeat).toMatchObject({ duplicate: true, durability: 'flushed' })
  expect(repeat.acknowledged).toBe(original.acknowledged)
  expect(await stateOf(repeat.acknowledged)).toBe('pending')
  sync.release()
  await repeat.acknowledged
  const later = append(log, fiveBatches()[0]!)
  expect(later.duplicate).toBe(true)
  await later.acknowledged
  expect(await valuesFrom(log)).toEqual(['0.0'])
})

test('a repeat of a batch whose sync failed is not answered as if it had landed', async () => {
  const { log, disk } = await startNew()
  disk.faults.failNth(1, 'EIO', {
    which: (call) => call.operation === 'sync' && call.path === FIRST_LOG,
  })
  const original = append(log, fiveBatches()[0]!)
  const repeat = append(log, fiveBatches()[0]!)
  await expect(original.acknowledged).rejects.toMatchObject({ outcome: 'unknown' })
  await expect(repeat.acknowledged).rejects.toMatchObject({ outcome: 'unknown' })
  expect(() => append(log, fiveBatches()[0]!)).toThrow(
    expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR' }),
  )
})

test('with relaxed flush a repeat says what its original reached', async () => {
  const { log } = await startNew({ config: { 'flush.messages': 1_000 } })
  await append(log, fiveBatches()[0]!).acknowledged
  expect(append(log, fiveBatches()[0]!)).toMatchObject({ duplicate: true, durability: 'written' })
  await log.flush()
  expect(append(log, fiveBatches()[0]!)).toMatchObject({ duplicate: true, durability: 'flushed' })
})

test('an unsound newest snapshot does not lose the state: the one before it serves', async () => {
  const engine = await startNew()
  await append(engine.log, fiveBatches()[0]!).acknowledged
  await engine.log.roll()
  for (const batch of fiveBatches().slice(1, 3)) await append(engine.log, batch).acknowledged
  await engine.log.roll()
  const newest = FIRST_LOG.replace('0.log', '6.snapshot')
  for (const isClean of [true, false]) {
    const disk = engine.disk.clone(1)
    disk.medium.corrupt(newest, 12, Buffer.from([0xff]))
    const { log } = await startAgain(disk, { ...engine.options, clock: engine.clock })
    for (const batch of fiveBatches().slice(0, 3)) {
      expect(append(log, batch).duplicate).toBe(true)
    }
    expect(append(log, fiveBatches()[3]!).duplicate).toBe(false)
    if (isClean) await disk.removeFile(newest)
  }
})

test('at most two snapshots are kept', async () => {
  const { log, disk, manager } = await startNew()
  for (const batch of fiveBatches()) {
    await append(log, batch).acknowledged
    await log.roll()
  }
  await manager.close()
  const snapshots = disk.medium.paths('/data').filter((path) => path.endsWith('.snapshot'))
  expect(snapshots.length).toBeLessThanOrEqual(2)
})

test('a producer that is forgotten begins anew, one that expired while stopped too', async () => {
  const engine = await startNew({ settings: { producerIdExpirationMs: 10_000 } })
  await append(engine.log, fiveBatches()[0]!).acknowledged
  engine.clock.advance(10_001)
  engine.log.forgetIdleProducers()
  expect(engine.log.producerCount).toBe(0)
  await append(engine.log, fiveBatches()[1]!).acknowledged
  await engine.manager.close()
  engine.clock.advance(10_001)
  const again = await startAgain(engine.disk, { ...engine.options, clock: engine.clock })
  expect(again.log.producerCount).toBe(0)
  expect(append(again.log, fiveBatches()[1]!).duplicate).toBe(false)
})

test('a batch behind the one that is a repeat in the same turn is judged by what is enqueued', async () => {
  const { log } = await startNew()
  const batches = fiveBatches()
  const first = batches.map((batch) => append(log, batch))
  const second = fiveBatches().map((batch) => append(log, batch))
  expect(second.map(({ baseOffset }) => baseOffset)).toEqual(
    first.map(({ baseOffset }) => baseOffset),
  )
  expect(second.every(({ duplicate }) => duplicate)).toBe(true)
  await Promise.all([...first, ...second].map(({ acknowledged }) => acknowledged))
  expect(log.logEndOffset).toBe(11)
})
