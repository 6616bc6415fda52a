/** Writes lines to a stream in pieces of some size, no faster than it takes them. */

import { once } from 'node:events'
import type { Writable } from 'node:stream'

const PIECE_CHARACTERS = 64 * 1024

export async function writeLines(stream: Writable, lines: Iterable<string>): Promise<void> {
  let piece = ''
  for (const line of lines) {
    piece += `${line}\n`
    if (piece.length < PIECE_CHARACTERS) continue
    if (!stream.write(piece)) await once(stream, 'drain')
    piece = ''
  }
  if (piece !== '') stream.write(piece)
}
