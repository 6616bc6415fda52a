/**
 * When simulated disk operations happen. Each operation is applied at one moment and reported at the
 * same or a later one; in between, and before, others overtake it, as in a thread pool. Owns the order
 * (from a seed, or first come first served) and the stop at a power cut; knows nothing of files.
 */

import type { SeededRandom } from '../random.ts'

/** An operation on its way: not applied yet, or applied and not yet reported. */
export interface Operation<Target> {
  /**
   * Does the operation to `target`; called once for the running disk, and again for copies of it taken
   * while the operation was in flight, with the `portion` (0..1) of it that happened there.
   */
  apply(target: Target, portion: number): void
}

interface Task<Target> {
  readonly operation: Operation<Target>
  applied: boolean
  failure: unknown
  failed: boolean
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export class Schedule<Target> {
  readonly #target: Target
  readonly #random: SeededRandom | undefined
  readonly #tasks: Task<Target>[] = []
  #awake = false
  #stopped = false

  /** @param random draws the order; without it operations happen in the order of the calls */
  constructor(target: Target, random: SeededRandom | undefined) {
    this.#target = target
    this.#random = random
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** Resolves once applied and reported; rejects with what `apply` threw. Never settles after `stop`. */
  run(operation: Operation<Target>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tasks.push({
        operation,
        applied: false,
        failure: undefined,
        failed: false,
        resolve,
        reject,
      })
      this.#wake()
    })
  }

  /** Nothing more is applied or reported: the process or the machine is gone. */
  stop(): void {
    this.#stopped = true
  }

  /** Operations called but not applied yet: each may or may not have happened by now. */
  unapplied(): Operation<Target>[] {
    return this.#tasks.filter((task) => !task.applied).map((task) => task.operation)
  }

  #wake(): void {
    if (this.#awake || this.#stopped || this.#tasks.length === 0) return
    this.#awake = true
    if (this.#random === undefined || this.#random.chance(0.5)) queueMicrotask(this.#turn)
    else setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#awake = false
    if (this.#stopped) return
    const index = this.#random?.below(this.#tasks.length) ?? 0
    const task = this.#tasks[index] as Task<Target>
    if (!task.applied) this.#apply(task)
    if (this.#random === undefined || this.#random.chance(0.6)) {
      this.#tasks.splice(index, 1)
      if (task.failed) task.reject(task.failure)
      else task.resolve()
    }
    this.#wake()
  }

  #apply(task: Task<Target>): void {
    task.applied = true
    try {
      task.operation.apply(this.#target, 1)
    } catch (failure) {
      task.failed = true
      task.failure = failure
    }
  }
}
