/**
 * One member of a group that prints: takes batches from the consumer, prints their records, and commits
 * what was written. Ends when it was interrupted, when enough was printed, or when the group is at the end;
 * then it commits and leaves.
 */

import type { RecordFilter } from '../../broker/http/records/record-filter.ts'
import type { Client, Consumer, ReadBatch } from '../../client/index.ts'
import { before } from '../produce/before.ts'
import { beforeLeaving } from '../reader-left.ts'
import type { RecordPrinter } from '../record-format.ts'
import { openBatch, readFailure } from '../stored-records.ts'
import { Commits, type CommittedPlace } from './commits.ts'
import type { GroupEnd } from './group-end.ts'
import type { GroupNotes } from './notes.ts'
import type { GroupRequest } from './request.ts'
import { WrittenOutput } from './written-output.ts'

/** How often what was written is committed: each commit is a write on the broker's disk. */
const COMMIT_MS = 1_000
/** At the end, how long to wait for a slow reader of our output. */
const READER_MS_MAX = 2_000
/** … and for the broker. */
const FINISH_MS_MAX = 5_000
/** Most batches fit when they are decompressed. */
const SCRATCH_BYTES = 4 * 1024 * 1024

export interface GroupReadingOptions {
  readonly client: Client
  readonly request: GroupRequest
  /** How records of a topic are printed. */
  readonly printerOf: (topic: string) => RecordPrinter
  readonly filter: RecordFilter | undefined
  readonly notes: GroupNotes
  /** `undefined`: goes on for ever. */
  readonly end: GroupEnd | undefined
  readonly interrupted: AbortSignal
}

export class GroupReading {
  /** Records printed. */
  count = 0
  readonly #options: GroupReadingOptions
  readonly #consumer: Consumer
  readonly #patience = new AbortController()
  readonly #output = new WrittenOutput(this.#patience.signal)
  readonly #commits: Commits
  /** Aborted when it is to end, for whatever reason. */
  readonly #ending = new AbortController()
  #failure: { readonly reason: unknown } | undefined
  /** Everything that came is printed, and more is waited for. */
  #isIdle = false
  #isChecking = false
  #committedAtMs = 0
  /** The last question to the consumer. */
  #asked: Promise<unknown> = Promise.resolve()
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

  constructor(options: GroupReadingOptions) {
    const { client, request, notes, interrupted } = options
    this.#options = options
    const { group, topics, from, outOfRange } = request
    this.#consumer = client.consumer({
      group,
      topics,
      clientId: 'spool consume',
      autoCommit: false,
      closeTimeoutMs: FINISH_MS_MAX,
      ...(from === undefined ? {} : { from }),
      ...(outOfRange === undefined ? {} : { outOfRange }),
      onAssigned: (places) => notes.assigned(places),
      onRevoked: async (places) => {
        await this.#output.finish()
        await this.#commits.commit()
        if (!this.#ending.signal.aborted) notes.revoked(places)
      },
      onLost: (places) => {
        this.#output.forget(places)
        notes.lost(places)
      },
      onReset: (places) => notes.reset(places),
      onTrouble: (trouble) => notes.trouble(trouble),
      onRecovered: () => notes.recovered(),
    })
    this.#commits = new Commits(this.#consumer, this.#output)
    interrupted.addEventListener('abort', () => this.#ending.abort(), { once: true })
    if (interrupted.aborted) this.#ending.abort()
  }

  /** How far everything that was printed here is committed. */
  get committed(): CommittedPlace[] {
    return this.#commits.committed
  }

  /** Prints until it is to end. Rejects with what went wrong; what was printed is committed then too. */
  run(): Promise<void> {
    const running = this.#run()
    // Others need not wait until the session of one ends that nobody reads.
    beforeLeaving(() => {
      this.#patience.abort()
      this.#ending.abort()
      return running
    })
    return running
  }

  async #run(): Promise<void> {
    const batches = this.#consumer.batches()
    const timer = setInterval(() => void this.#tick(), COMMIT_MS)
    try {
      for (;;) {
        const batch = await this.#nextBatch(batches)
        if (batch === undefined) break
        await this.#print(batch).catch((error: unknown) => {
          throw readFailure(error, batch)
        })
        if (this.count >= this.#options.request.countMax) break
      }
    } finally {
      clearInterval(timer)
      this.#ending.abort()
      await this.#finish(batches)
    }
    if (this.#failure !== undefined) throw this.#failure.reason
  }

  /** What was printed waits no longer than the next batch lets wait for itself. */
  async #nextBatch(batches: AsyncIterator<ReadBatch, void>): Promise<ReadBatch | undefined> {
    const next = batches.next()
    this.#asked = next
    const first = await Promise.race([next, afterThisTurn()])
    if (first === undefined) {
      // A rejection belongs to the await below.
      next.catch(() => {})
      await before(this.#ending.signal, this.#output.finish())
      this.#isIdle = true
      if (performance.now() - this.#committedAtMs >= COMMIT_MS) void this.#tick()
    }
    const result = await before(this.#ending.signal, next)
    this.#isIdle = false
    return result === undefined || result.done === true ? undefined : result.value
  }

  async #print(batch: ReadBatch): Promise<void> {
    const { filter, printerOf, request } = this.#options
    const print = printerOf(batch.topic)
    const { partition, fromOffset } = batch
    const output = this.#output
    const cursor = openBatch(batch, this.#scratch)
    while (cursor.next()) {
      if (cursor.offset < fromOffset) continue
      if (filter === undefined || filter(cursor)) {
        print(output.writer, partition, cursor)
        this.count += 1
      }
      const isEnough = this.count >= request.countMax
      if (!isEnough && !output.isFull) continue
      output.printed(batch, cursor.offset + 1)
      if (isEnough) return
      await before(this.#ending.signal, output.flush())
      if (this.#ending.signal.aborted) return
    }
    output.printed(batch, batch.nextOffset)
  }

  /** Commits what is written, and looks whether this is the end. */
  async #tick(): Promise<void> {
    if (this.#isChecking) return
    this.#isChecking = true
    try {
      this.#committedAtMs = performance.now()
      await this.#commits.commit()
      const { end, notes, request } = this.#options
      if (end !== undefined && this.#isIdle && (await end.isReached()) && this.#isIdle) {
        notes.end(request.group, request.topics)
        this.#ending.abort()
      }
    } catch (reason) {
      this.#failure ??= { reason }
      this.#ending.abort()
    } finally {
      this.#isChecking = false
    }
  }

  /** Writes and commits what was printed, and leaves the group. */
  async #finish(batches: AsyncIterator<ReadBatch, void>): Promise<void> {
    const timer = setTimeout(() => this.#patience.abort(), READER_MS_MAX)
    try {
      await this.#output.finish()
      await within(FINISH_MS_MAX, this.#commits.commitAll())
    } catch (reason) {
      this.#failure ??= { reason }
    } finally {
      clearTimeout(timer)
      await batches.return?.()
      // Where it was still joining, it leaves before it answers.
      await this.#asked.catch(() => {})
    }
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const late = AbortSignal.timeout(ms)
  await before(late, work)
}

function afterThisTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}
