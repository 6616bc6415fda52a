/**
 * Batches we make mean to other clients what they mean to us. Needs those clients: see README.md for
 * how to have them; skipped, with the reason, where they are not.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { COMPRESSION_NAMES } from '../../storage/record/compression.ts'
import { toOffset } from '../../storage/record/offsets.ts'
import { RecordBatch } from '../../storage/record/record-batch.ts'
import { FIELDS, type GoldenRecord, MANY, printedLine } from './records.ts'

interface Reader {
  readonly name: string
  readonly command: string
  readonly before: readonly string[]
  readonly absent: string | undefined
}

const BASE_OFFSET = 123_456_789_012
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const READERS: readonly Reader[] = [python(), java()]

function python(): Reader {
  const command = ['/usr/bin/python3', 'python3'].find(
    (path) => spawnSync(path, ['-c', 'import kafka, lz4, snappy, zstandard']).status === 0,
  )
  return {
    name: 'kafka-python',
    command: command ?? '',
    before: [here('make.py'), 'read'],
    absent:
      command === undefined
        ? 'no python3 here has the modules kafka, lz4, snappy and zstandard'
        : undefined,
  }
}

function java(): Reader {
  const classpath = process.env.KAFKA_CLASSPATH
  return {
    name: 'kafka-java',
    command: 'java',
    before: ['-cp', classpath ?? '', here('MakeGolden.java'), 'read'],
    absent: classpath === undefined ? 'KAFKA_CLASSPATH is not set' : undefined,
  }
}

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
    const output = execFileSync(reader.command, [...reader.before, file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PYTHONIOENCODING: 'utf8' },
    })
    const expected = [FIELDS, MANY].flatMap((records) =>
      records.map((record, index) => printedLine(BASE_OFFSET + index, record)),
    )
    expect(output.trimEnd().split('\n')).toEqual(expected)
  })
})
