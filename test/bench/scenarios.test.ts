/** Every scenario runs, at a thousandth of its size, and every figure it gives is a number. */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { runScenario } from '../../bench/scenario.ts'

const MAIN = join(import.meta.dirname, '../../bench/main.ts')
const run = promisify(execFile)

interface Report {
  readonly machine: object
  readonly results: readonly {
    readonly scenario: string
    readonly summaries: readonly { readonly name: string; readonly median: number | null }[]
  }[]
}

test('each scenario gives figures', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'spool-bench-'))
  const json = join(directory, 'result.json')
  const names = [
    'disk',
    'produce',
    'fetch',
    'small-posts',
    'groups',
    'group-readers',
    'upload',
    'start',
    'recovery',
    'compaction',
  ]
  const quick = ['--seconds', '0.2', '--rounds', '1', '--scale', '0.001']
  try {
    await run(process.execPath, [MAIN, ...names, ...quick, '--dir', directory, '--json', json])
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report
    expect(report.results.map((result) => result.scenario)).toEqual(names)
    for (const { scenario, summaries } of report.results) {
      expect(summaries.length, scenario).toBeGreaterThan(0)
      for (const { name, median } of summaries) {
        expect(Number.isFinite(median), `${scenario}, ${name}`).toBe(true)
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}, 180_000)

test('trials take turns, and the middle of their values is reported', async () => {
  const order: string[] = []
  const values = { a: [5, 1, 3], b: [2, 4, 8] }
  const trial = (name: 'a' | 'b') => ({
    name,
    run: async () => {
      order.push(name)
      return [{ name: 'figure', value: values[name].shift() ?? Number.NaN, unit: '' }]
    },
  })
  const summaries = await runScenario(
    {
      name: 'x',
      sentence: '',
      trials: [trial('a'), trial('b')],
      derive: (median) => [
        { name: 'ratio', value: median('b', 'figure') / median('a', 'figure'), unit: '' },
      ],
    },
    {
      rounds: 3,
      seconds: 1,
      scale: 1,
      newDirectory: () => ({ path: '', remove() {} }),
      report() {},
    },
  )
  expect(order.join('')).toBe('ababab')
  expect(summaries.map(({ median, min, max }) => [median, min, max])).toEqual([
    [3, 1, 5],
    [4, 2, 8],
    [4 / 3, 4 / 3, 4 / 3],
  ])
})
