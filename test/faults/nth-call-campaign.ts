/**
 * Every disk call of the story fails once, in every way: `node test/faults/nth-call-campaign.ts`. Prints
 * each case that broke a promise; exits 1 if there was one. `--sparse` runs, for each call, only two of
 * the ways, in rotation.
 */

import { parseArgs } from 'node:util'
import { type CaseResult, type FailureCase, runCase } from './campaign/fail-every-call.ts'

type Way = Omit<FailureCase, 'phase' | 'n'>

const WAYS: readonly Way[] = (['EIO', 'ENOSPC'] as const).flatMap((code) =>
  (['undone', 'partial', 'done'] as const).flatMap((extent) =>
    (['power cut', 'process kill', 'clean stop'] as const).map((crash) => ({
      code,
      extent,
      crash,
    })),
  ),
)
const SPARSE_WAYS = 2
/** Coprime to the number of ways, so that neighbouring calls meet different ones. */
const ROTATION = 7

export interface SweepResult {
  readonly cases: number
  readonly calls: number
  readonly failed: readonly string[]
}

/** Fails the first call of the phase, then the second, until there is no such call. */
export async function failEveryCall(
  phase: FailureCase['phase'],
  isSparse: boolean,
): Promise<SweepResult> {
  const failed: string[] = []
  let cases = 0
  for (let n = 1; ; n++) {
    let wasStruck = false
    for (const way of waysFor(n, isSparse)) {
      const result = await runCase({ phase, n, ...way })
      cases++
      wasStruck ||= result.struck !== undefined
      if (result.problems.length > 0) failed.push(describe(phase, way, result))
    }
    if (!wasStruck) return { cases, calls: n - 1, failed }
  }
}

function waysFor(n: number, isSparse: boolean): readonly Way[] {
  if (!isSparse) return WAYS
  return Array.from(
    { length: SPARSE_WAYS },
    (_, at) => WAYS[((n * SPARSE_WAYS + at) * ROTATION) % WAYS.length] as Way,
  )
}

function describe(phase: string, { code, extent, crash }: Way, result: CaseResult): string {
  return `${phase}: ${result.struck} failed with ${code}, ${extent}; then ${crash}: ${result.problems.join('; ')}`
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { sparse: { type: 'boolean', default: false } } })
  for (const phase of ['life', 'start'] as const) {
    const { cases, calls, failed } = await failEveryCall(phase, values.sparse)
    for (const line of failed) console.log(line)
    console.log(`${phase}: ${calls} calls, ${cases} cases, ${failed.length} failed`)
    if (failed.length > 0) process.exitCode = 1
  }
}
