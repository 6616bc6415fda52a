/** Finished batches are the same bytes wherever they are put and however they are compressed. */

import { expect, test } from 'vitest'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { COMPRESSION_NAMES } from '../../../storage/record/compression.ts'
import { SeededRandom } from '../../rigs/random.ts'

const random = new SeededRandom(7)
/** Text and noise, so that some LZ4 blocks compress and some are kept as they are. */
const VALUES = Array.from({ length: 300 }, (_, at) =>
  at < 150 ? Buffer.from(`value ${at % 7} `.repeat(100)) : random.bytes(1_000),
)

function filled(builder: BatchBuilder, values: readonly Buffer[]): BatchBuilder {
  for (const [at, value] of values.entries()) builder.append(1_000 + at, null, value)
  return builder
}

test.each(
  COMPRESSION_NAMES.flatMap((compression) => [
    { compression, count: 1 },
    { compression, count: VALUES.length },
  ]),
)('$compression, $count records, in memory that is lent', async ({ compression, count }) => {
  const values = VALUES.slice(-count)
  const plain = filled(new BatchBuilder({ compression }), values)
  const lent: Buffer[] = []
  const allocate = (bytes: number) => {
    const memory = Buffer.alloc(bytes + 20, 0xa5).subarray(10, 10 + bytes)
    lent.push(memory)
    return memory
  }
  const builder = filled(new BatchBuilder({ compression, allocate }), values)
  const [here, elsewhere] = [builder.build(), await builder.buildElsewhere()]
  expect(here.equals(plain.build())).toBe(true)
  // zstd's frame says less of itself where it is made piece by piece.
  expect(elsewhere.equals(await plain.buildElsewhere())).toBe(true)
  expect(lent).toHaveLength(2)
  for (const [at, batch] of [here, elsewhere].entries()) {
    expect([batch.buffer, batch.byteOffset]).toEqual([lent[at]?.buffer, lent[at]?.byteOffset])
    const around = Buffer.from(batch.buffer)
    expect(around.subarray(0, 10).every((byte) => byte === 0xa5)).toBe(true)
    expect(around.subarray(10 + batch.length).every((byte) => byte === 0xa5)).toBe(true)
  }
})
