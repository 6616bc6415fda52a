/**
 * Who wants to hear of signals, with one listener for each signal however many ask: a signal looks through
 * all it has whenever one is added, so that ten thousand records under one signal would take seconds.
 */

export class AbortListeners {
  readonly #runs = new Map<AbortSignal, Set<() => void>>()

  /** Runs `run` when the signal is aborted from now on. The function given back takes it back. */
  add(signal: AbortSignal, run: () => void): () => void {
    const runs = this.#runs.get(signal) ?? this.#listen(signal)
    runs.add(run)
    return () => {
      runs.delete(run)
      if (runs.size === 0 && this.#runs.get(signal) === runs) this.#forget(signal)
    }
  }

  /** The promise, or the signal's reason if that comes first. */
  race<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const takeBack = this.add(signal, () => reject(signal.reason))
      promise.then(resolve, reject).finally(takeBack)
    })
  }

  #listen(signal: AbortSignal): Set<() => void> {
    const runs = new Set<() => void>()
    this.#runs.set(signal, runs)
    signal.addEventListener('abort', this.#aborted)
    return runs
  }

  #forget(signal: AbortSignal): void {
    signal.removeEventListener('abort', this.#aborted)
    this.#runs.delete(signal)
  }

  readonly #aborted = ({ target }: Event): void => {
    const signal = target as AbortSignal
    const runs = this.#runs.get(signal) ?? []
    this.#forget(signal)
    for (const run of runs) run()
  }
}
