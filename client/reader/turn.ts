/**
 * Lets the event loop have its turn. A loop over records that lie ready never waits for anything, and
 * while it does not, no timer fires, no signal aborts and no answer comes in.
 */

/** So long a program may be held up; next to it, letting the event loop go round costs nothing. */
const TURN_MS_MAX = 5

/** Where the platform has it, as Node, Bun and Deno do: sooner than a timer. */
const { setImmediate: soon } = globalThis as { setImmediate?: (callback: () => void) => unknown }

export class Turn {
  #beganAtMs = performance.now()

  get isOver(): boolean {
    return performance.now() - this.#beganAtMs > TURN_MS_MAX
  }

  /** Called right after waiting for something. */
  begin(): void {
    this.#beganAtMs = performance.now()
  }

  /** Resolves in the next turn. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (soon === undefined) setTimeout(resolve, 0)
      else soon(resolve)
    })
    this.begin()
  }
}
