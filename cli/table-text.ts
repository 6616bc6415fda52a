/** Tables for a terminal. Loaded there only: programs that read our output do not pay for it. */

import Table from 'cli-table3'
import { bytesForPeople, countForPeople, durationForPeople } from './numbers.ts'
import type { Cell, Column } from './output.ts'
import { printable } from './printable.ts'

/** Columns two spaces apart, no lines drawn: what people copy out of it is what they wanted. */
const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** The rows under a head, columns aligned, numbers to the right. */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  hasColor: boolean,
): string {
  const bold = (text: string) => (hasColor ? `\x1b[1m${text}\x1b[22m` : text)
  const table = new Table({
    head: columns.map(({ name }) => bold(name.toUpperCase())),
    colAligns: columns.map(({ kind = 'text' }) => (kind === 'text' ? 'left' : 'right')),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) table.push(row.map((cell, at) => forPeople(cell, columns[at]?.kind)))
  const lines = table.toString().split('\n')
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

function forPeople(cell: Cell, kind: Column['kind']): string {
  if (cell === null || cell === undefined) return '-'
  if (typeof cell === 'number' && kind === 'bytes') return bytesForPeople(cell)
  if (typeof cell === 'number' && kind === 'count') return countForPeople(cell)
  if (typeof cell === 'number' && kind === 'duration') return durationForPeople(cell)
  return printable(String(cell))
}
