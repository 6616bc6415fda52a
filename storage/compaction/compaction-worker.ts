/**
 * The thread that compaction runs on: takes one step after another, answers each, and hands the memory of
 * pieces back with the answer. What the steps do is `work-bench.ts`.
 */

import { getPriority, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { WorkBench } from './work-bench.ts'
import type { StepAnswer, StepAsked } from './work-place.ts'

/** Everybody else's work comes first where processors are few. */
const NICENESS = 10

const bench = new WorkBench()

giveWay()

parentPort?.on('message', (asked: StepAsked) => {
  const answer = answerTo(asked)
  parentPort?.postMessage(answer, 'result' in answer ? memoryOf(answer.result) : [])
})

/** On Linux a thread has a priority of its own; elsewhere this would slow down the whole process. */
function giveWay(): void {
  if (process.platform !== 'linux') return
  try {
    // A broker that is nicer already may not be allowed to be less so.
    setPriority(0, Math.max(NICENESS, getPriority(0)))
  } catch {
    // A courtesy: the work is the same without it.
  }
}

function answerTo({ step, argument }: StepAsked): StepAnswer {
  try {
    const take = bench[step] as (this: WorkBench, argument: unknown) => unknown
    return { result: take.call(bench, argument) }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

/** The memory in an answer: that of a piece, and of what was made of it. */
function memoryOf(result: unknown): ArrayBuffer[] {
  if (result instanceof Uint8Array) return [result.buffer as ArrayBuffer]
  if (typeof result !== 'object' || result === null) return []
  return Object.values(result).flatMap((value) =>
    value instanceof Uint8Array ? [value.buffer as ArrayBuffer] : [],
  )
}
