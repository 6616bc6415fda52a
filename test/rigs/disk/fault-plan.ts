/**
 * Which calls to the simulated disk go wrong, and how. Counts every call, keeps their log for a failing
 * test to print, and answers for each call: go on, fail in this way, or the machine stops here. Decides
 * only; the disk carries it out.
 */

/** The calls of `FileSystem` and `StorageFile`, `writeNow` apart from `write`. */
export type DiskOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'writeNow'
  | 'truncate'
  | 'sync'
  | 'size'
  | 'close'
  | 'readFile'
  | 'status'
  | 'list'
  | 'createDirectory'
  | 'rename'
  | 'removeFile'
  | 'removeDirectory'
  | 'syncDirectory'
  | 'setModifiedAt'
  | 'freeBytes'

export interface DiskCall {
  /** The first call is 1. */
  readonly n: number
  readonly operation: DiskOperation
  readonly path: string
}

/**
 * `undone`: nothing happened; `partial`: a write stopped half way (others: nothing happened);
 * `done`: it happened, and the error is a lie. A failed sync always leaves its pages marked clean:
 * `undone` loses them all, `partial` some, `done` none.
 */
export type FaultExtent = 'undone' | 'partial' | 'done'

export interface Fault {
  /** The error's code: `EIO`, `ENOSPC`, `EMFILE`… */
  readonly code: string
  readonly extent: FaultExtent
}

interface Rule {
  readonly matches: (call: DiskCall) => boolean
  readonly fault: Fault | 'halt'
  /** How many matching calls still pass before the rule strikes. */
  toPass: number
  /** How many calls it still strikes. */
  toStrike: number
}

export class FaultPlan {
  readonly #calls: DiskCall[] = []
  readonly #rules: Rule[] = []
  readonly #struck: (DiskCall & Fault)[] = []

  /** Every call so far, in order. */
  get calls(): readonly DiskCall[] {
    return this.#calls
  }

  /** The calls that were made to fail, in order. */
  get struck(): readonly (DiskCall & Fault)[] {
    return this.#struck
  }

  /** The n-th call from now (the next is 1) of those that `which` takes fails with `code`. */
  failNth(
    n: number,
    code: string,
    options: {
      which?: (call: DiskCall) => boolean
      extent?: FaultExtent
      /** How many calls in a row fail; 1 unless told. */
      times?: number
    } = {},
  ): void {
    this.#rules.push({
      matches: options.which ?? (() => true),
      fault: { code, extent: options.extent ?? 'undone' },
      toPass: n - 1,
      toStrike: options.times ?? 1,
    })
  }

  /** Every call that `which` takes fails, until `clear`. */
  failWhen(which: (call: DiskCall) => boolean, code: string, extent: FaultExtent = 'undone'): void {
    this.failNth(1, code, { which, extent, times: Number.POSITIVE_INFINITY })
  }

  /** The machine stops at the n-th call from now: it and all in flight may or may not have happened. */
  haltAtNth(n: number): void {
    this.#rules.push({ matches: () => true, fault: 'halt', toPass: n - 1, toStrike: 1 })
  }

  clear(): void {
    this.#rules.length = 0
  }

  /** Counts one call and says what becomes of it; `undefined`: it goes well. */
  next(operation: DiskOperation, path: string): Fault | 'halt' | undefined {
    const call: DiskCall = { n: this.#calls.length + 1, operation, path }
    this.#calls.push(call)
    let struck: Fault | 'halt' | undefined
    for (const rule of this.#rules) {
      if (rule.toStrike === 0 || !rule.matches(call)) continue
      if (rule.toPass > 0) rule.toPass--
      else {
        rule.toStrike--
        struck ??= rule.fault
      }
    }
    if (struck !== undefined && struck !== 'halt') this.#struck.push({ ...call, ...struck })
    return struck
  }

  /** The last calls as lines of text, newest last. */
  describe(last = 40): string {
    return this.#calls
      .slice(-last)
      .map((call) => `${call.n} ${call.operation} ${call.path}`)
      .join('\n')
  }
}
