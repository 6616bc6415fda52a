/**
 * Batches we make mean to other clients what they mean to us. Needs those clients: see README.md for
 * how to have them; skipped, with the reason, where they are not.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { COMPRESSION_NAMES } from '../../storage/record/compression.ts'
import { toOffset } from '../../storage/record/offsets.ts'
import { RecordBatch } from '../../storage/record/record-batch.ts'
import { linesReadBy, READERS } from './readers.ts'
import { FIELDS, type GoldenRecord, MANY, printedLine } from './records.ts'

const BASE_OFFSET = 123_456_789_012

let directory = ''

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'readback-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

function makeBatch(
  records: readonly GoldenRecord[],
  compression: (typeof COMPRESSION_NAMES)[number],
) {
  const builder = new BatchBuilder({
    compression,
    producerId: 4242,
    producerEpoch: 7,
    baseSequence: 3,
  })
  for (const { timestamp, key, value, headers } of records) {
    builder.append(timestamp, key, value, headers)
  }
  const batch = new RecordBatch(builder.build())
  batch.assign(toOffset(BASE_OFFSET), 9)
  return batch.buffer
}

describe.each(READERS)('$name', (reader) => {
  beforeAll(() => {
    if (reader.absent !== undefined) {
      console.warn(`${reader.name} did not read our batches: ${reader.absent}`)
    }
  })

  test.for(COMPRESSION_NAMES)('reads our %s batches', (compression, context) => {
    if (reader.absent !== undefined) context.skip(reader.absent)
    const file = join(directory, `${reader.name}.${compression}.batch`)
    writeFileSync(
      file,
      Buffer.concat([makeBatch(FIELDS, compression), makeBatch(MANY, compression)]),
    )
    const expected = [FIELDS, MANY].flatMap((records) =>
      records.map((record, index) => printedLine(BASE_OFFSET + index, record)),
    )
    expect(linesReadBy(reader, file)).toEqual(expected)
  })
})
