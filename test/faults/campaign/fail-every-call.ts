/**
 * Makes every single disk call of the story fail, one run for each: the N-th call of the engine's life,
 * or of the start after a crash, with each error in each extent. After the failure the process is killed
 * or the power cut, and the next start, on a disk that behaves, must find everything as promised.
 */

import { ManualClock } from '../../rigs/clock.ts'
import type { FaultExtent } from '../../rigs/disk/fault-plan.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { openEngine } from './engine.ts'
import type { Crash } from './history.ts'
import { Story } from './story.ts'

export interface FailureCase {
  readonly phase: 'life' | 'start'
  readonly n: number
  readonly code: string
  readonly extent: FaultExtent
  readonly crash: Crash
}

export interface CaseResult {
  readonly problems: readonly string[]
  /** The call that failed; undefined when the phase has fewer calls. */
  readonly struck: string | undefined
}

export async function runCase(failure: FailureCase): Promise<CaseResult> {
  const clock = new ManualClock()
  const story = new Story(clock)
  const first = new SimulatedDisk({ clock })
  if (failure.phase === 'life') plan(first, failure)
  const manager = await story.start(() => openEngine(first, clock), 'clean stop', first)
  if (manager !== undefined) await story.tell(manager, first)
  if (manager !== undefined && failure.crash === 'clean stop') await manager.close().catch(() => {})
  let struck = first.faults.struck[0]

  const second = end(first, failure, story)
  if (failure.phase === 'start') plan(second, failure)
  const again = await story.start(() => openEngine(second, clock), failure.crash, second)
  if (failure.phase === 'start') {
    struck = second.faults.struck[0]
    second.faults.clear()
    if (again !== undefined) await story.epilogue(again)
    const third = end(second, failure, story)
    const last = await story.start(() => openEngine(third, clock), failure.crash, third)
    if (last !== undefined) await story.epilogue(last)
  } else if (again !== undefined) {
    await story.epilogue(again)
    if (!(await again.close())) story.problems.push('the last stop was not clean')
    const left = second.openPaths
    if (left.length > 0) story.problems.push(`files left open: ${left.join(', ')}`)
  }
  return {
    problems: story.problems,
    struck: struck && `${struck.n} ${struck.operation} ${struck.path}`,
  }
}

function plan(disk: SimulatedDisk, { n, code, extent }: FailureCase): void {
  disk.faults.failNth(n, code, { extent })
}

function end(disk: SimulatedDisk, failure: FailureCase, story: Story): SimulatedDisk {
  story.noteCrash(failure.crash)
  return failure.crash === 'power cut' ? disk.powerCut(failure.n) : disk.processKill(failure.n)
}
