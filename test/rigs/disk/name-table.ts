/**
 * The directories of the simulated disk, twice: the names a running system sees, and for each directory
 * the names on stable storage with the ordered operations between the two. Owns paths and their errors;
 * knows nothing of file content but that a name points at it.
 *
 * A power cut keeps, in each directory on its own, some prefix of its unsynced operations: a journal
 * loses the latest first, and nothing orders one directory against another. Making a file durable does
 * not make its name durable (ext4 does that too, but nothing promises it), nor does a directory's own
 * sync make its name in its parent durable.
 */

import type { SeededRandom } from '../random.ts'
import { SimulatedFile } from './simulated-file.ts'

export type Entry = SimulatedFile | Directory

/** One atomic change of a directory: names set, or taken away where the entry is `undefined`. */
interface NameOperation {
  /** Rises by one with every operation in the directory. */
  readonly sequence: number
  readonly changes: readonly (readonly [name: string, entry: Entry | undefined])[]
}

export class Directory {
  readonly names = new Map<string, Entry>()
  readonly durable = new Map<string, Entry>()
  unsynced: NameOperation[] = []
  /** The number of the newest operation: what a sync called now has to make durable. */
  sequence = 0

  change(changes: NameOperation['changes']): void {
    this.sequence++
    const operation = { sequence: this.sequence, changes }
    applyNames(this.names, operation)
    this.unsynced.push(operation)
  }

  syncUpTo(sequence: number): void {
    while ((this.unsynced[0]?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) {
      applyNames(this.durable, this.unsynced.shift() as NameOperation)
    }
  }
}

/** A refusal of the file system in Node's shape, so that callers can look at `code`. */
export class FileSystemError extends Error {
  readonly code: string
  readonly syscall: string
  readonly path: string

  constructor(code: string, syscall: string, path: string, why = 'simulated disk') {
    super(`${code}: ${why}, ${syscall} '${path}'`)
    this.code = code
    this.syscall = syscall
    this.path = path
  }
}

export class NameTable {
  readonly root: Directory

  constructor(root = new Directory()) {
    this.root = root
  }

  find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.root
    for (const name of partsOf(path)) {
      if (!(entry instanceof Directory)) return undefined
      entry = entry.names.get(name)
    }
    return entry
  }

  file(path: string, syscall: string): SimulatedFile {
    const entry = this.find(path)
    if (entry === undefined) throw new FileSystemError('ENOENT', syscall, path)
    if (entry instanceof Directory) throw new FileSystemError('EISDIR', syscall, path)
    return entry
  }

  directory(path: string, syscall: string): Directory {
    const entry = this.find(path)
    if (entry === undefined) throw new FileSystemError('ENOENT', syscall, path)
    if (!(entry instanceof Directory)) throw new FileSystemError('ENOTDIR', syscall, path)
    return entry
  }

  createFile(path: string): SimulatedFile {
    const { parent, name } = this.#place(path, 'open')
    if (parent.names.has(name)) throw new FileSystemError('EEXIST', 'open', path)
    const file = new SimulatedFile()
    parent.change([[name, file]])
    return file
  }

  createDirectory(path: string): void {
    let directory = this.root
    for (const name of partsOf(path)) {
      let next = directory.names.get(name)
      if (next === undefined) {
        next = new Directory()
        directory.change([[name, next]])
      }
      if (!(next instanceof Directory)) throw new FileSystemError('ENOTDIR', 'mkdir', path)
      directory = next
    }
  }

  /** @throws EXDEV between directories: what a cut may do to those two halves is not simulated. */
  rename(from: string, to: string): void {
    const source = this.#place(from, 'rename')
    const target = this.#place(to, 'rename')
    const entry = source.parent.names.get(source.name)
    if (entry === undefined) throw new FileSystemError('ENOENT', 'rename', from)
    if (source.parent !== target.parent) throw new FileSystemError('EXDEV', 'rename', from)
    if (source.name === target.name) return
    const replaced = target.parent.names.get(target.name)
    if (replaced instanceof Directory) {
      if (!(entry instanceof Directory)) throw new FileSystemError('EISDIR', 'rename', to)
      if (replaced.names.size > 0) throw new FileSystemError('ENOTEMPTY', 'rename', to)
    } else if (replaced !== undefined && entry instanceof Directory) {
      throw new FileSystemError('ENOTDIR', 'rename', to)
    }
    source.parent.change([
      [source.name, undefined],
      [target.name, entry],
    ])
  }

  removeFile(path: string): void {
    this.file(path, 'unlink')
    const { parent, name } = this.#place(path, 'unlink')
    parent.change([[name, undefined]])
  }

  removeDirectory(path: string): void {
    if (this.directory(path, 'rmdir').names.size > 0) {
      throw new FileSystemError('ENOTEMPTY', 'rmdir', path)
    }
    const { parent, name } = this.#place(path, 'rmdir')
    parent.change([[name, undefined]])
  }

  /** Every file with a name a running system sees. */
  *files(directory = this.root): Generator<SimulatedFile> {
    for (const entry of directory.names.values()) {
      if (entry instanceof Directory) yield* this.files(entry)
      else yield entry
    }
  }

  #place(path: string, syscall: string): { parent: Directory; name: string } {
    const parts = partsOf(path)
    const name = parts.pop()
    if (name === undefined) throw new FileSystemError('EBUSY', syscall, path)
    return { parent: this.directory(`/${parts.join('/')}`, syscall), name }
  }
}

/**
 * Copies a whole table, files included, synced and unsynced state alike. `twins` receives for every
 * file and directory of the original its copy.
 */
export function copyNames(table: NameTable, twins: Map<Entry, Entry>): NameTable {
  const twinOf = (entry: Entry): Entry => {
    const known = twins.get(entry)
    if (known !== undefined) return known
    if (entry instanceof SimulatedFile) {
      const file = entry.copy()
      twins.set(entry, file)
      return file
    }
    const directory = new Directory()
    twins.set(entry, directory)
    for (const [name, child] of entry.names) directory.names.set(name, twinOf(child))
    for (const [name, child] of entry.durable) directory.durable.set(name, twinOf(child))
    directory.sequence = entry.sequence
    directory.unsynced = entry.unsynced.map(({ sequence, changes }) => ({
      sequence,
      changes: changes.map(([name, child]) => [name, child && twinOf(child)] as const),
    }))
    return directory
  }
  return new NameTable(twinOf(table.root) as Directory)
}

/** The power goes: each directory keeps a prefix of its unsynced operations, then every file its bytes. */
export function cutNames(table: NameTable, random: SeededRandom): void {
  const cut = (directory: Directory): void => {
    const count = directory.unsynced.length
    const fate = random.next()
    const kept = fate < 0.3 ? 0 : fate < 0.6 ? count : random.below(count + 1)
    directory.syncUpTo(directory.sequence - count + kept)
    directory.unsynced = []
    directory.names.clear()
    for (const [name, entry] of directory.durable) {
      directory.names.set(name, entry)
      if (entry instanceof Directory) cut(entry)
      else entry.cutPower(random)
    }
  }
  cut(table.root)
}

function applyNames(names: Map<string, Entry>, operation: NameOperation): void {
  for (const [name, entry] of operation.changes) {
    if (entry === undefined) names.delete(name)
    else names.set(name, entry)
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
