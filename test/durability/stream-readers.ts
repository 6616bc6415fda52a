/**
 * The process that holds the readers of a stream campaign, so that neither the broker's memory nor its
 * event loop is theirs. Started by `stream-trial.ts`, told what to do by messages, and asked how it stands.
 */

import { StreamReader } from './stream-reader.ts'

/** `tail` begins where the trial's own records begin, `history` at the beginning of the topic. */
export type ReaderKind = 'tail' | 'history' | 'stalled tail' | 'stalled history'

/** To the readers. */
export type Order =
  | {
      readonly type: 'open'
      readonly kind: ReaderKind
      readonly count: number
      readonly port: number
      readonly path: string
      readonly from: readonly number[]
    }
  | { readonly type: 'ask' }
  /** The stalled ones look what is left for them. */
  | { readonly type: 'resume' }
  | { readonly type: 'leave' }

/** From the readers, to each `ask`. */
export interface Standing {
  /** Readers that have their answer's head. */
  readonly connected: number
  /** Stalled ones that are still connected. */
  readonly stalledOpen: number
  /** Records read, by the reader that has least and the one that has most, of those that begin at the tail. */
  readonly least: number
  readonly most: number
  readonly records: number
  /** How many readers stand at the same places with the same checksums, and what went wrong. */
  readonly groups: readonly Group[]
  readonly problems: readonly string[]
  /** What stalled ones heard last, and how many heard it. */
  readonly lastWords: Readonly<Record<string, number>>
}

export interface Group {
  readonly kind: ReaderKind
  readonly nextOffsets: readonly number[]
  readonly checksums: readonly number[]
  readonly count: number
}

const PROBLEMS_MAX = 10

const readers: { readonly kind: ReaderKind; readonly reader: StreamReader }[] = []

function isStalled(kind: ReaderKind): boolean {
  return kind.startsWith('stalled')
}

function standing(): Standing {
  const groups = new Map<string, Group & { count: number }>()
  const lastWords: Record<string, number> = {}
  const live = readers.filter(({ kind }) => !isStalled(kind))
  for (const { kind, reader } of live) {
    const { nextOffsets, checksums } = reader
    const key = JSON.stringify([kind, nextOffsets, checksums])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { kind, nextOffsets, checksums, count: 1 })
    else group.count++
  }
  const stalled = readers.filter(({ kind }) => isStalled(kind))
  for (const { reader } of stalled) {
    if (!reader.isClosed) continue
    const word = reader.lastWord.slice(0, 200)
    lastWords[word] = (lastWords[word] ?? 0) + 1
  }
  const counts = live.flatMap(({ kind, reader }) => (kind === 'tail' ? [reader.recordCount] : []))
  return {
    connected: readers.filter(({ reader }) => reader.hasHead && !reader.isClosed).length,
    stalledOpen: stalled.filter(({ reader }) => !reader.isClosed).length,
    least: Math.min(...counts),
    most: Math.max(...counts),
    records: live.reduce((sum, { reader }) => sum + reader.recordCount, 0),
    groups: [...groups.values()].sort((a, b) => b.count - a.count).slice(0, PROBLEMS_MAX),
    problems: readers
      .flatMap(({ kind, reader }, index) =>
        reader.problem === undefined ? [] : [`reader ${index} (${kind}): ${reader.problem}`],
      )
      .slice(0, PROBLEMS_MAX),
    lastWords,
  }
}

process.on('message', (order: Order) => {
  if (order.type === 'open') {
    const { kind, count, port, path, from } = order
    for (let i = 0; i < count; i++) {
      const reader = new StreamReader({ port, path, from, isStalled: isStalled(kind) })
      readers.push({ kind, reader })
    }
  } else if (order.type === 'ask') process.send?.(standing())
  else if (order.type === 'resume') for (const { reader } of readers) reader.resume()
  else {
    for (const { reader } of readers) reader.leave()
    process.disconnect()
  }
})
