/**
 * How far an upload has got, on stderr: a bar on a terminal, a line a second elsewhere if it was asked
 * for. What counts is what is acknowledged, not what was read.
 */

import { basename } from 'node:path'
import type { SingleBar } from 'cli-progress'
import { bytesForPeople, countForPeople } from '../numbers.ts'
import type { GlobalOptions } from '../verb.ts'
import type { Acknowledged } from './acknowledged.ts'
import type { Input } from './input.ts'
import type { ProducePlan } from './plan.ts'
import { secondsForPeople } from './report.ts'

export interface Progress {
  /** Of the files. */
  readonly bytes: number
  readonly records: number
}

export interface DisplayOptions {
  /** What is to be loaded, by name; `undefined`: stdin. */
  readonly name: string | undefined
  /** Of all files; `undefined` where that is not known. */
  readonly totalBytes: number | undefined
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

/** Bytes and records a second, smoothed, and from these the time that is left. */
export class Rates {
  #at: (Progress & { readonly ms: number }) | undefined
  bytesPerSecond = 0
  recordsPerSecond = 0

  update({ bytes, records }: Progress, ms: number): void {
    const last = this.#at
    const elapsedMs = ms - (last?.ms ?? ms)
    if (last !== undefined && elapsedMs < BAR_MS) return
    this.#at = { bytes, records, ms }
    if (last === undefined) return
    const isFirst = this.recordsPerSecond === 0
    const share = isFirst ? 1 : 1 - (1 - NEWEST_SHARE) ** (elapsedMs / LINE_MS)
    const blend = (old: number, change: number) =>
      old + share * ((change / elapsedMs) * 1_000 - old)
    this.bytesPerSecond = blend(this.bytesPerSecond, bytes - last.bytes)
    this.recordsPerSecond = blend(this.recordsPerSecond, records - last.records)
  }

  /** `undefined` while nothing moves. */
  leftMs(bytes: number, totalBytes: number): number | undefined {
    if (this.bytesPerSecond < 1) return undefined
    return ((totalBytes - bytes) / this.bytesPerSecond) * 1_000
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
    const { isJson, progress, clock, totalBytes } = this.#options
    const { bytes, records } = progress()
    this.#rates.update({ bytes, records }, clock())
    const text = isJson
      ? JSON.stringify(progressDocument({ bytes, records }, this.#rates, totalBytes))
      : progressText(this.#options.name, { bytes, records }, this.#rates, totalBytes)
    process.stderr.write(`${text}\n`)
  }
}

/** On a terminal. */
export class ProgressBar extends ProgressDisplay {
  readonly #options: DisplayOptions
  readonly #rates = new Rates()
  readonly #bar: SingleBar
  readonly #timer: NodeJS.Timeout

  private constructor(options: DisplayOptions, totalBytes: number, Bar: typeof SingleBar) {
    super()
    this.#options = options
    this.#bar = new Bar({
      stream: process.stderr,
      format: (_, { progress }) => this.#text(progress, totalBytes),
      fps: 1_000 / BAR_MS,
      hideCursor: true,
      linewrap: true,
      clearOnComplete: true,
      forceRedraw: true,
      // Ctrl-C is ours: the bar goes when the upload has ended.
      gracefulExit: false,
    })
    this.#bar.start(totalBytes, 0)
    this.#timer = setInterval(() => this.#update(), BAR_MS)
    this.#timer.unref()
  }

  static async open(options: DisplayOptions, totalBytes: number): Promise<ProgressBar> {
    const { default: library } = await import('cli-progress')
    return new ProgressBar(options, totalBytes, library.SingleBar)
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
    this.#bar.update(progress.bytes)
  }

  #text(share: number, totalBytes: number): string {
    const filled = Math.round(share * BAR_COLUMNS)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled)
    const progress = this.#options.progress()
    const columns = Math.max(20, (process.stderr.columns || 80) - 1)
    return `${bar} ${progressText(this.#options.name, progress, this.#rates, totalBytes)}`.slice(
      0,
      columns,
    )
  }
}

/** `43%  161 MiB of 376 MiB  92 MiB/s  460,000/s  2.3 s left  access.ndjson`. Pure. */
export function progressText(
  name: string | undefined,
  { bytes, records }: Progress,
  rates: Rates,
  totalBytes: number | undefined,
): string {
  const parts: string[] = []
  if (totalBytes !== undefined) {
    const percent = totalBytes === 0 ? 100 : Math.floor((bytes / totalBytes) * 100)
    parts.push(`${String(percent).padStart(3)}%`)
    parts.push(`${bytesForPeople(bytes)} of ${bytesForPeople(totalBytes)}`)
    parts.push(`${bytesForPeople(rates.bytesPerSecond)}/s`)
  } else parts.push(`${countForPeople(records)} records`)
  parts.push(`${countForPeople(Math.round(rates.recordsPerSecond))} records/s`)
  const leftMs = totalBytes === undefined ? undefined : rates.leftMs(bytes, totalBytes)
  if (leftMs !== undefined) parts.push(`${secondsForPeople(leftMs)} left`)
  if (name !== undefined) parts.push(name)
  return parts.join('  ')
}

function progressDocument(
  { bytes, records }: Progress,
  rates: Rates,
  totalBytes: number | undefined,
): Readonly<Record<string, unknown>> {
  const leftMs = totalBytes === undefined ? undefined : rates.leftMs(bytes, totalBytes)
  return {
    progress: {
      records,
      recordsPerSecond: Math.round(rates.recordsPerSecond),
      ...(totalBytes === undefined
        ? {}
        : { bytes, totalBytes, bytesPerSecond: Math.round(rates.bytesPerSecond) }),
      ...(leftMs === undefined ? {} : { leftMs: Math.round(leftMs) }),
    },
  }
}

/** What fits: a bar on a terminal, lines where they were asked for, else nothing. */
export async function openDisplay(
  { files, valueFile, showsProgress }: ProducePlan,
  inputs: readonly Input[],
  { isQuiet, isJson }: GlobalOptions,
  acknowledged: Acknowledged,
): Promise<ProgressDisplay> {
  const sizes = inputs.map(({ sizeBytes }) => sizeBytes)
  const isSized = files.length > 0 && sizes.every((size) => size !== undefined)
  const totalBytes = isSized ? sizes.reduce((sum: number, size = 0) => sum + size, 0) : undefined
  const progress = () => {
    const { place } = acknowledged.reached
    const before = sizes.slice(0, place.file).reduce((sum: number, size = 0) => sum + size, 0)
    return { bytes: before + place.position, records: place.records }
  }
  const name = files.length === 1 ? basename(files[0]!) : undefined
  const options = { name, totalBytes, isJson, progress, clock: () => performance.now() }
  if (valueFile !== undefined || (isQuiet && !showsProgress)) return new ProgressDisplay()
  if (process.stderr.isTTY && totalBytes !== undefined && !isJson) {
    return ProgressBar.open(options, totalBytes)
  }
  return showsProgress ? new ProgressLines(options) : new ProgressDisplay()
}
