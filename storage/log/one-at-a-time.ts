/** Asynchronous work that must not overlap: each begins when the one before it has ended, well or not. */

export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs `action` after all that was handed in before. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => {})
    return result
  }
}
