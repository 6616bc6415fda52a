/**
 * Where the heavy part of a compaction runs. For a broker that is a thread of its own: unpacking, hashing and
 * packing a log takes seconds of a processor, and whoever waits for an append would wait for them. Without
 * threads (tests on a simulated disk, where everything must come in one order) it runs on the spot.
 *
 * Pieces of a log are handed over with their memory, not copied.
 */

import { Worker } from 'node:worker_threads'
import type { PieceCopied, PieceNoted } from './compaction-work.ts'
import { WorkBench } from './work-bench.ts'

type Step = Exclude<keyof WorkBench, symbol>

/** The steps of a `WorkBench`, one at a time. */
export type WorkPlace = {
  readonly [Name in Step]: (
    ...argument: Parameters<WorkBench[Name]>
  ) => Promise<ReturnType<WorkBench[Name]>>
} & {
  /** Lets go of the thread. */
  close(): Promise<void>
}

/** To the thread, and back. */
export interface StepAsked {
  readonly step: Step
  readonly argument: unknown
}
export type StepAnswer = { readonly result: unknown } | { readonly failure: string }

export function workPlaceHere(): WorkPlace {
  const bench = new WorkBench()
  return {
    begin: async (dirty) => bench.begin(dirty),
    note: async (piece) => bench.note(piece),
    beginCopies: async (rules) => bench.beginCopies(rules),
    beginSegment: async (baseOffset) => bench.beginSegment(baseOffset),
    copy: async (piece) => bench.copy(piece),
    endSegment: async (endOffset) => bench.endSegment(endOffset),
    end: async () => bench.end(),
    close: async () => {},
  }
}

export function workPlaceInThread(): WorkPlace {
  const thread = new CompactionThread()
  return {
    begin: (dirty) => thread.ask('begin', dirty),
    note: (piece) => thread.ask<PieceNoted>('note', piece, [piece.bytes.buffer]),
    beginCopies: (rules) => thread.ask('beginCopies', rules),
    beginSegment: (baseOffset) => thread.ask('beginSegment', baseOffset),
    copy: (piece) => thread.ask<PieceCopied>('copy', piece, [piece.bytes.buffer]),
    endSegment: (endOffset) => thread.ask('endSegment', endOffset),
    end: () => thread.ask('end'),
    close: () => thread.close(),
  }
}

class CompactionThread {
  readonly #worker = new Worker(workerUrl(), { name: 'compaction' })
  /** The step under way. */
  #waiting: { resolve(result: unknown): void; reject(error: Error): void } | undefined
  #ended: Error | undefined

  constructor() {
    // A broker that ends does not wait for it.
    this.#worker.unref()
    this.#worker.on('message', (answer: StepAnswer) => {
      const waiting = this.#waiting
      this.#waiting = undefined
      if ('failure' in answer) waiting?.reject(new Error(answer.failure))
      else waiting?.resolve(answer.result)
    })
    this.#worker.on('error', (error) => this.#end(error))
    this.#worker.on('exit', (code) => this.#end(new Error(`the thread ended with ${code}`)))
  }

  ask<Result>(step: Step, argument?: unknown, handOver: ArrayBuffer[] = []): Promise<Result> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (this.#waiting !== undefined) throw new Error(`${step} before the last step had its answer`)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve: (result) => resolve(result as Result), reject }
      this.#worker.postMessage({ step, argument } satisfies StepAsked, handOver)
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#waiting?.reject(this.#ended)
    this.#waiting = undefined
  }
}

/** The thread's own file: a source beside a source, compiled beside compiled. */
function workerUrl(): URL {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  return new URL(`./compaction-worker${ending}`, import.meta.url)
}
