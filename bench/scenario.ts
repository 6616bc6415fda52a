/**
 * What a scenario is, and how its trials are run: interleaved (A B C, A B C, …), so that a disk or a
 * neighbour that is slow for a minute slows all of them, and summed up by the median.
 */

/** One figure of one run. */
export interface Measure {
  readonly name: string
  readonly value: number
  readonly unit: string
}

/** One thing that is measured. Runs in a directory of its own on the disk under test. */
export interface Trial {
  readonly name: string
  run(context: TrialContext): Promise<readonly Measure[]>
}

export interface TrialContext {
  /** How long to measure, after a warm-up that the trial decides on. */
  readonly seconds: number
  /** An empty directory, removed afterwards. */
  readonly directory: string
  /** 1.0 for the sizes named in the scenario; smaller for a quick look. */
  readonly scale: number
}

export interface Scenario {
  readonly name: string
  /** One sentence for a person. */
  readonly sentence: string
  /** Rounds, where a single one takes minutes. */
  readonly roundsMax?: number
  readonly trials: readonly Trial[]
  /** Figures that follow from the medians, such as a ratio of two trials. */
  derive?(median: (trial: string, measure: string) => number): readonly Measure[]
}

export interface Summary {
  readonly trial: string
  readonly name: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly max: number
  readonly values: readonly number[]
}

export interface RunOptions {
  readonly rounds: number
  newDirectory(): { path: string; remove(): void }
  readonly seconds: number
  readonly scale: number
  report(sentence: string): void
}

/** Runs every trial of a scenario once per round, in turn. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Summary[]> {
  const found = new Map<string, { trial: string; measure: Measure; values: number[] }>()
  const rounds = Math.min(options.rounds, scenario.roundsMax ?? options.rounds)
  for (let round = 1; round <= rounds; round++) {
    for (const trial of scenario.trials) {
      options.report(`${scenario.name}: round ${round} of ${rounds}, ${trial.name}`)
      const directory = options.newDirectory()
      const { seconds, scale } = options
      try {
        for (const measure of await trial.run({ seconds, scale, directory: directory.path })) {
          const key = `${trial.name}/${measure.name}`
          const entry = found.get(key) ?? { trial: trial.name, measure, values: [] }
          entry.values.push(measure.value)
          found.set(key, entry)
        }
      } finally {
        directory.remove()
      }
    }
  }
  const summaries = [...found.values()].map(({ trial, measure, values }) =>
    summary(trial, measure, values),
  )
  const median = (trial: string, name: string) =>
    summaries.find((it) => it.trial === trial && it.name === name)?.median ?? Number.NaN
  // Of trials that were not run there is nothing to derive.
  const derived = (scenario.derive?.(median) ?? []).filter(({ value }) => !Number.isNaN(value))
  return [...summaries, ...derived.map((measure) => summary('=', measure, [measure.value]))]
}

function summary(trial: string, measure: Measure, values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? Number.NaN
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN
  return {
    trial,
    name: measure.name,
    unit: measure.unit,
    median: (lower + upper) / 2,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    values,
  }
}
