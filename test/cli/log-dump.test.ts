/**
 * `spool log dump` tells a sound log from a damaged one, byte by byte, and shows what is in it. The
 * segments here are written by the record builder and the index classes; the command runs as a process.
 */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeSlot, SLOT_BYTES } from '../../storage/file/recovery-point.ts'
import { OffsetIndex } from '../../storage/log/offset-index.ts'
import { TimeIndex } from '../../storage/log/time-index.ts'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { toOffset, toPosition } from '../../storage/record/offsets.ts'
import { RecordBatch } from '../../storage/record/record-batch.ts'
import { onTerminal, spool, spoolLine } from '../rigs/spool-command.ts'

const BIN = join(import.meta.dirname, '../../cli/bin.js')
const NAME = '00000000000000000000'
const BATCHES = 20
const RECORDS_PER_BATCH = 3

let directory: string
let batches: Buffer[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spool-dump-'))
  batches = writeLog()
})
afterEach(() => rmSync(directory, { recursive: true }))

/** A segment of 20 batches with both indexes and a recovery point after the 15th. */
function writeLog(): Buffer[] {
  const written: Buffer[] = []
  const offsets = new OffsetIndex(toOffset(0))
  const times = new TimeIndex(toOffset(0))
  let position = 0
  for (let at = 0; at < BATCHES; at++) {
    const builder = new BatchBuilder({ compression: at % 2 === 0 ? 'lz4' : 'none' })
    for (let record = 0; record < RECORDS_PER_BATCH; record++) {
      const value = Buffer.from(`{"batch":${at},"record":${record}}`)
      builder.append(1_000 + at * 10 + record, Buffer.from(`key-${record}`), value)
    }
    const bytes = builder.build()
    const batch = new RecordBatch(bytes)
    batch.assign(toOffset(at * RECORDS_PER_BATCH), 1)
    if (at % 4 === 3) {
      offsets.append(batch.lastOffset, toPosition(position))
      times.appendIfYounger(batch.maxTimestamp, batch.lastOffset)
    }
    written.push(bytes)
    position += bytes.length
  }
  writeFileSync(join(directory, `${NAME}.log`), Buffer.concat(written))
  writeFileSync(join(directory, `${NAME}.index`), offsets.bytes)
  writeFileSync(join(directory, `${NAME}.timeindex`), times.bytes)
  const slot = encodeSlot({
    topicId: '01234567-89ab-cdef-0123-456789abcdef',
    segmentBaseOffset: toOffset(0),
    position: toPosition(startOf(written, 15)),
    flushedOffset: toOffset(15 * RECORDS_PER_BATCH),
    logStartOffset: toOffset(0),
    lastAppendMs: 1,
    counter: 1,
    isRelaxed: false,
  })
  writeFileSync(join(directory, 'recovery-point'), Buffer.concat([Buffer.alloc(SLOT_BYTES), slot]))
  return written
}

function startOf(all: readonly Buffer[], at: number): number {
  return all.slice(0, at).reduce((sum, batch) => sum + batch.length, 0)
}

function damage(suffix: string, at: number): void {
  const path = join(directory, `${NAME}${suffix}`)
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
}

interface Dump {
  readonly code: number
  readonly rows: readonly { kind: string; [name: string]: unknown }[]
  readonly stdout: string
  readonly stderr: string
}

function dump(...words: string[]): Promise<Dump> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, 'log', 'dump', ...words], (error, stdout, stderr) => {
      const lines = words.includes('--json') ? stdout.trimEnd().split('\n') : []
      const rows = lines.map((line) => JSON.parse(line))
      resolve({ code: error === null ? 0 : Number(error.code), rows, stdout, stderr })
    })
  })
}

const ofKind = (result: Dump, kind: string) => result.rows.filter((row) => row.kind === kind)

test('a sound log: every batch, both indexes, the recovery point, exit code 0', async () => {
  const result = await dump(directory, '--json')
  expect(ofKind(result, 'problem')).toEqual([])
  expect(result.code).toBe(0)
  expect(ofKind(result, 'batch')).toHaveLength(BATCHES)
  expect(ofKind(result, 'offset-index')).toHaveLength(5)
  expect(ofKind(result, 'time-index')).toHaveLength(5)
  expect(ofKind(result, 'recovery-point')).toHaveLength(1)
  expect(ofKind(result, 'summary')).toMatchObject([
    { batches: BATCHES, records: 60, nextOffset: 60 },
  ])
})

test('--records shows keys and values, also of compressed batches', async () => {
  const result = await dump(directory, '--json', '--records')
  const records = ofKind(result, 'record')
  expect(records).toHaveLength(60)
  expect(records[4]).toMatchObject({ offset: 4, key: 'key-1', value: '{"batch":1,"record":1}' })
})

test('one file by itself', async () => {
  const result = await dump(join(directory, `${NAME}.index`), '--json')
  expect(result.rows.every((row) => row.kind === 'offset-index')).toBe(true)
  expect(result.rows).toHaveLength(5)
})

test('every damaged byte of a durable batch is found, wherever it is', async () => {
  const from = startOf(batches, 7)
  const size = batches[7]?.length ?? 0
  for (const at of [16, 17, 21, 30, 60, 61, size - 1]) {
    writeLog()
    damage('.log', from + at)
    const result = await dump(directory, '--json', '--verify')
    expect(result.code, `byte ${at}`).toBe(1)
    expect(ofKind(result, 'problem')[0], `byte ${at}`).toMatchObject({ position: from })
  }
}, 60_000)

test('a damaged base offset breaks the continuity that no checksum covers', async () => {
  damage('.log', startOf(batches, 7) + 7)
  const result = await dump(directory, '--json', '--verify')
  expect(result.code).toBe(1)
  expect(String(ofKind(result, 'problem')[0]?.reason)).toContain('where 21 should follow')
})

test('an unfinished batch after the recovery point is a note; before it, a problem', async () => {
  const path = join(directory, `${NAME}.log`)
  const whole = readFileSync(path)
  writeFileSync(path, whole.subarray(0, whole.length - 5))
  const unfinished = await dump(directory, '--json', '--verify')
  expect(unfinished.code).toBe(0)
  expect(ofKind(unfinished, 'note')).toHaveLength(3) // the log and both of its indexes
  rmSync(join(directory, `${NAME}.index`))
  rmSync(join(directory, `${NAME}.timeindex`))
  writeFileSync(path, whole.subarray(0, startOf(batches, 10)))
  const lost = await dump(directory, '--json', '--verify')
  expect(lost.code).toBe(1)
  expect(String(ofKind(lost, 'problem')[0]?.reason)).toContain('should be durable')
})

test('index entries that point beside a batch, or lie about time, are found', async () => {
  damage('.index', 7)
  expect((await dump(directory, '--json', '--verify')).code).toBe(1)
  writeLog()
  damage('.timeindex', 7)
  expect((await dump(directory, '--json', '--verify')).code).toBe(1)
  writeLog()
  damage('.timeindex', 12 + 11)
  expect((await dump(directory, '--json', '--verify')).code).toBe(1)
})

test('no file is touched', async () => {
  const path = join(directory, `${NAME}.log`)
  const before = statSync(path).mtimeMs
  await dump(directory, '--verify')
  expect(statSync(path).mtimeMs).toBe(before)
})

test('what is no log is said in one line', async () => {
  const missing = await dump(join(directory, 'nothing'))
  expect(missing.code).toBe(1)
  expect(missing.stderr).toBe(`spool log dump: ${join(directory, 'nothing')} does not exist\n`)
  const json = await spool(['log', 'dump', join(directory, 'nothing'), '--json'])
  expect({ code: json.code, stdout: json.stdout }).toEqual({ code: 1, stdout: '' })
  expect(JSON.parse(json.stderr)).toMatchObject({ verb: 'log dump', code: 'FAILED' })
})

test('no key or value in a table moves the cursor of a terminal', async () => {
  const builder = new BatchBuilder({ compression: 'none' })
  builder.append(1_000, Buffer.from('\x1b[2J'), Buffer.from('\u009b31m\r\ttab'))
  const bytes = builder.build()
  new RecordBatch(bytes).assign(toOffset(0), 1)
  const path = join(mkdtempSync(join(directory, 'hostile-')), `${NAME}.log`)
  writeFileSync(path, bytes)
  await using shown = onTerminal(spoolLine(['log', 'dump', path, '--records']))
  const { stdout } = await shown.ended
  const piped = await spool(['log', 'dump', path, '--records'])
  for (const text of [stdout.replaceAll('\r\n', '\n'), piped.stdout]) {
    expect(text).toContain('\\u001b[2J')
    expect(text).toContain('\\u009b31m\\r\\ttab')
    for (const raw of ['\x1b', '\u009b', '\r']) expect(text).not.toContain(raw)
  }
})

test('a reader that leaves early is no error', async () => {
  const result = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    const command = `"${process.execPath}" "${BIN}" log dump "${directory}" --records --json | head -1`
    execFile('bash', ['-o', 'pipefail', '-c', command], (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    )
  })
  expect(result).toEqual({ code: 0, stderr: '' })
})
