/**
 * How rows become text: aligned columns for a person at a terminal, tab-separated values for programs
 * and files, or one JSON object a line. Knows nothing about logs.
 */

import { printable } from '../printable.ts'
import type { Row } from './rows.ts'

export type Shape = 'table' | 'tabs' | 'json'

/** Rows of one kind wait for this many others to find the width of their columns. */
const TABLE_ROWS = 200
/** The most of a key or value that a table shows. */
const CELL_CHARACTERS_MAX = 60

/** Turns rows into lines, as they come; `write` takes whole lines. */
export class RowPrinter {
  readonly #shape: Shape
  readonly #write: (text: string) => void
  #waiting: Row[] = []

  constructor(shape: Shape, write: (text: string) => void) {
    this.#shape = shape
    this.#write = write
  }

  print(row: Row): void {
    if (this.#shape === 'json') {
      this.#write(`${JSON.stringify({ kind: row.kind, file: row.file, ...row.values })}\n`)
      return
    }
    const first = this.#waiting[0]
    const isSameTable = first === undefined || (first.kind === row.kind && first.file === row.file)
    if (!isSameTable || this.#waiting.length >= TABLE_ROWS) this.finish()
    this.#waiting.push(row)
  }

  /** Writes what is still waiting for its table to end. */
  finish(): void {
    const rows = this.#waiting
    this.#waiting = []
    const first = rows[0]
    if (first === undefined) return
    const names = [...new Set(rows.flatMap((row) => Object.keys(row.values)))]
    if (this.#shape === 'tabs') {
      const lines = rows.map((row) => [row.kind, printable(row.file), ...pairs(row)].join('\t'))
      this.#write(`${lines.join('\n')}\n`)
      return
    }
    const cells = rows.map((row) => names.map((name) => cellText(row.values[name])))
    const widths = names.map((name, at) =>
      Math.max(name.length, ...cells.map((line) => line[at]?.length ?? 0)),
    )
    const align = (line: string[]) =>
      line
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd()
    const lines = [`${printable(first.file)} (${first.kind})`, align(names), ...cells.map(align)]
    this.#write(`${lines.join('\n')}\n\n`)
  }
}

function pairs(row: Row): string[] {
  return Object.entries(row.values).map(([name, value]) => `${name}=${valueText(value)}`)
}

/** Control characters in data, tabs too, come out as JSON escapes: no value can forge a column. */
function valueText(value: unknown): string {
  return printable(
    typeof value === 'string'
      ? JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"')
      : (JSON.stringify(value) ?? ''),
  )
}

function cellText(value: unknown): string {
  const text = value === undefined ? '' : valueText(value)
  return text.length <= CELL_CHARACTERS_MAX ? text : `${text.slice(0, CELL_CHARACTERS_MAX - 1)}…`
}
