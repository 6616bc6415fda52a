/**
 * The power-cut campaign as a program: `node test/faults/power-cut-campaign.ts --seeds 5000 --from 1`.
 * Prints every seed that fails with what it found and how to run it again; exits 1 if there was one.
 */

import { parseArgs } from 'node:util'
import { runScenario } from './campaign/scenario.ts'

export interface CampaignResult {
  readonly seeds: number
  readonly failed: readonly { readonly seed: number; readonly problems: readonly string[] }[]
  readonly recordsJudged: number
}

/** Runs the seeds one after another; stops after `failuresMax` of them failed. */
export async function runCampaign(options: {
  readonly from: number
  readonly seeds: number
  readonly failuresMax?: number
  readonly report?: (line: string) => void
}): Promise<CampaignResult> {
  const failed: { seed: number; problems: readonly string[] }[] = []
  let recordsJudged = 0
  let seeds = 0
  const report = options.report ?? (() => {})
  for (let seed = options.from; seed < options.from + options.seeds; seed++) {
    const result = await runScenario(seed)
    seeds++
    recordsJudged += result.recordsJudged
    if (result.problems.length === 0) continue
    failed.push({ seed, problems: result.problems })
    report(`seed ${seed} failed:`)
    for (const problem of result.problems.slice(0, 5)) report(`  ${problem}`)
    for (const line of result.story) report(`    ${line}`)
    report(`  again: node test/faults/power-cut-campaign.ts --from ${seed} --seeds 1`)
    if (failed.length >= (options.failuresMax ?? Number.POSITIVE_INFINITY)) break
  }
  return { seeds, failed, recordsJudged }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      from: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '5000' },
      failures: { type: 'string', default: '5' },
    },
  })
  const startedAt = Date.now()
  const result = await runCampaign({
    from: Number(values.from),
    seeds: Number(values.seeds),
    failuresMax: Number(values.failures),
    report: (line) => console.log(line),
  })
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  console.log(
    `${result.seeds} seeds, ${result.failed.length} failed, ${result.recordsJudged} records judged, ${seconds} s`,
  )
  if (result.recordsJudged === 0) console.log('nothing was judged: the run is invalid')
  process.exitCode = result.failed.length > 0 || result.recordsJudged === 0 ? 1 : 0
}
