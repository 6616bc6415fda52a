/**
 * The tester's own hand on a simulated disk, past the engine's door: puts files in place, looks at what
 * is there and what is durable, spoils bytes. Counts as no call and takes no time.
 */

import { Directory, type Entry, type NameTable } from './name-table.ts'
import { SimulatedFile } from './simulated-file.ts'

export class Medium {
  readonly #names: NameTable

  constructor(names: NameTable) {
    this.#names = names
  }

  /** Makes a directory and those above it, durable at once: what the operator had before us. */
  provideDirectory(path: string): void {
    this.#names.createDirectory(path)
    this.#syncPath(path)
  }

  /** Puts a whole file in place, durable with its name. Its directory must be there. */
  provideFile(path: string, bytes: Uint8Array): void {
    const existing = this.#names.find(path)
    const file = existing instanceof SimulatedFile ? existing : this.#names.createFile(path)
    file.truncate(0)
    file.write(bytes, 0)
    file.syncUpTo(file.sequence, file.sizeBytes)
    this.#syncPath(path)
  }

  /** A copy of what a reader sees in a file now. */
  contents(path: string): Buffer {
    return this.#names.file(path, 'peek').cached()
  }

  /** A copy of what of a file would certainly survive a power cut, were its name to survive. */
  durableContents(path: string): Buffer {
    return this.#names.file(path, 'peek').durable()
  }

  /** Overwrites bytes in cache and on the medium, as a bad disk does. */
  corrupt(path: string, position: number, bytes: Uint8Array): void {
    this.#names.file(path, 'peek').corrupt(position, bytes)
  }

  exists(path: string): boolean {
    return this.#names.find(path) !== undefined
  }

  /** Every file's path below `directory`, sorted. */
  paths(directory = ''): string[] {
    const found: string[] = []
    const walk = (at: Directory, path: string): void => {
      for (const [name, entry] of at.names) {
        if (entry instanceof Directory) walk(entry, `${path}/${name}`)
        else found.push(`${path}/${name}`)
      }
    }
    walk(this.#names.directory(directory, 'peek'), directory)
    return found.sort()
  }

  #syncPath(path: string): void {
    let at: Entry | undefined = this.#names.root
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (!(at instanceof Directory)) return
      at.syncUpTo(at.sequence)
      at = at.names.get(name)
    }
  }
}
