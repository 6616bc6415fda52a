/**
 * What one worker process did, as lines of a file that outlives it: every line is written, by the system,
 * before the worker goes on. Times are of the machine's monotonic clock, which all processes share.
 */

import { openSync, readFileSync, writeSync } from 'node:fs'

/** `partition@offset` each. */
export type Places = readonly (readonly [partition: number, offset: number])[]

export type ConsumerEvent =
  /** `onAssigned`: it holds them, and begins there. */
  | { readonly kind: 'assigned'; readonly at: number; readonly places: Places }
  /** `onRevoked` has come to its end: it is going to let go of them. */
  | { readonly kind: 'revoked'; readonly at: number; readonly places: Places }
  /** `onLost`. */
  | { readonly kind: 'lost'; readonly at: number; readonly places: Places }
  /** `onLost`, because what was in hand did not get done in time. */
  | { readonly kind: 'overdue'; readonly at: number; readonly places: Places }
  /** A record was given. */
  | { readonly kind: 'begun'; readonly at: number; readonly places: Places }
  /** … and is done. */
  | { readonly kind: 'done'; readonly at: number; readonly places: Places }
  /** `commit` resolved: each offset is the next to read. */
  | { readonly kind: 'committed'; readonly at: number; readonly places: Places }
  /** The process came to its own end. */
  | { readonly kind: 'ended'; readonly at: number; readonly places: Places }

export type ConsumerEventKind = ConsumerEvent['kind']

/** Milliseconds, comparable between the processes of this machine. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export class ConsumerJournal {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  write(kind: ConsumerEventKind, places: Places): void {
    const list = places.map(([partition, offset]) => `${partition}@${offset}`).join(' ')
    writeSync(this.#file, `${machineMs()} ${kind} ${list}\n`)
  }
}

/** What is there now; a process that was killed may have left half a line. */
export function readJournal(path: string): ConsumerEvent[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => {
    const [at, kind, ...list] = line.trimEnd().split(' ')
    const places = list.map((it) => it.split('@').map(Number) as unknown as [number, number])
    return { kind: kind as ConsumerEventKind, at: Number(at), places }
  })
}
