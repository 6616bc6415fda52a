/**
 * Runs scenarios and prints their medians:
 *
 *     npm run bench -- [scenario…] [--seconds N] [--rounds N] [--scale X] [--dir DIR] [--json FILE]
 *         [--trial TEXT]
 *
 * Without names, all of them. `--dir` chooses the disk (default: `.bench` in the project, which is not
 * a memory file system as a temporary directory may be). `--scale 0.01` is for a quick look, and `--trial
 * lz4` runs those trials only whose names have the text in them.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.ts'
import { printSummaries } from './report.ts'
import { runScenario, type Scenario, type Summary } from './scenario.ts'

const DEFAULT_DIRECTORY = join(import.meta.dirname, '../.bench')

/** What a resting machine may show; a bench itself makes about 2. */
const BUSY_LOAD = 0.5

/** File names of `scenarios/`, in the order they are run. */
const SCENARIOS = [
  'disk',
  'produce',
  'fetch',
  'client',
  'small-posts',
  'groups',
  'upload',
  'start',
  'recovery',
  'partitions',
  'compaction',
]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    dir: { type: 'string', default: DEFAULT_DIRECTORY },
    json: { type: 'string' },
    trial: { type: 'string', default: '' },
  },
})

const unknown = positionals.filter((name) => !SCENARIOS.includes(name))
if (unknown.length > 0) {
  console.error(`no such scenario: ${unknown.join(', ')}; there are ${SCENARIOS.join(', ')}`)
  process.exit(2)
}

mkdirSync(values.dir, { recursive: true })
const startedAt = new Date().toISOString()
const machine = describeMachine(values.dir)
if (machine.loadAverage > BUSY_LOAD) {
  console.error(`the machine is busy (load ${machine.loadAverage}): figures will be too low`)
}
const results: { scenario: string; sentence: string; summaries: Summary[] }[] = []
for (const name of positionals.length > 0 ? positionals : SCENARIOS) {
  const { scenario } = (await import(`./scenarios/${name}.ts`)) as { scenario: Scenario }
  const trials = scenario.trials.filter((trial) => trial.name.includes(values.trial))
  const summaries = await runScenario(
    { ...scenario, trials },
    {
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      scale: Number(values.scale),
      newDirectory,
      report: (sentence) => console.error(sentence),
    },
  )
  printSummaries(scenario, summaries)
  results.push({ scenario: scenario.name, sentence: scenario.sentence, summaries })
}

if (values.json !== undefined) {
  const { seconds, rounds, scale } = values
  const document = {
    machine: { ...machine, loadAverageAfter: describeMachine(values.dir).loadAverage },
    startedAt,
    seconds: Number(seconds),
    rounds: Number(rounds),
    scale: Number(scale),
    results,
  }
  writeFileSync(values.json, `${JSON.stringify(document, null, 2)}\n`)
}

function newDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(values.dir, 'run-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
