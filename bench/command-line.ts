/** What `npm run bench` is asked for, checked before anything is run, and what it says of itself. Runs nothing. */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Scenario } from './scenario.ts'

/** The project's own: a temporary directory may be a memory file system. */
const DEFAULT_DIRECTORY = join(import.meta.dirname, '../.bench')

/** File names of `scenarios/`, in the order they are run. */
export const SCENARIOS = [
  'disk',
  'produce',
  'fetch',
  'client',
  'small-posts',
  'groups',
  'group-readers',
  'upload',
  'start',
  'recovery',
  'partitions',
  'compaction',
]

const OPTIONS = {
  seconds: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '3' },
  scale: { type: 'string', default: '1' },
  dir: { type: 'string', default: DEFAULT_DIRECTORY },
  json: { type: 'string' },
  trial: { type: 'string', default: '' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const USAGE = `npm run bench -- [scenario…] [options]

Runs scenarios, all of them without names, and prints their medians.

  --seconds N    how long each trial measures (5)
  --rounds N     how often each trial is run; they take turns (3)
  --scale X      of the sizes: 0.01 for a quick look (1)
  --trial TEXT   only trials whose names have that in them
  --dir DIR      on the disk to measure (.bench in the project)
  --json FILE    the figures as JSON, too
  -h, --help     this
`

export interface BenchCommand {
  readonly scenarios: readonly string[]
  readonly seconds: number
  readonly rounds: number
  readonly scale: number
  readonly dir: string
  readonly json: string | undefined
  /** Of trials to run: what their names have in them. */
  readonly trial: string
  readonly isHelp: boolean
}

/** A command that can not be; its message is one line. */
export class UsageError extends Error {}

/** @throws UsageError */
export function parseCommand(words: readonly string[]): BenchCommand {
  const { values, positionals } = parsed(words)
  const unknown = positionals.filter((name) => !SCENARIOS.includes(name))
  if (unknown.length > 0) {
    const known = SCENARIOS.join(', ')
    throw new UsageError(`no such scenario: ${unknown.join(', ')}; there are ${known}`)
  }
  const { dir, json, trial, help } = values
  return {
    scenarios: positionals.length > 0 ? positionals : SCENARIOS,
    seconds: positive('seconds', values.seconds),
    rounds: positive('rounds', values.rounds),
    scale: positive('scale', values.scale),
    dir,
    json,
    trial,
    isHelp: help,
  }
}

export async function scenarioOf(name: string): Promise<Scenario> {
  const { scenario } = (await import(`./scenarios/${name}.ts`)) as { scenario: Scenario }
  return scenario
}

export async function usage(): Promise<string> {
  const width = Math.max(...SCENARIOS.map((name) => name.length))
  const lines: string[] = []
  for (const name of SCENARIOS) {
    lines.push(`  ${name.padEnd(width)}  ${(await scenarioOf(name)).sentence}\n`)
  }
  return `${USAGE}\nScenarios:\n\n${lines.join('')}`
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    // What follows the first sentence is advice on options that begin like values.
    const [sentence] = (error as Error).message.split(/[.\n]/)
    throw new UsageError(`${sentence}; --help says what there is`)
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value
  throw new UsageError(`--${name} is ${JSON.stringify(text)}, not a number above 0`)
}
