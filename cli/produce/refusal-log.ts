/** Names the lines that can not be taken on stderr: the first ones, and in the end how many more there were. */

import { countForPeople } from '../numbers.ts'
import { printable } from '../printable.ts'
import type { RefusedLine } from './line-upload.ts'
import { refusalDocument, refusalSentence } from './report.ts'

/** A file with the wrong --key-from has a million of them. */
const NAMED_MAX = 100

export class RefusalLog {
  readonly #isJson: boolean
  readonly #write: (text: string) => void
  readonly #listed: RefusedLine[] = []
  #count = 0

  constructor(isJson: boolean, write: (text: string) => void) {
    this.#isJson = isJson
    this.#write = write
  }

  /** The ones that were named. */
  get listed(): readonly RefusedLine[] {
    return this.#listed
  }

  add(refused: RefusedLine): void {
    this.#count += 1
    if (this.#listed.length >= NAMED_MAX) return
    this.#listed.push(refused)
    const text = this.#isJson
      ? JSON.stringify(refusalDocument(refused))
      : printable(refusalSentence(refused))
    this.#write(`${text}\n`)
  }

  close(): void {
    const more = this.#count - this.#listed.length
    if (more === 0 || this.#isJson) return
    this.#write(`spool produce: and ${countForPeople(more)} more such lines\n`)
  }
}
