/**
 * How far something long has got, on stderr: a bar on a terminal, a line a second elsewhere if it was
 * asked for. What is counted, and when it counts, is its caller's business.
 */

import type { SingleBar } from 'cli-progress'
import { bytesForPeople, countForPeople, durationForPeople } from './numbers.ts'
import type { GlobalOptions } from './verb.ts'

export interface Progress {
  /** Of `total`, in the same unit. */
  readonly done: number
  readonly records: number
}

export interface DisplayOptions {
  /** What is worked on, if it has a name. */
  readonly name: string | undefined
  /** Of the whole; `undefined` where that is not known. */
  readonly total: number | undefined
  readonly unit: 'bytes' | 'records'
  readonly isJson: boolean
  readonly progress: () => Progress
  /** Milliseconds, from any beginning. */
  readonly clock: () => number
}

const LINE_MS = 1_000
const BAR_MS = 100
const BAR_COLUMNS = 24
/** How much of the rate is of the last second; the rest is older. */
const NEWEST_SHARE = 0.3
/** A thousandth of a record a second is no movement. */
const SLOWEST = 0.001

/** What is done in a second, smoothed, and from that the time that is left. */
export class Rates {
  #at: (Progress & { readonly ms: number }) | undefined
  donePerSecond = 0
  recordsPerSecond = 0

  update({ done, records }: Progress, ms: number): void {
    const last = this.#at
    const elapsedMs = ms - (last?.ms ?? ms)
    if (last !== undefined && elapsedMs < BAR_MS) return
    this.#at = { done, records, ms }
    if (last === undefined) return
    const isFirst = this.donePerSecond === 0
    const share = isFirst ? 1 : 1 - (1 - NEWEST_SHARE) ** (elapsedMs / LINE_MS)
    const blend = (old: number, change: number) =>
      old + share * ((change / elapsedMs) * 1_000 - old)
    this.donePerSecond = blend(this.donePerSecond, done - last.done)
    this.recordsPerSecond = blend(this.recordsPerSecond, records - last.records)
  }

  /** `undefined` while nothing moves. */
  leftMs(done: number, total: number): number | undefined {
    if (this.donePerSecond < SLOWEST) return undefined
    return ((total - done) / this.donePerSecond) * 1_000
  }
}

/** Shows nothing. */
export class ProgressDisplay {
  /** Writes something else to stderr, on lines of its own. */
  aside(text: string): void {
    process.stderr.write(text)
  }

  end(): void {}
}

/** A line a second. */
export class ProgressLines extends ProgressDisplay {
  readonly #options: DisplayOptions
  readonly #rates = new Rates()
  readonly #timer: NodeJS.Timeout

  constructor(options: DisplayOptions) {
    super()
    this.#options = options
    this.#rates.update(options.progress(), options.clock())
    this.#timer = setInterval(() => this.#write(), LINE_MS)
    this.#timer.unref()
  }

  override end(): void {
    clearInterval(this.#timer)
  }

  #write(): void {
    const { isJson, clock } = this.#options
    const progress = this.#options.progress()
    this.#rates.update(progress, clock())
    const text = isJson
      ? JSON.stringify(progressDocument(this.#options, progress, this.#rates))
      : progressText(this.#options, progress, this.#rates)
    process.stderr.write(`${text}\n`)
  }
}

/** On a terminal. */
export class ProgressBar extends ProgressDisplay {
  readonly #options: DisplayOptions
  readonly #rates = new Rates()
  readonly #bar: SingleBar
  readonly #timer: NodeJS.Timeout

  private constructor(options: DisplayOptions, total: number, Bar: typeof SingleBar) {
    super()
    this.#options = options
    this.#bar = new Bar({
      stream: process.stderr,
      format: (_, { progress }) => this.#text(progress),
      fps: 1_000 / BAR_MS,
      hideCursor: true,
      linewrap: true,
      clearOnComplete: true,
      forceRedraw: true,
      // Ctrl-C is ours: the bar goes when the work has ended.
      gracefulExit: false,
    })
    this.#bar.start(total, 0)
    this.#timer = setInterval(() => this.#update(), BAR_MS)
    this.#timer.unref()
  }

  static async open(options: DisplayOptions, total: number): Promise<ProgressBar> {
    const { default: library } = await import('cli-progress')
    return new ProgressBar(options, total, library.SingleBar)
  }

  override aside(text: string): void {
    process.stderr.write(`\r\x1b[2K${text}`)
  }

  override end(): void {
    clearInterval(this.#timer)
    this.#bar.stop()
  }

  #update(): void {
    const progress = this.#options.progress()
    this.#rates.update(progress, this.#options.clock())
    this.#bar.update(progress.done)
  }

  #text(share: number): string {
    const filled = Math.round(share * BAR_COLUMNS)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled)
    const progress = this.#options.progress()
    const columns = Math.max(20, (process.stderr.columns || 80) - 1)
    return `${bar} ${progressText(this.#options, progress, this.#rates)}`.slice(0, columns)
  }
}

type What = Pick<DisplayOptions, 'name' | 'total' | 'unit'>

/**
 * `43%  161 MiB of 376 MiB  92 MiB/s  460,000 records/s  2.3 s left  access.ndjson`, or
 * `43%  430,000 of 1,000,000 records  5,000 records/s  1 min 54 s left  access`. Pure.
 */
export function progressText(
  { name, total, unit }: What,
  { done, records }: Progress,
  rates: Rates,
): string {
  const parts: string[] = []
  if (total !== undefined) {
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
    parts.push(`${String(percent).padStart(3)}%`)
  }
  if (total === undefined) parts.push(`${countForPeople(records)} records`)
  else if (unit === 'records') {
    parts.push(`${countForPeople(done)} of ${countForPeople(total)} records`)
  } else {
    parts.push(`${bytesForPeople(done)} of ${bytesForPeople(total)}`)
    parts.push(`${bytesForPeople(rates.donePerSecond)}/s`)
  }
  const rate = unit === 'records' ? rates.donePerSecond : rates.recordsPerSecond
  parts.push(`${countForPeople(Math.round(rate))} records/s`)
  const leftMs = total === undefined ? undefined : rates.leftMs(done, total)
  if (leftMs !== undefined) parts.push(`${durationForPeople(leftMs)} left`)
  if (name !== undefined) parts.push(name)
  return parts.join('  ')
}

function progressDocument(
  { total, unit }: What,
  { done, records }: Progress,
  rates: Rates,
): Readonly<Record<string, unknown>> {
  const leftMs = total === undefined ? undefined : rates.leftMs(done, total)
  const donePerSecond = Math.round(rates.donePerSecond)
  return {
    progress: {
      records,
      recordsPerSecond: Math.round(rates.recordsPerSecond),
      ...(total === undefined
        ? {}
        : unit === 'bytes'
          ? { bytes: done, totalBytes: total, bytesPerSecond: donePerSecond }
          : { read: done, total, readPerSecond: donePerSecond }),
      ...(leftMs === undefined ? {} : { leftMs: Math.round(leftMs) }),
    },
  }
}

/** What fits: a bar on a terminal, lines where they were asked for, else nothing. */
export async function openDisplay(
  options: Omit<DisplayOptions, 'isJson' | 'clock'>,
  { isQuiet, isJson }: Pick<GlobalOptions, 'isQuiet' | 'isJson'>,
  { isAsked, mayDraw }: { readonly isAsked: boolean; readonly mayDraw: boolean },
): Promise<ProgressDisplay> {
  const all = { ...options, isJson, clock: () => performance.now() }
  if (isQuiet && !isAsked) return new ProgressDisplay()
  const { total } = options
  if (process.stderr.isTTY && mayDraw && total !== undefined && !isJson) {
    return ProgressBar.open(all, total)
  }
  return isAsked ? new ProgressLines(all) : new ProgressDisplay()
}
