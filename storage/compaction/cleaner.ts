/**
 * Compacts the logs of a data directory in the background: looks, from time to time, which are dirty enough,
 * and takes the dirtiest first. One at a time unless told otherwise, so that memory and disk are those of one.
 * A log that fails is left as it is and said to be so; the others have their turn.
 */

import type { Clock, Timer } from '../clock.ts'
import { UNLIMITED } from '../config.ts'
import type { Log } from '../log/log.ts'
import { ClockWatch } from '../log/retention.ts'
import type { Logger } from '../logger.ts'
import type { Compacted } from './compactor.ts'
import type { LogDirt, SharedLimits } from './log-compaction.ts'
import { Throttle } from './pace.ts'
import type { WorkPlace } from './work-place.ts'

/** Settings of the engine as a whole. */
export interface CleanerSettings {
  /** False: only when asked (`LogManager.compact`). */
  readonly cleanerEnabled: boolean
  readonly cleanerThreads: number
  readonly cleanerMapBytesMax: number
  readonly cleanerBufferBytes: number
  /** -1: no limit. */
  readonly cleanerBytesPerSecond: number
  readonly cleanerBackoffMs: number
  /** Left free on the disk. */
  readonly diskReserveBytes: number
}

const KIB = 1024
const MIB = 1024 * KIB

/** For who says nothing of it. */
export const CLEANER_DEFAULTS: CleanerSettings = {
  cleanerEnabled: false,
  cleanerThreads: 1,
  cleanerMapBytesMax: 128 * MIB,
  cleanerBufferBytes: 512 * KIB,
  cleanerBytesPerSecond: -1,
  cleanerBackoffMs: 15_000,
  diskReserveBytes: 0,
}

/** What was done since the start; for metrics. */
export interface CleanerTotals {
  readonly compactions: number
  readonly failures: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly recordsRead: number
  readonly recordsRemoved: number
  readonly seconds: number
  /** Of the dirtiest log, when they were last looked at. */
  readonly dirtyRatioMax: number
  /** Compactions that run now. */
  readonly running: number
}

export interface CleanerOptions {
  logs(): Iterable<Log>
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: CleanerSettings
  readonly maxDecompressedBytes: number
  /** Makes a place for the heavy part; let go of when nothing is due any more. */
  openWorkPlace(): WorkPlace
}

export class Cleaner {
  readonly #options: CleanerOptions
  readonly #clockWatch: ClockWatch
  readonly #limits: Omit<SharedLimits, 'work'>
  readonly #totals = {
    compactions: 0,
    failures: 0,
    readBytes: 0,
    writtenBytes: 0,
    recordsRead: 0,
    recordsRemoved: 0,
    seconds: 0,
    dirtyRatioMax: 0,
    running: 0,
  }
  #run: Promise<void> = Promise.resolve()
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: CleanerOptions) {
    const { clock, settings } = options
    this.#options = options
    this.#clockWatch = new ClockWatch(clock.now(), clock.monotonicMs())
    const { cleanerBytesPerSecond, cleanerThreads } = settings
    const bytesPerSecond = cleanerBytesPerSecond < 0 ? UNLIMITED : cleanerBytesPerSecond
    this.#limits = {
      throttle: new Throttle(clock, bytesPerSecond),
      bufferBytes: settings.cleanerBufferBytes,
      mapBytesMax: Math.floor(settings.cleanerMapBytesMax / cleanerThreads),
      maxDecompressedBytes: options.maxDecompressedBytes,
      reserveBytes: settings.diskReserveBytes,
    }
  }

  get totals(): CleanerTotals {
    return this.#totals
  }

  /** Looks at the logs from time to time, from now on. */
  start(): void {
    const { settings } = this.#options
    if (settings.cleanerEnabled) this.#schedule()
  }

  /** Compacts every log that is due now; resolves when none is any more. */
  compactDue(): Promise<void> {
    this.#run = this.#run
      .then(() => this.#compactDueNow())
      .catch((error) => this.#options.logger.error({ error }, 'logs could not be compacted'))
    return this.#run
  }

  /** Begins nothing any more; what runs is stopped by its log, whose closing comes next. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await Promise.all([...this.#options.logs()].map((log) => log.compaction.close()))
    await this.#run
  }

  #schedule(): void {
    const { clock, settings } = this.#options
    this.#timer = clock.after(settings.cleanerBackoffMs, () => {
      void this.compactDue().finally(() => {
        if (!this.#isClosed) this.#schedule()
      })
    })
  }

  async #compactDueNow(): Promise<void> {
    const { clock, logger, settings } = this.#options
    if (!this.#clockWatch.isSteady(clock.now(), clock.monotonicMs())) {
      // Tombstones get their date by it, and go by it.
      logger.warn({}, 'the wall clock jumped: compaction sits out this check')
      return
    }
    const passedOver = new Set<Log>()
    for (let due = await this.#due(passedOver); due.length > 0; due = await this.#due(passedOver)) {
      const inLine = due.values()
      const threads = Math.min(settings.cleanerThreads, due.length)
      await Promise.all(Array.from({ length: threads }, () => this.#takeTurns(inLine, passedOver)))
    }
  }

  /** Compacts one log after the other; those that came to nothing are passed over from then on. */
  async #takeTurns(inLine: Iterable<Log>, passedOver: Set<Log>): Promise<void> {
    let work = this.#options.openWorkPlace()
    try {
      for (const log of inLine) {
        const outcome = await this.#compact(log, work)
        if (outcome !== 'compacted') passedOver.add(log)
        if (outcome !== 'failed') continue
        // It may have ended with what failed, and is in the middle of it in any case.
        await work.close()
        work = this.#options.openWorkPlace()
      }
    } finally {
      await work.close()
    }
  }

  /** The logs that are due, the dirtiest first. */
  async #due(passedOver: ReadonlySet<Log>): Promise<Log[]> {
    const due: { readonly log: Log; readonly ratio: number }[] = []
    let ratioMax = 0
    for (const log of [...this.#options.logs()]) {
      if (this.#isClosed) return []
      const dirt = await this.#dirtOf(log)
      // One that failed is not looked at for a while, and is as dirty as it was.
      ratioMax = Math.max(ratioMax, dirt?.ratio ?? log.compaction.dirtyRatio)
      if (dirt?.isDue === true && !passedOver.has(log)) due.push({ log, ratio: dirt.ratio })
    }
    this.#totals.dirtyRatioMax = ratioMax
    return due.sort((a, b) => b.ratio - a.ratio).map(({ log }) => log)
  }

  async #dirtOf(log: Log): Promise<LogDirt | undefined> {
    try {
      return await log.compaction.dirt()
    } catch (error) {
      // Being closed or deleted, or its disk fails: whoever uses it is told.
      this.#options.logger.warn({ ...nameOf(log), error }, 'a log could not be looked at')
      return undefined
    }
  }

  /** Where it came to nothing the log has to wait for the next check. */
  async #compact(log: Log, work: WorkPlace): Promise<'compacted' | 'nothing' | 'failed'> {
    const { clock, logger } = this.#options
    const totals = this.#totals
    const startedAtMs = clock.monotonicMs()
    totals.running += 1
    try {
      const compacted = await log.compaction.run({ ...this.#limits, work })
      if (compacted === undefined) return 'nothing'
      const seconds = (clock.monotonicMs() - startedAtMs) / 1_000
      this.#count(compacted, seconds)
      logger.info({ ...nameOf(log), ...compacted, seconds }, 'compacted a log')
      return 'compacted'
    } catch (error) {
      totals.failures += 1
      logger.error({ ...nameOf(log), error }, 'a log could not be compacted and stays as it is')
      return 'failed'
    } finally {
      totals.running -= 1
    }
  }

  #count(compacted: Compacted, seconds: number): void {
    const totals = this.#totals
    totals.compactions += 1
    totals.readBytes += compacted.readBytes
    totals.writtenBytes += compacted.writtenBytes
    totals.recordsRead += compacted.recordsRead
    totals.recordsRemoved += compacted.recordsRead - compacted.recordsKept
    totals.seconds += seconds
  }
}

function nameOf({ topic, partition }: Log): { topic: string; partition: number } {
  return { topic, partition }
}
