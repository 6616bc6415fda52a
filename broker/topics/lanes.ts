/**
 * One thing at a time per name: work given to the same lane runs in the order given, work in different
 * lanes at once. A lane exists only while it has work.
 */

export class Lanes {
  readonly #tails = new Map<string, Promise<void>>()

  /** Names with work under way or waiting. */
  get busy(): number {
    return this.#tails.size
  }

  /** Runs `work` after everything given to that lane before; its outcome is the caller's alone. */
  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const result = (this.#tails.get(name) ?? Promise.resolve()).then(work)
    const tail: Promise<void> = result.then(
      () => this.#leave(name, tail),
      () => this.#leave(name, tail),
    )
    this.#tails.set(name, tail)
    return result
  }

  #leave(name: string, tail: Promise<void>): void {
    if (this.#tails.get(name) === tail) this.#tails.delete(name)
  }
}
