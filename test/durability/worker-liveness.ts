/**
 * Judges whether everybody who should go on does: partitions that nobody has, partitions that somebody has
 * and does nothing with, and members whose worker is dead.
 *
 * These are about time, and a machine that does other things, too, must not raise an alarm. So what is held
 * against the limits is not time but time in which others got on: from one look at the group to the next,
 * only if the committed offset of another partition rose meanwhile, and of a long step only so much.
 *
 *     look        look        look            look        look
 *      ├─ others ──┼─ others ──┼── nobody ─────┼─ others ──┤
 *      │  moved    │  moved    │   moved       │  moved    │
 *      └─────── counts ────────┘               └── counts ─┘
 *
 * While the broker is away nothing counts, and after that sessions begin anew, so time without an owner and
 * after a death is counted from there.
 */

import type { Findings } from './worker-anomalies.ts'
import type { LookEvent, WorkerEvent } from './worker-history.ts'

/** Milliseconds in which others got on. */
export interface LivenessLimits {
  /** Without a living worker that was given the partition. */
  readonly orphanMsMax: number
  /** With one, and without a commit. */
  readonly stuckMsMax: number
  /** In the group after its worker's death. */
  readonly deadMsMax: number
  /** Counted of one step from look to look. */
  readonly stepMsMax: number
}

/** The longest that was seen of each, in the same milliseconds. */
export interface LongestTimes {
  readonly orphanMs: number
  readonly stuckMs: number
  readonly deadMs: number
}

export function checkLiveness(
  events: readonly WorkerEvent[],
  limits: LivenessLimits,
  found: Findings,
): LongestTimes {
  const liveness = new Liveness(limits, found)
  for (const event of events) liveness.take(event)
  return liveness.longest
}

/** Of one partition. */
interface Clocks {
  orphanMs: number
  stuckMs: number
}

class Liveness {
  readonly #limits: LivenessLimits
  readonly #found: Findings
  /** What each living worker was told that it has. */
  readonly #held = new Map<string, readonly number[]>()
  readonly #known = new Set<string>()
  readonly #dead = new Set<string>()
  readonly #clocks = new Map<number, Clocks>()
  /** Members without a living worker, and how long they are there. */
  readonly #withoutWorker = new Map<string, number>()
  /** The look before, since the broker is up. */
  #before: LookEvent | undefined
  readonly longest = { orphanMs: 0, stuckMs: 0, deadMs: 0 }

  constructor(limits: LivenessLimits, found: Findings) {
    this.#limits = limits
    this.#found = found
  }

  take(event: WorkerEvent): void {
    switch (event.kind) {
      case 'assignment':
        this.#told(event.member, event.partitions)
        break
      case 'break':
        this.#held.delete(event.member)
        break
      case 'death':
        this.#held.delete(event.member)
        this.#dead.add(event.member)
        break
      case 'broker':
        this.#before = undefined
        this.#withoutWorker.clear()
        for (const clocks of this.#clocks.values()) clocks.orphanMs = 0
        break
      case 'look':
        if (this.#before !== undefined) this.#step(this.#before, event)
        this.#before = event
        break
      case 'undrained':
        for (const partition of event.partitions) this.#undrained(partition)
    }
  }

  #told(member: string, partitions: readonly number[]): void {
    // Lines that had come before it was killed.
    if (this.#dead.has(member)) return
    this.#known.add(member)
    this.#held.set(member, partitions)
    for (const partition of partitions) this.#clocksOf(partition).orphanMs = 0
  }

  #step(before: LookEvent, after: LookEvent): void {
    const tookMs = Math.min(after.endedAt - before.endedAt, this.#limits.stepMsMax)
    const moved = new Set(
      after.offsets.flatMap((offset, partition) =>
        (offset ?? 0) > (before.offsets[partition] ?? 0) ? [partition] : [],
      ),
    )
    for (const [partition, offset] of after.offsets.entries()) {
      const clocks = this.#clocksOf(partition)
      // As much as that was there to read all the time.
      const isBehind = before.ends[partition]! > (offset ?? 0)
      if (moved.has(partition) || !isBehind) {
        clocks.orphanMs = 0
        clocks.stuckMs = 0
      } else if (moved.size > 0) this.#count(partition, clocks, tookMs, after)
    }
    if (moved.size > 0) this.#countMembers(after, tookMs)
  }

  #count(partition: number, clocks: Clocks, tookMs: number, look: LookEvent): void {
    const holder = this.#holderOf(partition)
    const { orphanMsMax, stuckMsMax } = this.#limits
    const place = `${partition} stands at ${look.offsets[partition]} of ${look.ends[partition]}`
    if (holder === undefined) {
      clocks.orphanMs += tookMs
      this.longest.orphanMs = Math.max(this.longest.orphanMs, clocks.orphanMs)
      if (clocks.orphanMs <= orphanMsMax) return
      const described = look.owners[partition]
      const owner = described === null ? 'nobody' : `${described}, ${this.#fateOf(described!)}`
      this.#found.add(
        'orphan-partition',
        `${place}, and for ${ms(clocks.orphanMs)} ms no living worker was given it; the group says it is of ${owner}, at ${ms(look.endedAt)}`,
      )
      // Told once, and counted again when it lasts as long again.
      clocks.orphanMs = 0
      return
    }
    clocks.orphanMs = 0
    clocks.stuckMs += tookMs
    this.longest.stuckMs = Math.max(this.longest.stuckMs, clocks.stuckMs)
    if (clocks.stuckMs <= stuckMsMax) return
    this.#found.add(
      'stuck-partition',
      `${place} for ${ms(clocks.stuckMs)} ms; ${holder} has it, at ${ms(look.endedAt)}`,
    )
    clocks.stuckMs = 0
  }

  #countMembers({ members, endedAt }: LookEvent, tookMs: number): void {
    for (const member of this.#withoutWorker.keys()) {
      if (!members.includes(member)) this.#withoutWorker.delete(member)
    }
    for (const member of members) {
      // A member that nobody was told to be is that of a worker which died before it heard.
      if (this.#known.has(member) && !this.#dead.has(member)) {
        this.#withoutWorker.delete(member)
        continue
      }
      const deadMs = (this.#withoutWorker.get(member) ?? 0) + tookMs
      this.#withoutWorker.set(member, deadMs)
      this.longest.deadMs = Math.max(this.longest.deadMs, deadMs)
      if (deadMs <= this.#limits.deadMsMax) continue
      const sentence = `${member} is there for ${ms(deadMs)} ms, at ${ms(endedAt)}; ${this.#fateOf(member)}`
      this.#found.add('immortal-member', sentence)
      this.#withoutWorker.set(member, 0)
    }
  }

  #undrained(partition: number): void {
    const holder = this.#holderOf(partition)
    const sentence = `${partition} was not read to its end, and nothing moved any more; ${holder ?? 'no living worker'} has it`
    this.#found.add(holder === undefined ? 'orphan-partition' : 'stuck-partition', sentence)
  }

  #holderOf(partition: number): string | undefined {
    for (const [member, partitions] of this.#held) if (partitions.includes(partition)) return member
    return undefined
  }

  #fateOf(member: string): string {
    if (this.#dead.has(member)) return 'whose worker is dead'
    return this.#known.has(member) ? 'whose worker lives' : 'which no worker ever heard to be'
  }

  #clocksOf(partition: number): Clocks {
    const clocks = this.#clocks.get(partition) ?? { orphanMs: 0, stuckMs: 0 }
    this.#clocks.set(partition, clocks)
    return clocks
  }
}

function ms(value: number): string {
  return value.toFixed(0)
}
