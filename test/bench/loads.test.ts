/** The loads are the same for the same seed, look as described, and are valid files of their kind. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { accessLog } from '../../bench/loads/access-log.ts'
import { sensorEvents } from '../../bench/loads/sensor-events.ts'
import { smallFiles } from '../../bench/loads/small-files.ts'

const ROOT = join(import.meta.dirname, '../..')

test('the same seed gives the same lines, another one others', () => {
  expect([...accessLog(100, 7)]).toEqual([...accessLog(100, 7)])
  expect([...accessLog(100, 7)]).not.toEqual([...accessLog(100, 8)])
  expect([...sensorEvents(100, 7)]).toEqual([...sensorEvents(100, 7)])
  expect([...smallFiles(6, 7)]).toEqual([...smallFiles(6, 7)])
})

test('a few users make most of the access log, whose time goes forward', () => {
  const count = new Map<string, number>()
  let before = 0
  for (const line of accessLog(20_000, 1)) {
    const { ts, user, method, path, status, bytes, agent } = JSON.parse(line)
    expect([typeof method, typeof path, typeof status, typeof bytes, typeof agent]).toEqual([
      'string',
      'string',
      'number',
      'number',
      'string',
    ])
    expect(ts).toBeGreaterThanOrEqual(before)
    before = ts
    count.set(user, (count.get(user) ?? 0) + 1)
  }
  const busiest = [...count.values()].toSorted((a, b) => b - a).slice(0, 100)
  const theirs = busiest.reduce((sum, requests) => sum + requests, 0)
  expect(theirs).toBeGreaterThan(20_000 * 0.3)
  expect(count.size).toBeGreaterThan(3_000)
})

test('sensor events come out of order, some by hours', () => {
  const times = [...sensorEvents(5_000, 1)].map((line) => JSON.parse(line).at as number)
  const lateness = times.map((at, index) => Math.max(0, ...times.slice(0, index)) - at)
  expect(Math.max(...lateness)).toBeGreaterThan(3_600_000)
})

test('images and documents are what their names say', () => {
  for (const { name, bytes } of smallFiles(9, 3)) {
    if (name.endsWith('.png')) {
      expect(bytes.subarray(1, 4).toString()).toBe('PNG')
      const side = bytes.readUInt32BE(16)
      const length = bytes.readUInt32BE(33)
      expect(inflateSync(bytes.subarray(41, 41 + length))).toHaveLength(side * (side * 3 + 1))
    } else if (name.endsWith('.pdf')) {
      const text = bytes.toString('latin1')
      const tableAt = Number(/startxref\n(\d+)/.exec(text)?.[1])
      expect(text.slice(tableAt, tableAt + 4)).toBe('xref')
    } else {
      expect(bytes.toString()).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    }
  }
})

test('the committed samples are what the generators write', () => {
  const sample = readFileSync(join(ROOT, 'examples/access.ndjson'), 'utf8')
  const words = ['bench/loads/access-log.ts', '--lines', '1000', '--seed', '1']
  expect(execFileSync(process.execPath, words, { cwd: ROOT, encoding: 'utf8' })).toBe(sample)
  const sensors = readFileSync(join(ROOT, 'examples/loads/sensors.ndjson'), 'utf8')
  expect([...sensorEvents(500, 1)].map((line) => `${line}\n`).join('')).toBe(sensors)
  for (const { name, bytes } of smallFiles(6, 1)) {
    // How zlib packs an image may change with its version; what is in it may not.
    if (name.endsWith('.png')) continue
    expect(readFileSync(join(ROOT, 'examples/loads/media', name)).equals(bytes), name).toBe(true)
  }
})
