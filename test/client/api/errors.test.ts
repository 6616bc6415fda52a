/** The error table is whole and consistent, and errors keep their meaning on the way to a client. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorCodeOfKafka } from '../../../client/api/error-table.ts'
import {
  ERRORS,
  type ErrorCode,
  isErrorCode,
  SpoolError,
  spoolErrorFrom,
  spoolErrorFromProblem,
  toProblem,
} from '../../../client/api/errors.ts'
import { StorageError } from '../../../storage/errors.ts'

const rows = Object.entries(ERRORS)

describe('the table', () => {
  test.each(rows)('%s has a status for errors, a Kafka code and a title', (_name, row) => {
    expect(row.httpStatus).toBeGreaterThanOrEqual(400)
    expect(row.httpStatus).toBeLessThan(600)
    expect(Number.isInteger(row.kafkaCode)).toBe(true)
    expect(row.kafkaCode).toBeGreaterThanOrEqual(-1)
    expect(row.title).toMatch(/^[A-Z].{5,}[^.]$/)
  })

  test('has a row for everything the log engine says', () => {
    const source = readFileSync(new URL('../../../storage/errors.ts', import.meta.url), 'utf8')
    const union = /type StorageErrorCode =([^/]*)/.exec(source)?.[1] ?? ''
    const codes = [...union.matchAll(/'(\w+)'/g)].map((found) => found[1])
    expect(codes.length).toBeGreaterThan(10)
    expect(codes.filter((code) => !isErrorCode(code))).toEqual([])
  })

  test.each<[ErrorCode, number, number]>([
    ['OFFSET_OUT_OF_RANGE', 1, 416],
    ['CORRUPT_MESSAGE', 2, 422],
    ['UNKNOWN_TOPIC_OR_PARTITION', 3, 404],
    ['REQUEST_TIMED_OUT', 7, 504],
    ['MESSAGE_TOO_LARGE', 10, 413],
    ['INVALID_TOPIC_EXCEPTION', 17, 400],
    ['NOT_ENOUGH_REPLICAS', 19, 503],
    ['INVALID_TIMESTAMP', 32, 422],
    ['TOPIC_ALREADY_EXISTS', 36, 409],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 45, 409],
    ['INVALID_PRODUCER_EPOCH', 47, 409],
    ['UNSUPPORTED_COMPRESSION_TYPE', 76, 422],
    ['INVALID_RECORD', 87, 422],
    ['DISK_FULL', 56, 507],
    ['OFFSET_MISMATCH', 42, 412],
  ])('%s is Kafka %i and HTTP %i', (code, kafkaCode, httpStatus) => {
    expect(ERRORS[code]).toMatchObject({ kafkaCode, httpStatus })
  })

  test('a Kafka code leads back to Kafka’s own name', () => {
    expect(errorCodeOfKafka(56)).toBe('KAFKA_STORAGE_ERROR')
    expect(errorCodeOfKafka(42)).toBe('INVALID_REQUEST')
    expect(errorCodeOfKafka(31_999)).toBe('UNKNOWN_SERVER_ERROR')
  })

  test('no name of an object’s prototype is a code', () => {
    for (const name of ['constructor', '__proto__', 'toString', '', 7, undefined]) {
      expect(isErrorCode(name)).toBe(false)
    }
  })
})

describe('a problem document', () => {
  test('has the fixed members, the outcome and the extensions', () => {
    const error = new SpoolError('OFFSET_OUT_OF_RANGE', 'from 3 to 9, not 1', {
      outcome: 'refused',
      extensions: { logStartOffset: 3, status: 200, code: 'FORGED' },
    })
    expect(toProblem(error)).toEqual({
      type: 'urn:spool:problem:OFFSET_OUT_OF_RANGE',
      title: ERRORS.OFFSET_OUT_OF_RANGE.title,
      status: 416,
      code: 'OFFSET_OUT_OF_RANGE',
      detail: 'from 3 to 9, not 1',
      retriable: false,
      outcome: 'refused',
      logStartOffset: 3,
    })
  })

  test('is read back as the same error by a client', () => {
    const error = new SpoolError('OFFSET_MISMATCH', 'the next offset is 7', {
      outcome: 'refused',
      extensions: { nextOffset: 7 },
    })
    const back = spoolErrorFromProblem(JSON.parse(JSON.stringify(toProblem(error))))
    expect(toProblem(back)).toEqual(toProblem(error))
  })

  test('of a code from the future is an unknown error with its detail', () => {
    const back = spoolErrorFromProblem({ code: 'SOMETHING_NEW', detail: 'so it is' })
    expect(back).toMatchObject({ code: 'UNKNOWN_SERVER_ERROR', detail: 'so it is' })
  })
})

describe('what was thrown', () => {
  test('by the log engine keeps code, message, outcome and values', () => {
    const thrown = new StorageError('MESSAGE_TOO_LARGE', 'size 9 exceeds max.message.bytes 8', {
      outcome: 'refused',
      values: { size: 9 },
    })
    expect(toProblem(spoolErrorFrom(thrown))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      status: 413,
      detail: 'size 9 exceeds max.message.bytes 8',
      outcome: 'refused',
      size: 9,
    })
  })

  test('by a defect tells a client nothing of its own', () => {
    const thrown = new Error("ENOENT: no such file 'the-secret-place'")
    const error = spoolErrorFrom(thrown)
    expect(error.code).toBe('UNKNOWN_SERVER_ERROR')
    expect(JSON.stringify(toProblem(error))).not.toContain('secret')
    expect(error.cause).toBe(thrown)
  })

  test.each([undefined, null, 'text', 7, {}])('%s, which is no error, is one', (thrown) => {
    expect(spoolErrorFrom(thrown).code).toBe('UNKNOWN_SERVER_ERROR')
  })
})
