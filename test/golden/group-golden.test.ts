/**
 * Records of `__consumer_offsets` as Kafka 4.3's own group coordinator writes them: we read them as what
 * they mean, and write the same bytes. Where Java and Kafka's jars are (README.md), the golden file is
 * made anew and compared, and Kafka reads what we write.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GroupRecord } from '../../broker/groups/records/group-record.ts'
import { decodeGroupRecord, encodeGroupRecord } from '../../broker/groups/records/record-codec.ts'
import { GOLDEN_GROUP_RECORDS } from './group-records.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const GOLDEN = here('kafka-group/records.txt')

interface GoldenLine {
  readonly name: string
  readonly key: Buffer
  readonly value: Buffer | null
}

const LINES: readonly GoldenLine[] = readFileSync(GOLDEN, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => {
    const [name, key, value] = line.split(' ') as [string, string, string]
    return {
      name,
      key: Buffer.from(key, 'hex'),
      value: value === '-' ? null : Buffer.from(value, 'hex'),
    }
  })

test('the golden file has every case that is spelled out, and no other', () => {
  expect(LINES.map(({ name }) => name)).toEqual(Object.keys(GOLDEN_GROUP_RECORDS))
})

test.each(LINES)('$name is read as what it means', ({ name, key, value }) => {
  const expected = GOLDEN_GROUP_RECORDS[name]
  expect(decodeGroupRecord(key, value)).toEqual(
    expected === 'not ours' ? undefined : expected?.record,
  )
})

const WRITTEN = LINES.flatMap((line) => {
  const golden = GOLDEN_GROUP_RECORDS[line.name]
  return typeof golden === 'object' && golden.isWrittenByUs
    ? [{ ...line, record: golden.record }]
    : []
})

test.each(WRITTEN)('$name is written with the same bytes', ({ key, value, record }) => {
  const encoded = encodeGroupRecord(record)
  expect(encoded.key.toString('hex')).toBe(key.toString('hex'))
  expect(encoded.value?.toString('hex')).toBe(value?.toString('hex'))
})

describe("Kafka's own coordinator", () => {
  const classpath = process.env.KAFKA_GROUP_CLASSPATH
  const absent = classpath === undefined ? 'KAFKA_GROUP_CLASSPATH is not set' : undefined
  let directory = ''

  beforeAll(() => {
    if (absent !== undefined) console.warn(`Kafka did not check our group records: ${absent}`)
    directory = mkdtempSync(join(tmpdir(), 'group-golden-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const java = (...args: string[]) =>
    execFileSync('java', ['-cp', classpath ?? '', here('MakeGroupGolden.java'), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  test('makes the golden file again, the same', (context) => {
    if (absent !== undefined) context.skip(absent)
    const file = join(directory, 'again.txt')
    java(file)
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(GOLDEN, 'utf8'))
  })

  test('reads a member with a session time-out of its own, and keeps what it does not know', (context) => {
    if (absent !== undefined) context.skip(absent)
    const member = GOLDEN_GROUP_RECORDS['member-classic']
    if (member === undefined || member === 'not ours') throw new Error('the case is gone')
    const record = {
      ...member.record,
      value: { ...member.record.value, sessionTimeoutMs: 600_000 },
    } as GroupRecord
    const { key, value } = encodeGroupRecord(record)
    const line = `ours ${key.toString('hex')} ${value!.toString('hex')}\n`
    const file = join(directory, 'ours.txt')
    writeFileSync(file, line)
    expect(java('read', file)).toBe(line)
    expect(decodeGroupRecord(key, value)).toEqual(record)
  })
})
