/** Record batches that are not what they say: every rule of the leader's check, over the wire. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { ErrorCode } from '../../../client/api/errors.ts'
import { compress } from '../../../storage/record/compression.ts'
import { encodeLz4Frame } from '../../../storage/record/lz4-frame.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  MAGIC_AT,
  RECORD_COUNT_AT,
} from '../../../storage/record/record-batch.ts'
import {
  batchOf,
  changed,
  recordSection,
  unsealed,
  withRecords,
  withStored,
} from '../bad-batches.ts'
import { produce } from '../binary-requests.ts'
import { type CaseGroup, expecting } from '../hostile-case.ts'

type Spoiled = readonly [name: string, batch: Buffer]

const refusedAs = (code: ErrorCode, batches: readonly Spoiled[]) =>
  batches.map(([name, batch]) => expecting(name, produce(batch), 200, code, { has: /refused/ }))

const LENGTHS: readonly Spoiled[] = [
  ['a flipped bit', unsealed((batch) => (batch[batch.length - 1]! ^= 1))],
  ['a CRC of 0', unsealed((batch) => batch.writeUInt32BE(0, CRC_AT))],
  ['30 bytes of magic 2', unsealed(() => {}).subarray(0, 30)],
  ['a header cut short', batchOf().subarray(0, 60)],
  ['a byte missing', batchOf().subarray(0, -1)],
  ['a byte too many', Buffer.concat([batchOf(), Buffer.alloc(1)])],
  ['two batches as one', Buffer.concat([batchOf(), batchOf()])],
  ['batchLength 48', unsealed((batch) => batch.writeInt32BE(48, BATCH_LENGTH_AT))],
  ['batchLength 0', unsealed((batch) => batch.writeInt32BE(0, BATCH_LENGTH_AT))],
  ['batchLength -1', unsealed((batch) => batch.writeInt32BE(-1, BATCH_LENGTH_AT))],
  ['batchLength 2^31-1', unsealed((batch) => batch.writeInt32BE(2 ** 31 - 1, BATCH_LENGTH_AT))],
  ['batchLength -2^31', unsealed((batch) => batch.writeInt32BE(-(2 ** 31), BATCH_LENGTH_AT))],
]

const attributes = (bits: number) => changed((batch) => batch.writeUInt16BE(bits, ATTRIBUTES_AT))
const counts = (count: number, lastOffsetDelta = count - 1) =>
  changed((batch) => {
    batch.writeInt32BE(count, RECORD_COUNT_AT)
    batch.writeInt32BE(lastOffsetDelta, LAST_OFFSET_DELTA_AT)
  })
const producerFields = (id: bigint, epoch: number, sequence: number) =>
  changed((batch) => {
    batch.writeBigInt64BE(id, 43)
    batch.writeInt16BE(epoch, 51)
    batch.writeInt32BE(sequence, 53)
  })
const section = (...bytes: number[]) => withRecords(Buffer.from(bytes))

const CONTENTS: readonly Spoiled[] = [
  ['magic 0', unsealed((batch) => (batch[MAGIC_AT] = 0))],
  ['magic 1', unsealed((batch) => (batch[MAGIC_AT] = 1))],
  ['magic 3', unsealed((batch) => (batch[MAGIC_AT] = 3))],
  ['magic -1', unsealed((batch) => (batch[MAGIC_AT] = 255))],
  ['the control bit', attributes(0x20)],
  ['the transactional bit', attributes(0x10)],
  ['the delete horizon bit', attributes(0x40)],
  ['a reserved bit', attributes(0x80)],
  ['all reserved bits', attributes(0xff80)],
  ['no records', counts(0)],
  ['no record section', withStored(Buffer.alloc(0), 'none', 0)],
  ['a count of 1 and no record section', withStored(Buffer.alloc(0), 'none', 1)],
  ['more records than there are', counts(2)],
  [
    'fewer records than there are',
    changed(
      (batch) => {
        batch.writeInt32BE(1, RECORD_COUNT_AT)
        batch.writeInt32BE(0, LAST_OFFSET_DELTA_AT)
      },
      { values: ['a', 'b'] },
    ),
  ],
  ['2^31-1 records', counts(2 ** 31 - 1)],
  ['-1 records', counts(-1, -2)],
  ['lastOffsetDelta 5 of 1 record', counts(1, 5)],
  ['lastOffsetDelta -1', counts(1, -1)],
  ['lastOffsetDelta 2^31-1', counts(1, 2 ** 31 - 1)],
  ['a producer id of -2', producerFields(-2n, 0, 0)],
  ['a producer id of 2^53', producerFields(2n ** 53n, 0, 0)],
  ['a producer id of 2^63-1', producerFields(2n ** 63n - 1n, 0, 0)],
  ['a producer epoch of -1', producerFields(7n, -1, 0)],
  ['a sequence of -1', producerFields(7n, 0, -1)],
  ['a sequence of -2^31', producerFields(7n, 0, -(2 ** 31))],
  ['a record shorter than its fields', section(0x0a, 0, 0, 0, 1, 1, 0)],
  ['a record longer than the batch', section(0x10, 0, 0, 0, 1, 1, 0)],
  ['a record of negative length', section(0x0b, 0, 0, 0, 1, 1, 0)],
  ['a length that never ends', section(...Array<number>(11).fill(0xff))],
  ['bytes after the last record', section(0x0c, 0, 0, 0, 1, 1, 0, 0)],
  ['records compressed again', section(0x0c, 3, 0, 0, 1, 1, 0)],
  ['a first offset delta of 1', section(0x0c, 0, 0, 2, 1, 1, 0)],
  ['a key beyond the record', section(0x0c, 0, 0, 0, 20, 1, 0)],
  ['a key of length -2', section(0x0c, 0, 0, 0, 3, 1, 0)],
  ['a value beyond the record', section(0x0c, 0, 0, 0, 1, 20, 0)],
  ['a negative header count', section(0x0c, 0, 0, 0, 1, 1, 1)],
  ['2^30 headers', section(0x14, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08)],
  ['a header without a name', section(0x10, 0, 0, 0, 1, 1, 2, 1, 1)],
  ['a batch inside a batch', withRecords(batchOf({ compression: 'gzip' }), 'gzip')],
  ['an LZ4 frame inside gzip', withRecords(encodeLz4Frame(recordSection()), 'gzip')],
]

const TIMES: readonly Spoiled[] = [
  ['before 1970', changed((batch) => batch.writeBigInt64BE(-5n, BASE_TIMESTAMP_AT))],
  ['a day ahead', batchOf({ timestamp: Date.now() + 86_400_000 })],
  ['2^53', changed((batch) => batch.writeBigInt64BE(2n ** 53n, BASE_TIMESTAMP_AT))],
  ['2^63-1', changed((batch) => batch.writeBigInt64BE(2n ** 63n - 1n, BASE_TIMESTAMP_AT))],
  ['-2^63', changed((batch) => batch.writeBigInt64BE(-(2n ** 63n), BASE_TIMESTAMP_AT))],
  ['the timestamp type bit', attributes(0x08)],
]

export const BATCHES: CaseGroup = {
  name: 'record batches',
  cases: [
    ...refusedAs('CORRUPT_MESSAGE', LENGTHS),
    ...refusedAs('INVALID_RECORD', CONTENTS),
    ...refusedAs('INVALID_TIMESTAMP', TIMES),
    expecting('no bytes at all', produce(Buffer.alloc(0)), 200, 'INVALID_RECORD'),
    expecting(
      'above max.message.bytes',
      produce(batchOf({ values: ['x'.repeat(4_000)] }), { topic: 'small' }),
      200,
      'MESSAGE_TOO_LARGE',
    ),
    expecting(
      'above segment.bytes',
      produce(batchOf({ values: ['x'.repeat(8_000)] }), { topic: 'tight' }),
      200,
      'RECORD_LIST_TOO_LARGE',
    ),
    expecting(
      'an offset and an epoch of the client, overwritten',
      produce(
        unsealed((batch) => {
          batch.writeBigInt64BE(2n ** 62n, BASE_OFFSET_AT)
          batch.writeInt32BE(2 ** 31 - 1, LEADER_EPOCH_AT)
        }),
        { topic: 'taken' },
      ),
      200,
      undefined,
      { has: /baseOffset/, hasNot: /error/ },
    ),
  ],
}

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const MIB = 1 << 20

/** A good frame of 300 KiB in blocks of 64 KiB, changed. */
function lz4(change: (frame: Buffer) => Buffer | undefined): Buffer {
  const frame = encodeLz4Frame(Buffer.alloc(300_000, 'what compresses well'))
  return withStored(change(frame) ?? frame, 'lz4')
}
const LZ4_HEAD = [0x04, 0x22, 0x4d, 0x18]
const golden = (name: string) =>
  readFileSync(join(import.meta.dirname, '../../golden/lz4-frames', name))

const LZ4_FRAMES: readonly Spoiled[] = [
  ['another magic', lz4((frame) => void frame.writeUInt8(5, 0))],
  ['the legacy frame', lz4((frame) => void frame.set([0x02, 0x21, 0x4c, 0x18]))],
  [
    'a skippable frame first',
    lz4((frame) => Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]), frame])),
  ],
  [
    'a skippable frame after',
    lz4((frame) => Buffer.concat([frame, Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])])),
  ],
  ['version 10', lz4((frame) => void frame.writeUInt8(0xa0, 4))],
  ['dependent blocks', withStored(golden('linked.lz4'), 'lz4')],
  [
    'a dictionary',
    withStored(Buffer.from([...LZ4_HEAD, 0x61, 0x40, 1, 2, 3, 4, 0, 0, 0, 0, 0]), 'lz4'),
  ],
  ['a bad header checksum', lz4((frame) => void frame.writeUInt8(0, 6))],
  ['a reserved bit', lz4((frame) => void frame.writeUInt8(0x62, 4))],
  ['a block above the maximum', lz4((frame) => void frame.writeUInt32LE(0x00ff_ffff, 7))],
  ['no end mark', lz4((frame) => frame.subarray(0, -4))],
  ['bytes after the end mark', lz4((frame) => Buffer.concat([frame, Buffer.alloc(4)]))],
  ['two frames', lz4((frame) => Buffer.concat([frame, frame]))],
  ['a header cut short', withStored(Buffer.from(LZ4_HEAD), 'lz4')],
  ['a block that points before its start', lz4((frame) => void frame.fill(0xff, 12, 20))],
  ['a bad content checksum', withStored(flippedEnd(golden('content-checksum-4m.lz4')), 'lz4')],
  ['a bad block checksum', withStored(flippedAt(golden('block-checksums-1m.lz4'), 20), 'lz4')],
  [
    'a million blocks of one byte',
    withStored(
      Buffer.concat([
        encodeLz4Frame(Buffer.from('x')).subarray(0, 7),
        Buffer.alloc(5 * 100_000, Buffer.from([1, 0, 0, 0x80, 0])),
        Buffer.alloc(4),
      ]),
      'lz4',
    ),
  ],
]

function flippedAt(bytes: Buffer, at: number): Buffer {
  bytes[at]! ^= 0x55
  return bytes
}

function flippedEnd(bytes: Buffer): Buffer {
  return flippedAt(bytes, bytes.length - 1)
}

const STREAMS: readonly Spoiled[] = [
  ...codecs.flatMap((codec): Spoiled[] => [
    [`${codec}, but the bytes are not`, withStored(recordSection(), codec)],
    [
      `${codec}, cut short`,
      withStored(compress(codec, Buffer.alloc(5_000, 'ab')).subarray(0, -3), codec),
    ],
    [
      `${codec}, bytes after it`,
      withStored(Buffer.concat([compress(codec, recordSection()), Buffer.from('evil')]), codec),
    ],
  ]),
  [
    'gzip, a bad checksum',
    withStored(flippedAt(gzipSync(recordSection()), gzipSync(recordSection()).length - 6), 'gzip'),
  ],
  [
    'snappy, 2^32-1 bytes claimed',
    withStored(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]), 'snappy'),
  ],
  [
    'snappy, xerial with a negative block',
    withStored(
      Buffer.concat([
        Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]),
        Buffer.alloc(8),
        Buffer.from([255, 255, 255, 255]),
      ]),
      'snappy',
    ),
  ],
]

/** What 10 KiB can become, and far more than that; `null` bytes compress best. */
const zeros = Buffer.alloc(96 * MIB)
const BOMBS: readonly Spoiled[] = [
  [
    'gzip, 8 GiB',
    withStored(
      Buffer.concat(Array(85).fill(gzipSync(zeros, { level: 1 }))).subarray(0, 900_000),
      'gzip',
    ),
  ],
  ['zstd, 96 MiB in 10 KiB', withStored(zstdCompressSync(zeros), 'zstd')],
  ['zstd, 80 of those', withStored(Buffer.concat(Array(80).fill(zstdCompressSync(zeros))), 'zstd')],
  ['lz4, 96 MiB', withStored(encodeLz4Frame(zeros), 'lz4')],
  ['snappy, 17 MiB', withStored(compress('snappy', zeros.subarray(0, 17 * MIB)), 'snappy')],
  ['gzip, one byte too many', withStored(gzipSync(zeros.subarray(0, 16 * MIB + 1)), 'gzip')],
]

export const COMPRESSION: CaseGroup = {
  name: 'compression',
  cases: [
    ...[5, 6, 7].map((codec) =>
      expecting(
        `codec ${codec}`,
        produce(withStored(recordSection(), codec)),
        200,
        'UNSUPPORTED_COMPRESSION_TYPE',
        { has: /refused/ },
      ),
    ),
    ...refusedAs(
      'CORRUPT_MESSAGE',
      LZ4_FRAMES.map(([name, batch]) => [`lz4, ${name}`, batch] as const),
    ),
    ...refusedAs('CORRUPT_MESSAGE', STREAMS),
    ...refusedAs(
      'MESSAGE_TOO_LARGE',
      BOMBS.map(([name, batch]) => [`a bomb: ${name}`, batch] as const),
    ),
    ...codecs.map((codec) =>
      expecting(
        `${codec}, 15 MiB of zeros that are no records`,
        produce(withStored(compress(codec, zeros.subarray(0, 15 * MIB)), codec)),
        200,
        'INVALID_RECORD',
      ),
    ),
    ...codecs.map((codec) =>
      expecting(
        `${codec}, good`,
        produce(batchOf({ compression: codec, values: ['x'.repeat(5_000)] }), { topic: 'taken' }),
        200,
        undefined,
        { has: /baseOffset/, hasNot: /error/ },
      ),
    ),
  ],
}
