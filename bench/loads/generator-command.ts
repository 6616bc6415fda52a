/** The command line around a generator of lines: `--lines N --seed N`, to stdout, as fast as it is read. */

import { parseArgs } from 'node:util'
import { writeLines } from './write-lines.ts'

export function runGenerator(generate: (lines: number, seed: number) => Iterable<string>): void {
  const { values } = parseArgs({
    options: { lines: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
  })
  // `… | head` closes our stdout: that is an end, not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
  void writeLines(process.stdout, generate(Number(values.lines), Number(values.seed)))
}
