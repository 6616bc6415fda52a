/**
 * A log that is compacted, beside a model of what it must hold: appends, overwrites, tombstones, rolls,
 * compactions (also with memory for a few keys only), deleted prefixes, time and restarts, all drawn from a
 * seed. After every step that may lose something everything is read and compared.
 */

import { basename } from 'node:path'
import { expect } from 'vitest'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import { COMPRESSION_NAMES } from '../../../storage/record/compression.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { RecordBatch } from '../../../storage/record/record-batch.ts'
import { SeededRandom } from '../../rigs/random.ts'
import {
  afterCleanStop,
  afterKill,
  afterPowerCut,
  append,
  DECOMPRESSED_BYTES_MAX,
  type Engine,
  LOG_DIRECTORY,
} from '../log/engine.ts'
import {
  batchesOf,
  compactNow,
  type Entry,
  type Found,
  keyedBatch,
  recordsOf,
  START_MS,
  startCompacted,
} from './keyed-log.ts'

const KEYS = 30
const DELETE_RETENTION_MS = 5_000
const CONFIGS = [
  { 'segment.bytes': 1_024 },
  { 'segment.bytes': 3_000 },
  { 'segment.bytes': 100_000, 'message.timestamp.type': 'LogAppendTime' },
] as const

interface Appended extends Found {
  readonly appendedAtMs: number
}

interface Producer {
  readonly id: number
  sequence: number
  last: { batch: Buffer; baseOffset: number } | undefined
}

export class CompactionModel {
  readonly #random: SeededRandom
  readonly #records: Appended[] = []
  readonly #producers: Producer[] = [
    { id: -1, sequence: -1, last: undefined },
    { id: 7, sequence: 0, last: undefined },
    { id: 8, sequence: 0, last: undefined },
  ]
  /** Offsets that were missing once: they must not come back. */
  readonly #gone = new Set<number>()
  #engine: Engine
  /** The end of what the last compaction that came to its end looked at. */
  #firstDirty = 0

  private constructor(random: SeededRandom, engine: Engine) {
    this.#random = random
    this.#engine = engine
  }

  static async start(seed: number): Promise<CompactionModel> {
    const random = new SeededRandom(seed)
    const engine = await startCompacted({
      ...random.pick(CONFIGS),
      'delete.retention.ms': DELETE_RETENTION_MS,
      'index.interval.bytes': random.pick([0, 300]),
      'file.delete.delay.ms': 0,
    })
    return new CompactionModel(random, engine)
  }

  async step(): Promise<void> {
    const kind = this.#random.next()
    if (kind < 0.6) await this.#append()
    else if (kind < 0.7) await this.#log.roll()
    else if (kind < 0.85) await this.#compact()
    else if (kind < 0.9) this.#engine.clock.advance(this.#random.pick([10, 2_000, 6_000]))
    else if (kind < 0.93) await this.#deletePrefix()
    else await this.#restart()
  }

  /** Everything closed and compacted, twice, with the tombstones' time over in between. */
  async finish(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await this.#log.roll()
      const compacted = await compactNow(this.#log)
      if (compacted !== undefined) this.#firstDirty = compacted.firstDirty
      await this.check()
      this.#engine.clock.advance(DELETE_RETENTION_MS)
      await this.#appendOne(['end', String(round)])
    }
    await this.#engine.manager.close()
    expect(this.#engine.disk.openPaths).toEqual([])
  }

  get #log() {
    return this.#engine.log
  }

  #entry(): Entry {
    const key = `k${this.#random.below(KEYS)}`
    const isTombstone = this.#random.chance(0.2)
    return [key, isTombstone ? null : 'v'.repeat(this.#random.below(60))]
  }

  async #append(): Promise<void> {
    const count = this.#random.chance(0.4) ? 1 : this.#random.between(2, 9)
    const entries = Array.from({ length: count }, () => this.#entry())
    const producer = this.#random.pick(this.#producers)
    const timestamps = entries.map(() => START_MS + this.#random.below(100_000))
    const batch = keyedBatch(entries, {
      compression: this.#random.pick(COMPRESSION_NAMES),
      timestamps,
      ...(producer.id < 0
        ? {}
        : { producerId: producer.id, producerEpoch: 0, baseSequence: producer.sequence }),
    })
    const copy = Buffer.from(batch)
    const appended = append(this.#log, batch)
    await appended.acknowledged
    if (producer.id >= 0) {
      producer.sequence += count
      producer.last = { batch: copy, baseOffset: appended.baseOffset }
    }
    this.#note(entries, appended.baseOffset, timestamps, appended.logAppendTime)
  }

  async #appendOne(entry: Entry): Promise<void> {
    const appended = append(this.#log, keyedBatch([entry]))
    await appended.acknowledged
    this.#note([entry], appended.baseOffset, [START_MS], appended.logAppendTime)
  }

  #note(
    entries: readonly Entry[],
    baseOffset: number,
    timestamps: readonly number[],
    logAppendTime: number,
  ): void {
    for (const [at, [key, value]] of entries.entries()) {
      expect(this.#records.length).toBe(baseOffset + at)
      this.#records.push({
        offset: baseOffset + at,
        key,
        value,
        timestamp: logAppendTime >= 0 ? logAppendTime : timestamps[at]!,
        headers: `at:${at}`,
        appendedAtMs: this.#engine.clock.now(),
      })
    }
  }

  async #compact(): Promise<void> {
    const mapBytesMax = this.#random.pick([1, 1_000_000])
    const bufferBytes = this.#random.pick([100, 4_096])
    const compacted = await compactNow(this.#log, { mapBytesMax, bufferBytes })
    if (compacted !== undefined) this.#firstDirty = compacted.firstDirty
    await this.check()
  }

  async #deletePrefix(): Promise<void> {
    const { logStartOffset, highWatermark } = this.#log
    const before = this.#random.between(logStartOffset, Math.min(highWatermark, logStartOffset + 5))
    await this.#log.deletePrefix(toOffset(before))
    await this.check()
  }

  async #restart(): Promise<void> {
    const kind = this.#random.next()
    if (this.#random.chance(0.3)) await this.#loseSnapshots()
    if (kind < 0.4) this.#engine = await afterCleanStop(this.#engine)
    else if (kind < 0.7) this.#engine = await afterKill(this.#engine)
    else this.#engine = await afterPowerCut(this.#engine, this.#random.next32())
    await this.check()
    await this.#repeat()
  }

  /** What is known of producers is then what the log still says. */
  async #loseSnapshots(): Promise<void> {
    const { disk } = this.#engine
    for (const path of disk.medium.paths(LOG_DIRECTORY)) {
      if (path.endsWith('.snapshot')) await disk.removeFile(path)
    }
  }

  /** Also with every record of its batch compacted away, a producer's repeat is known. */
  async #repeat(): Promise<void> {
    const producer = this.#random.pick(this.#producers)
    if (producer.last === undefined) return
    const repeated = append(this.#log, Buffer.from(producer.last.batch))
    expect(repeated).toMatchObject({ duplicate: true, baseOffset: producer.last.baseOffset })
    await repeated.acknowledged
  }

  async check(): Promise<void> {
    const found = await recordsOf(this.#log, this.#random.pick([1, 500, 100_000]))
    const present = new Map(found.map((record) => [record.offset, record]))
    for (const record of found) {
      const original = this.#records[record.offset]!
      // Compared by hand: there are many, and they are nearly always right.
      if (!isSame(record, original)) expect(record).toEqual(original)
      if (this.#gone.has(record.offset)) expect.fail(`offset ${record.offset} is back`)
    }
    this.#checkKeys(present)
    for (const { offset } of this.#records) if (!present.has(offset)) this.#gone.add(offset)
    await this.#checkBatches()
    await this.#checkTime(found)
    this.#checkFiles()
  }

  #checkKeys(present: ReadonlyMap<number, Found>): void {
    const start = this.#log.logStartOffset
    const newest = new Map<string, Appended>()
    for (const record of this.#records) if (record.offset >= start) newest.set(record.key!, record)
    const cleaned = new Map<string, number>()
    for (const { offset, key } of present.values()) {
      if (offset < this.#firstDirty) cleaned.set(key!, (cleaned.get(key!) ?? 0) + 1)
      const last = newest.get(key!)!
      const isDeleted = last.value === null && !present.has(last.offset)
      if (isDeleted) expect.fail(`${key} at ${offset} was deleted at ${last.offset}`)
    }
    for (const [key, { offset, value, appendedAtMs }] of newest) {
      if (present.has(offset)) continue
      const age = this.#engine.clock.now() - appendedAtMs
      const mayBeGone = value === null && age >= DELETE_RETENTION_MS
      expect(mayBeGone, `${key} at ${offset}, ${value}, is gone`).toBe(true)
    }
    for (const [key, count] of cleaned) {
      expect(count, `${key} below ${this.#firstDirty}`).toBe(1)
    }
  }

  /** No gap, and what is said of a batch is so. */
  async #checkBatches(): Promise<void> {
    for (const batch of await batchesOf(this.#log)) {
      const { recordCount, lastOffsetDelta, sizeBytes, maxTimestamp, baseOffset } = batch
      const isRight =
        recordCount === 0
          ? sizeBytes === 61
          : recordCount <= lastOffsetDelta + 1 && maxTimestamp === Math.max(...timestampsIn(batch))
      if (!isRight) expect.fail(`the header of the batch at ${baseOffset} is not right`)
    }
  }

  /** Nothing is left over, and every closed segment has its indexes. */
  #checkFiles(): void {
    const names = this.#engine.disk.medium.paths(LOG_DIRECTORY).map((path) => basename(path))
    expect(names.filter((name) => /\.(cleaned|swap|tmp)$/.test(name))).toEqual([])
    const bases = names.filter((name) => name.endsWith('.log')).map((name) => name.slice(0, -4))
    for (const base of bases.slice(0, -1)) {
      expect(names).toEqual(expect.arrayContaining([`${base}.index`, `${base}.timeindex`]))
    }
  }

  async #checkTime(found: readonly Found[]): Promise<void> {
    const timestamp = START_MS + this.#random.below(110_000)
    const first = found.find((record) => record.timestamp >= timestamp)
    expect(await this.#log.offsetForTime(timestamp)).toEqual(
      first && { offset: first.offset, timestamp: first.timestamp },
    )
  }
}

function isSame(found: Found, appended: Appended): boolean {
  return (
    found.offset === appended.offset &&
    found.key === appended.key &&
    found.value === appended.value &&
    found.timestamp === appended.timestamp &&
    found.headers === appended.headers
  )
}

function timestampsIn(batch: RecordBatch): number[] {
  const records = readRecords(batch, { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX })
  return [...records].map(({ timestamp }) => timestamp)
}
