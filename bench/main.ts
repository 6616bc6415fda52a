/** `npm run bench`: runs scenarios and prints their medians. What it can be asked for is `command-line.ts`. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BenchCommand, parseCommand, scenarioOf, UsageError, usage } from './command-line.ts'
import { describeMachine } from './machine.ts'
import { printSummaries } from './report.ts'
import { runScenario, type Summary } from './scenario.ts'

/** What a resting machine may show; a bench itself makes about 2. */
const BUSY_LOAD = 0.5

const command = commandOrExit()
if (command.isHelp) {
  process.stdout.write(await usage())
  process.exit(0)
}

const { seconds, rounds, scale, dir } = command
mkdirSync(dir, { recursive: true })
const startedAt = new Date().toISOString()
const machine = describeMachine(dir)
if (machine.loadAverage > BUSY_LOAD) {
  console.error(`the machine is busy (load ${machine.loadAverage}): figures will be too low`)
}
const results: { scenario: string; sentence: string; summaries: Summary[] }[] = []
for (const name of command.scenarios) {
  const scenario = await scenarioOf(name)
  const trials = scenario.trials.filter((trial) => trial.name.includes(command.trial))
  const summaries = await runScenario(
    { ...scenario, trials },
    {
      rounds,
      seconds,
      scale,
      newDirectory,
      report: (sentence) => console.error(sentence),
    },
  )
  printSummaries(scenario, summaries)
  results.push({ scenario: scenario.name, sentence: scenario.sentence, summaries })
}

if (command.json !== undefined) {
  const document = {
    machine: { ...machine, loadAverageAfter: describeMachine(dir).loadAverage },
    startedAt,
    seconds,
    rounds,
    scale,
    results,
  }
  writeFileSync(command.json, `${JSON.stringify(document, null, 2)}\n`)
}

function commandOrExit(): BenchCommand {
  try {
    return parseCommand(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    process.exit(2)
  }
}

function newDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(dir, 'run-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
