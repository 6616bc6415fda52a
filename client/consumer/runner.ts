/**
 * Calls a handler for the records of a session, several partitions at one time and one record of each. A
 * slow partition holds up no other: what comes for it waits in its lane, and when enough waits there, no
 * more of it is fetched.
 *
 *     session.poll ─► lane of the partition ─► its turn ─► handler (attempts.ts) ─► done ─► its next turn
 *                                                 ▲             └─ threw ─► rests ─┐
 *                                                 └────────────────────────────────┘
 *
 * Owns turns, lanes and their bounds. Joining and leaving is for `handler-run.ts`.
 */

import { pause } from '../retry.ts'
import type { Attempts } from './attempts.ts'
import type { ConsumerSession } from './consumer-session.ts'
import { type HeldPartition, idOf } from './held-partition.ts'
import { Lane } from './lane.ts'
import type { GivenBatch } from './topic-source.ts'
import { within } from './within.ts'
import type { DropReason, InHand, Worker } from './worker.ts'

export interface RunnerOptions<K, V, T> {
  readonly session: ConsumerSession<K, V>
  readonly attempts: Attempts<K, V, T>
  readonly isOfBatches: boolean
  readonly concurrency: number
  /** What may wait in all lanes together; a batch in each is always let in. */
  readonly prefetchBytes: number
  readonly closeTimeoutMs: number
}

export class Runner<K, V, T> implements Worker<K, V> {
  readonly #options: RunnerOptions<K, V, T>
  /** By the partition's id. */
  readonly #lanes = new Map<string, Lane<K, V>>()
  /** Lanes that wait for their turn. */
  readonly #turns: Lane<K, V>[] = []
  /** Those with a piece in hand, also where their partition was taken away or sought elsewhere meanwhile. */
  readonly #busy = new Map<string, Lane<K, V>>()
  /** Each has one turn at a time; `concurrency` of them at most. */
  #workers = 0
  /** Pieces in hand that wait before another attempt. */
  #resting = 0
  #failure: { readonly reason: unknown } | undefined
  #onIdle: (() => void) | undefined

  constructor(options: RunnerOptions<K, V, T>) {
    this.#options = options
  }

  /**
   * Works until the session is stopped or something fails, and waits for what is in hand then.
   *
   * @throws what failed first.
   */
  async work(): Promise<void> {
    try {
      await this.#takeAll()
    } catch (error) {
      this.#failure ??= { reason: error }
    }
    await this.#finish()
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  settle(): void {}

  /** A handler that hangs is in the way of its partition, where that is held. */
  oldest(): InHand | undefined {
    const { held } = this.#options.session
    let oldest: InHand | undefined
    for (const lane of this.#busy.values()) {
      const { calledAt: since, inHand } = lane
      if (since === undefined || inHand === undefined || !held.has(lane.held)) continue
      if (oldest === undefined || since < oldest.since) {
        const { record, batch } = inHand
        oldest = { held: lane.held, offset: record?.offset ?? batch!.fromOffset, since }
      }
    }
    return oldest
  }

  drop(held: HeldPartition<K, V>, reason: DropReason): void {
    const id = idOf(held)
    const lanes = [this.#lanes.get(id), this.#busy.get(id)]
    for (const lane of lanes) {
      if (lane?.held !== held) continue
      lane.drop()
      if (reason === 'gone') lane.gone.abort()
      if (reason !== 'paused') lane.leaving.abort()
    }
    // Where the partition comes back while a handler still hangs, that is another wait.
    const { calledAt } = lanes[1] ?? {}
    if (reason === 'gone' && calledAt !== undefined) {
      lanes[1]!.calledAt = this.#options.session.patience.tick
    }
    // The next lane of the partition waits until what is in hand of this one is done.
    if (reason !== 'paused' && lanes[0]?.held === held) this.#lanes.delete(id)
  }

  async #takeAll(): Promise<void> {
    const { session } = this.#options
    do {
      for (let given = session.poll(); given !== undefined; given = session.poll())
        this.#take(given)
      // Those that had nothing to do while it was not sure that they may.
      for (const lane of this.#lanes.values()) this.#schedule(lane)
    } while (await session.ready())
  }

  #take({ held, batch }: GivenBatch<K, V>): void {
    const { isOfBatches, session } = this.#options
    let lane = this.#lanes.get(idOf(held))
    if (lane?.held !== held) {
      lane = new Lane(held, isOfBatches)
      this.#lanes.set(lane.id, lane)
    }
    lane.push(batch)
    if (!lane.isHeldBack && lane.queuedBytes > this.#laneBytesMax) {
      lane.isHeldBack = true
      session.sources.remove([held])
    }
    this.#schedule(lane)
  }

  get #laneBytesMax(): number {
    return this.#options.prefetchBytes / Math.max(1, this.#options.session.held.size)
  }

  /** Gives the lane a turn, where it has something to do and none of its partition is being done. */
  #schedule(lane: Lane<K, V>): void {
    const { session } = this.#options
    if (lane.isScheduled || lane.isEmpty || session.isHalted || this.#busy.has(lane.id)) return
    lane.isScheduled = true
    this.#turns.push(lane)
    this.#startWorker()
  }

  #startWorker(): void {
    if (this.#turns.length === 0 || this.#workers >= this.#options.concurrency) return
    this.#workers++
    void this.#takeTurns()
  }

  async #takeTurns(): Promise<void> {
    const { session, concurrency } = this.#options
    // More than there may be: one came back from its rest to give up.
    while (this.#workers <= concurrency) {
      if (session.pace.step()) await session.pace.next()
      const lane = this.#turns.shift()
      if (lane === undefined) break
      if (lane.goOn !== undefined) {
        // The turn is now that of whoever rested.
        lane.goOn()
        return
      }
      lane.isScheduled = false
      try {
        await this.#takeTurn(lane)
      } catch (error) {
        this.#failure ??= { reason: error }
        session.stop()
      }
    }
    this.#workers--
    if (this.#isIdle) this.#onIdle?.()
  }

  get #isIdle(): boolean {
    return this.#workers === 0 && this.#resting === 0
  }

  async #takeTurn(lane: Lane<K, V>): Promise<void> {
    const { session, attempts } = this.#options
    const { id } = lane
    if (session.isHalted || this.#busy.has(id)) return
    const piece = lane.take()
    this.#letMoreIn(lane)
    if (piece === undefined) return
    this.#busy.set(id, lane)
    let isDone = false
    try {
      isDone = await attempts.work(piece, lane, this.#rest)
    } finally {
      this.#busy.delete(id)
      lane.calledAt = undefined
      lane.finish(isDone)
      const next = this.#lanes.get(id)
      if (next !== undefined) this.#schedule(next)
    }
  }

  /** Gives its turn to others for so long, and waits for another one. Rejects once the lane is to go. */
  readonly #rest = async (lane: Lane<K, V>, ms: number): Promise<void> => {
    const { signal } = lane.leaving
    this.#workers--
    this.#resting++
    this.#startWorker()
    let hasTurn = false
    try {
      await pause(ms, signal)
      if (this.#workers >= this.#options.concurrency) {
        await this.#nextTurn(lane, signal)
        hasTurn = true
      }
    } finally {
      this.#resting--
      if (!hasTurn) this.#workers++
    }
  }

  /** Resolves with the turn of a worker. */
  async #nextTurn(lane: Lane<K, V>, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = () => {
      this.#turns.splice(this.#turns.indexOf(lane), 1)
      lane.goOn = undefined
      reject(signal.reason)
    }
    lane.goOn = () => {
      signal.removeEventListener('abort', giveUp)
      lane.goOn = undefined
      resolve()
    }
    this.#turns.push(lane)
    signal.addEventListener('abort', giveUp, { once: true })
    await promise
  }

  #letMoreIn(lane: Lane<K, V>): void {
    if (!lane.isHeldBack || lane.queuedBytes > this.#laneBytesMax / 2) return
    lane.isHeldBack = false
    if (lane.held.isGiving) this.#options.session.sources.add([lane.held])
  }

  /** Waits for what is in hand; then it is told that its time is up. */
  async #finish(): Promise<void> {
    const endsAtMs = performance.now() + this.#options.closeTimeoutMs
    for (const lane of this.#busy.values()) lane.leaving.abort()
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve
      if (this.#isIdle) resolve()
    })
    await within(idle, endsAtMs)
    for (const lane of this.#busy.values()) lane.gone.abort()
  }
}
