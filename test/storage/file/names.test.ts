/** Names read back to what they were made from, and nothing from outside becomes a path. */

import { basename } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CLEAN_SHUTDOWN_FILE,
  LOCK_FILE,
  NAME_BYTES_MAX,
  OWNER_FILE,
  PARTITION_MAX,
  parsePartitionDirectory,
  parseSegmentFile,
  partitionDirectoryName,
  RECOVERY_POINT_FILE,
  retiredDirectoryName,
  type SegmentSuffix,
  segmentFileName,
  TOPIC_NAME_BYTES_MAX,
  topicNameProblem,
} from '../../../storage/file/names.ts'
import { OFFSET_MAX, toOffset } from '../../../storage/record/offsets.ts'

const topics = fc
  .stringMatching(/^[a-zA-Z0-9._-]{1,249}$/)
  .filter((name) => name !== '.' && name !== '..')
const id = '33294010-c663-4f6c-bbf6-2659b2bf8863'
const partitions = fc.integer({ min: 0, max: PARTITION_MAX })
const offsets = fc.integer({ min: 0, max: OFFSET_MAX }).map(toOffset)
const suffixes = fc.constantFrom<SegmentSuffix[]>(
  '.log',
  '.index',
  '.timeindex',
  '.txnindex',
  '.snapshot',
)

describe('directories of partitions', () => {
  test('topic and partition read back, dashes and all', () => {
    fc.assert(
      fc.property(topics, partitions, (topic, partition) => {
        const name = partitionDirectoryName(topic, partition)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(NAME_BYTES_MAX)
        expect(parsePartitionDirectory(name)).toEqual({ kind: 'partition', topic, partition })
      }),
    )
    expect(parsePartitionDirectory('a-1-2-3')).toMatchObject({ topic: 'a-1-2', partition: 3 })
    expect(parsePartitionDirectory('--0')).toMatchObject({ topic: '-', partition: 0 })
    const longest = partitionDirectoryName('t'.repeat(TOPIC_NAME_BYTES_MAX), PARTITION_MAX)
    expect(longest.length).toBe(NAME_BYTES_MAX)
  })

  test('two partitions never share a name', () => {
    const one = fc.tuple(
      fc.stringMatching(/^[0-9-]{1,6}$/),
      fc.integer({ min: 0, max: PARTITION_MAX }),
    )
    fc.assert(
      fc.property(one, one, ([topicA, a], [topicB, b]) => {
        const isSame = partitionDirectoryName(topicA, a) === partitionDirectoryName(topicB, b)
        expect(isSame).toBe(topicA === topicB && a === b)
      }),
    )
  })

  test('directories of removed and of unknown topics read back, and are no partition', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        partitions,
        fc.constantFrom('delete' as const, 'stray' as const),
        (topicId, partition, kind) => {
          const name = retiredDirectoryName(topicId, partition, kind)
          expect(parsePartitionDirectory(name)).toEqual({ kind, topicId, partition })
        },
      ),
    )
    for (const bad of ['', '..', `${id}/`, id.slice(1), id.toUpperCase()]) {
      expect(() => retiredDirectoryName(bad, 0, 'delete')).toThrow(RangeError)
    }
  })

  test('any name reads as what would be called that, or as nothing', () => {
    const names = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'ab019-_.', '.delete', '.stray', id), maxLength: 8 }),
    )
    fc.assert(
      fc.property(names, (name) => {
        const parsed = parsePartitionDirectory(name)
        if (parsed?.kind === 'partition') {
          expect(partitionDirectoryName(parsed.topic, parsed.partition)).toBe(name)
        } else if (parsed !== undefined) {
          expect(retiredDirectoryName(parsed.topicId, parsed.partition, parsed.kind)).toBe(name)
        }
      }),
    )
    for (const other of ['a', 'a-', '-0', 'a-01', 'a-100000', 'a--1x', 'a-0.delete', 'a-0\n']) {
      expect(parsePartitionDirectory(other), other).toBeUndefined()
    }
    for (const own of [LOCK_FILE, OWNER_FILE, CLEAN_SHUTDOWN_FILE, RECOVERY_POINT_FILE]) {
      expect(parsePartitionDirectory(own)).toBeUndefined()
      expect(parseSegmentFile(own)).toBeUndefined()
    }
  })

  test.each([
    '',
    '.',
    '..',
    '../x',
    'a/b',
    '/',
    'a\\b',
    'a\0b',
    'a b',
    'a\nb',
    '\u001b[31m',
    'tøpic',
    'аbс', // Cyrillic look-alikes
    'a%2fb',
    't'.repeat(TOPIC_NAME_BYTES_MAX + 1),
  ])('the hostile topic name %j is refused', (topic) => {
    expect(topicNameProblem(topic)).toBeTypeOf('string')
    expect(() => partitionDirectoryName(topic, 0)).toThrow(RangeError)
  })

  test('whatever is accepted is one name, not a way out of the directory', () => {
    const topicLike = fc.string({ unit: fc.constantFrom(...'ab-_./\\\0\n%é'), maxLength: 4 })
    fc.assert(
      fc.property(topicLike, (topic) => {
        if (topicNameProblem(topic) !== undefined) return
        const name = partitionDirectoryName(topic, 0)
        expect(basename(`/data/${name}`)).toBe(name)
        expect(name).toMatch(/^[\x21-\x7e]+$/)
      }),
    )
    for (const partition of [-1, 1.5, PARTITION_MAX + 1, Number.NaN, 2 ** 31 - 1]) {
      expect(() => partitionDirectoryName('a', partition)).toThrow(RangeError)
    }
  })
})

describe('files of segments', () => {
  test('base offset, kind and deletion read back', () => {
    fc.assert(
      fc.property(offsets, suffixes, fc.boolean(), (baseOffset, suffix, isDeleted) => {
        const name = segmentFileName(baseOffset, suffix) + (isDeleted ? '.deleted' : '')
        expect(parseSegmentFile(name)).toEqual({ baseOffset, suffix, isDeleted })
      }),
    )
    expect(segmentFileName(toOffset(1234), '.log')).toBe('00000000000000001234.log')
  })

  test('names sort as their offsets do', () => {
    fc.assert(
      fc.property(offsets, offsets, (a, b) => {
        const isBefore = segmentFileName(a, '.log') < segmentFileName(b, '.log')
        expect(isBefore).toBe(a < b)
      }),
    )
  })

  test('other files are not segments', () => {
    const zero = '0'.repeat(20)
    for (const name of [
      `${zero}.tmp`,
      `${zero}.snapshot.tmp`,
      `${zero}.log.deleted.deleted`,
      `${zero.slice(1)}.log`,
      `${zero}0.log`,
      `${zero}xlog`,
      `${zero}.LOG`,
      `99999999999999999999.log`,
      `00009007199254740992.log`,
      `-${zero.slice(1)}.log`,
      `${zero}.log\n`,
    ]) {
      expect(parseSegmentFile(name), name).toBeUndefined()
    }
  })
})
