/** The figures of a scenario as a table for a person. */

import type { Scenario, Summary } from './scenario.ts'

export function printSummaries(scenario: Scenario, summaries: readonly Summary[]): void {
  const header = ['trial', 'measure', 'median', 'min', 'max', 'unit']
  const lines = summaries.map((it) => [
    it.trial,
    it.name,
    shortNumber(it.median),
    shortNumber(it.min),
    shortNumber(it.max),
    it.unit,
  ])
  const widths = header.map((title, at) =>
    Math.max(title.length, ...lines.map((line) => line[at]?.length ?? 0)),
  )
  const isNumber = (at: number) => at >= 2 && at <= 4
  const row = (cells: readonly string[]) =>
    cells
      .map((text, at) =>
        isNumber(at) ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd()
  console.log(`\n${scenario.name}: ${scenario.sentence}`)
  for (const line of [header, ...lines]) console.log(row(line))
  console.log()
}

/** Three digits that count: `1,234,000`, `12.3`, `0.124`. */
export function shortNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: value >= 1_000 ? 4 : 3 })
}
