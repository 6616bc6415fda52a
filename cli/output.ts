/**
 * What a verb prints. With `--json` one document, or one a line; on a terminal a table with numbers and
 * sizes for people; otherwise values as they are, separated by tabs, one row a line and no head, so that
 * `cut` and `while read` can use them. What was done is said on stdout, remarks on stderr.
 */

import { printable } from './printable.ts'

export interface OutputOptions {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly hasColor: boolean
}

/** `count`, `bytes` and `duration` (in ms) are for people on a terminal, and plain numbers elsewhere. */
export interface Column {
  readonly name: string
  readonly kind?: 'text' | 'count' | 'bytes' | 'duration' | 'number'
}

export type Cell = string | number | boolean | null | undefined

export class Output {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly hasColor: boolean
  /** True when a person reads stdout. */
  readonly isTerminal: boolean

  constructor({ isJson, isQuiet, hasColor }: OutputOptions) {
    this.isJson = isJson
    this.isQuiet = isQuiet
    this.isTerminal = process.stdout.isTTY === true
    this.hasColor = hasColor && this.isTerminal
  }

  /** One JSON document on one line; `--json` prints nothing else on stdout. */
  document(document: unknown): void {
    process.stdout.write(`${JSON.stringify(document)}\n`)
  }

  /** Says on stdout that something was done; nothing with `--json` or `--quiet`. */
  done(sentence: string): void {
    if (!this.isJson && !this.isQuiet) process.stdout.write(`${printable(sentence)}\n`)
  }

  /** A remark on stderr, for people; nothing with `--quiet`, and with `--json`, which leaves stderr to errors. */
  remark(sentence: string): void {
    if (!this.isJson && !this.isQuiet) process.stderr.write(`${printable(sentence)}\n`)
  }

  /** Rows of the same columns; with `--json` the caller prints documents instead. */
  async table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Promise<void> {
    if (!this.isTerminal) {
      process.stdout.write(tabbedText(rows))
      return
    }
    const { tableText } = await import('./table-text.ts')
    process.stdout.write(tableText(columns, rows, this.hasColor))
  }

  /** A heading over a table, on a terminal. */
  heading(text: string): void {
    if (this.isTerminal) process.stdout.write(`${this.bold(printable(text))}\n`)
  }

  /** An empty line between tables, on a terminal. */
  gap(): void {
    if (this.isTerminal) process.stdout.write('\n')
  }

  bold(text: string): string {
    return this.hasColor ? `\x1b[1m${text}\x1b[22m` : text
  }
}

function tabbedText(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map(plain).join('\t')}\n`).join('')
}

function plain(cell: Cell): string {
  return cell === null || cell === undefined ? '' : printable(String(cell))
}
