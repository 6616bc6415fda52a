/** `spool log dump` on a compacted log: sound, also where a crash left a swap half done. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'
import { compactNow, put, startCompacted } from '../storage/compaction/keyed-log.ts'
import { type Engine, LOG_DIRECTORY } from '../storage/log/engine.ts'

const BIN = join(import.meta.dirname, '../../cli/bin.js')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'spool-dump-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

async function written(): Promise<Engine> {
  const engine = await startCompacted({ 'index.interval.bytes': 0 })
  for (const words of ['z=1', 'a=1 b=1', 'a=2 c=']) {
    await put(engine.log, words)
    await engine.log.roll()
  }
  await put(engine.log, 'd=1')
  return engine
}

type Row = { readonly kind: string; readonly [name: string]: unknown }

/** What the dump of a copy of the log's files says. */
function dumpOf(disk: SimulatedDisk): Promise<{ code: number; rows: Row[] }> {
  for (const path of disk.medium.paths(LOG_DIRECTORY)) {
    writeFileSync(join(directory, basename(path)), disk.medium.contents(path))
  }
  return new Promise((resolve) => {
    const words = [BIN, 'log', 'dump', directory, '--json']
    execFile(process.execPath, words, (error, stdout) => {
      const rows = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Row)
      resolve({ code: error === null ? 0 : Number(error.code), rows })
    })
  })
}

const batches = (rows: readonly Row[]) =>
  rows
    .filter(({ kind }) => kind === 'batch')
    .map(({ baseOffset, lastOffset, records }) => [baseOffset, lastOffset, records])
const LEFT = [
  [0, 0, 1],
  [1, 2, 1],
  [3, 4, 2],
  [5, 5, 1],
]

test('what is left, what stands for the rest, and from when on tombstones may go', async () => {
  const { log, disk, clock } = await written()
  await compactNow(log)
  const { code, rows } = await dumpOf(disk)
  expect(rows.filter(({ kind }) => kind === 'problem')).toEqual([])
  expect(code).toBe(0)
  expect(batches(rows)).toEqual(LEFT)
  const dated = rows.find(({ deleteHorizonMs }) => deleteHorizonMs !== undefined)
  expect(dated).toMatchObject({ baseOffset: 3, deleteHorizonMs: clock.now() + 10_000 })
})

test.each([1, 2, 4, 7])('a swap that ended at removal %i is noted, and no problem', async (n) => {
  const { log, disk } = await written()
  const isRemoval = ({ operation }: { operation: string }) => operation === 'removeFile'
  disk.faults.failNth(n, 'EIO', { which: isRemoval })
  await expect(compactNow(log)).rejects.toThrow()
  const { code, rows } = await dumpOf(disk)
  expect(rows.filter(({ kind }) => kind === 'problem')).toEqual([])
  expect(code).toBe(0)
  expect(batches(rows)).toEqual(LEFT)
  expect(rows.filter(({ kind }) => kind === 'note')).toMatchObject([
    { sentence: expect.stringContaining('all segments below offset 5') },
  ])
})
