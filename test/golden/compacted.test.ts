/**
 * A compacted segment means to Kafka's clients what it means to us: batches with records taken out, empty
 * ones, and tombstones with their date, whose timestamps count from it. Skipped, with the reason, where the
 * clients are not (README.md).
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readRecords } from '../../storage/record/batch-reader.ts'
import { COMPRESSION_NAMES, type CompressionName } from '../../storage/record/compression.ts'
import {
  compactNow,
  type Entry,
  keyedBatch,
  START_MS,
  startCompacted,
} from '../storage/compaction/keyed-log.ts'
import { append, batchesIn, FIRST_LOG } from '../storage/log/engine.ts'
import { linesReadBy, READERS } from './readers.ts'
import { contentOf, printedLine } from './records.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'compacted-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

/** A segment in which everything happened: whole, thinned, emptied and dated batches, and one for others. */
async function compactedSegment(compression: CompressionName): Promise<Buffer> {
  const { log, disk } = await startCompacted()
  const put = (producer: number | undefined, ...entries: Entry[]) => {
    const stamp =
      producer === undefined ? {} : { producerId: producer, producerEpoch: 0, baseSequence: 0 }
    const timestamps = entries.map((_, index) => START_MS + ((index * 7) % 3) * 1_000)
    return append(log, keyedBatch(entries, { compression, timestamps, ...stamp })).acknowledged
  }
  await put(undefined, ['whole', 'x'.repeat(300)], ['also', ''])
  await put(undefined, ['a', '1'], ['b', '1'], ['c', '1'])
  await put(7, ['a', '2'])
  await put(undefined, ['c', '2'])
  await put(undefined, ['c', '3'])
  await put(undefined, ['d', null], ['a', '3'], ['c', '4'])
  await log.roll()
  await compactNow(log)
  return disk.medium.contents(FIRST_LOG)
}

describe.each(READERS)('$name', (reader) => {
  beforeAll(() => {
    if (reader.absent !== undefined) {
      console.warn(`${reader.name} did not read our segments: ${reader.absent}`)
    }
  })

  test('reads compacted segments, compressed in every way', async (context) => {
    if (reader.absent !== undefined) context.skip(reader.absent)
    const segments = await Promise.all(COMPRESSION_NAMES.map(compactedSegment))
    const expected: string[] = []
    for (const segment of segments) {
      const batches = batchesIn(segment)
      const shape = batches.map((batch) => [batch.baseOffset, batch.lastOffset, batch.recordCount])
      expect(shape).toEqual([
        [0, 1, 2],
        [2, 4, 1],
        [5, 5, 0],
        [6, 7, 0],
        [8, 10, 3],
      ])
      expect(batches.map(({ producerId }) => producerId)).toEqual([-1, -1, 7, -1, -1])
      expect(batches[4]!.deleteHorizonMs).toBeGreaterThan(START_MS)
      for (const batch of batches) {
        for (const record of readRecords(batch, { maxDecompressedBytes: 10_000 })) {
          expected.push(printedLine(record.offset, contentOf(record)))
        }
      }
    }
    const file = join(directory, `${reader.name}.log`)
    writeFileSync(file, Buffer.concat(segments))
    expect(expected).toHaveLength(6 * COMPRESSION_NAMES.length)
    expect(linesReadBy(reader, file)).toEqual(expected)
  })
})
