/**
 * `storage/FORMAT.md` cannot lie: the directory it shows is made anew and compared byte for byte, its dumps
 * are read by the real code, and by a small reader written from its text alone.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeCheckpoint } from '../../storage/file/checkpoint.ts'
import { decodeSlot, encodeSlot, SLOT_BYTES } from '../../storage/file/recovery-point.ts'
import {
  encodeEpochHeader,
  encodeRaise,
  parseEpochFile,
} from '../../storage/log/leader-epoch-entries.ts'
import { OffsetIndex } from '../../storage/log/offset-index.ts'
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
} from '../../storage/log/producer-snapshot.ts'
import { ProducerState } from '../../storage/log/producer-state.ts'
import { TimeIndex } from '../../storage/log/time-index.ts'
import { readRecords } from '../../storage/record/batch-reader.ts'
import { crc32c } from '../../storage/record/crc32c.ts'
import { toOffset } from '../../storage/record/offsets.ts'
import * as layout from '../../storage/record/record-batch.ts'
import { formatExample } from './format-example.ts'
import { batchesIn } from './log/engine.ts'

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../storage/FORMAT.md'), 'utf8')
const LOG = 'orders-0/00000000000000000000.log'

/** The bytes of each dump, by the file it is of. Throws where a line does not follow on the one before. */
function dumpsIn(document: string): Map<string, Buffer> {
  const dumps = new Map<string, Buffer>()
  for (const [, name, body] of document.matchAll(/^```hex (\S+)\n(.*?)^```$/gms)) {
    let bytes = Buffer.alloc(0)
    for (const line of body!.trimEnd().split('\n')) {
      const [, at, hex, zerosTo] =
        /^ *(\d+) {2}(?:((?:[0-9a-f]{2}){1,4}(?: (?:[0-9a-f]{2}){1,4})*) {2,}\S.*|zeros to (\d+))$/.exec(
          line,
        ) ?? []
      if (Number(at) !== bytes.length)
        throw new Error(`${name}: byte ${bytes.length}, but: ${line}`)
      const more =
        zerosTo === undefined
          ? Buffer.from(hex!.replaceAll(' ', ''), 'hex')
          : Buffer.alloc(Number(zerosTo) - bytes.length)
      bytes = Buffer.concat([bytes, more])
    }
    dumps.set(name!, bytes)
  }
  return dumps
}

const DUMPS = dumpsIn(DOCUMENT)
const dump = (name: string): Buffer => DUMPS.get(name)!

test('every dump is what the real code writes', async () => {
  const files = await formatExample()
  expect(DUMPS.size).toBe(8)
  for (const [name, bytes] of DUMPS) {
    expect(`${name}: ${bytes.toString('hex')}`).toBe(`${name}: ${files.get(name)?.toString('hex')}`)
  }
})

test('the listing names every file there is, with its size', async () => {
  const files = await formatExample()
  files.delete('owner.json')
  const [, listing] = /^```listing\n(.*?)^```$/ms.exec(DOCUMENT)!
  const lines = listing!.trimEnd().split('\n')
  expect(lines.map((line) => line.trim().split(/ +/))).toEqual(
    [...files].map(([name, { length }]) => [`${length}`, name]),
  )
})

test('the real code reads the dumps, and what it read makes the same bytes again', () => {
  const [first, second] = batchesIn(dump(LOG))
  expect([first!.hasValidCrc(), second!.hasValidCrc()]).toEqual([true, true])
  const records = [...readRecords(first!, { maxDecompressedBytes: 1_000 })]
  expect(
    records.map(({ offset, key, value }) => [offset, String(key), value && String(value)]),
  ).toEqual([
    [0, 'k1', 'hello'],
    [1, 'k2', null],
  ])
  expect(second).toMatchObject({ baseOffset: 2, producerId: 4711, recordCount: 1 })

  const index = new OffsetIndex(toOffset(0), dump(LOG.replace('.log', '.index')))
  expect([...index.entries()]).toEqual([{ offset: 2, position: first!.sizeBytes }])
  const times = new TimeIndex(toOffset(0), dump(LOG.replace('.log', '.timeindex')))
  expect([...times.entries()]).toEqual([{ offset: 2, timestamp: second!.maxTimestamp }])

  const snapshot = dump('orders-0/00000000000000000003.snapshot')
  const producers = new ProducerState({ producersMax: 10, expirationMs: 1 })
  expect(decodeProducerSnapshot(snapshot, producers)).toBeUndefined()
  expect(encodeProducerSnapshot(producers, toOffset(3))).toEqual(snapshot)

  const point = dump('orders-0/recovery-point')
  for (const at of [0, SLOT_BYTES]) {
    const slot = point.subarray(at, at + SLOT_BYTES)
    expect(encodeSlot(decodeSlot(slot)!)).toEqual(slot)
  }

  const epochs = parseEpochFile(dump('leader-epochs'), 'leader-epochs')
  expect(Buffer.concat([encodeEpochHeader(), encodeRaise(epochs.raise, epochs.entries)])).toEqual(
    dump('leader-epochs'),
  )

  expect(encodeCheckpoint(1, Buffer.alloc(0))).toEqual(dump('clean-shutdown'))
  const metadata = dump('cluster.metadata')
  expect(encodeCheckpoint(1, metadata.subarray(6, -4))).toEqual(metadata)
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

/** A reader of one `.log` file from the text of FORMAT.md, without a line of the engine. */
function strangersReader(bytes: Buffer) {
  const records: { offset: number; key: string | null; value: string | null; headers: string[] }[] =
    []
  let at = 0
  const varint = () => {
    let raw = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      raw += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
    }
  }
  const text = () => {
    const length = varint()
    if (length < 0) return null
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  let nextOffset = 0
  while (bytes.length - at >= 61) {
    const begin = at
    const baseOffset = Number(bytes.readBigInt64BE(begin))
    const end = begin + 12 + bytes.readInt32BE(begin + 8)
    if (end - begin < 61 || end > bytes.length || bytes[begin + 16] !== 2) break
    if (crc32c(bytes.subarray(begin + 21, end)) !== bytes.readUInt32BE(begin + 17)) break
    if (baseOffset < nextOffset) break
    at = begin + 61
    for (let left = bytes.readInt32BE(begin + 57); left > 0; left--) {
      const recordEnd = varint() + at
      at += 1
      varint()
      const offset = baseOffset + varint()
      const record = { offset, key: text(), value: text(), headers: [] as string[] }
      for (let headers = varint(); headers > 0; headers--)
        record.headers.push(`${text()}=${text()}`)
      expect(at).toBe(recordEnd)
      records.push(record)
    }
    expect(at).toBe(end)
    nextOffset = baseOffset + bytes.readInt32BE(begin + 23) + 1
  }
  return { records, end: at }
}

test('a reader written from the text reads the dump, and stops at a torn tail', () => {
  const log = dump(LOG)
  const expected = [
    { offset: 0, key: 'k1', value: 'hello', headers: ['lang=en'] },
    { offset: 1, key: 'k2', value: null, headers: [] },
    { offset: 2, key: null, value: 'world', headers: [] },
  ]
  expect(strangersReader(log)).toEqual({ records: expected, end: log.length })
  const tails = [Buffer.alloc(100), log.subarray(0, 80), log.subarray(0, 30), Buffer.alloc(70, 2)]
  for (const tail of tails) {
    expect(strangersReader(Buffer.concat([log, tail]))).toEqual({
      records: expected,
      end: log.length,
    })
  }
})

test('the table of a batch’s header says where the code finds each field', () => {
  const [, table] = /^## Record batch$.*?^\| 0 (.*?)\n\n/ms.exec(DOCUMENT)!
  const rows = [...`| 0 ${table}`.matchAll(/^\| (\d+) \| (\w+) \|/gm)].map(
    ([, at, field]) => [field!, Number(at)] as const,
  )
  const places = Object.fromEntries(rows.filter(([field]) => field !== 'records'))
  const constants = Object.fromEntries(
    Object.keys(places).map((field) => {
      const name = `${field.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_AT`
      return [field, (layout as unknown as Record<string, number>)[name]]
    }),
  )
  expect(places).toEqual(constants)
  expect(Object.keys(places)).toHaveLength(13)
  expect(rows.at(-1)).toEqual(['records', layout.RECORD_BATCH_HEADER_BYTES])
})
