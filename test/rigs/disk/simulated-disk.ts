/**
 * A disk in memory that forgets, tears and fails as a real one may: the other implementation of the
 * engine's only door. What was not synced is lost, kept or torn at a power cut, by a seed; calls overtake
 * each other, by a seed; any call can be made to fail (`faults`). Owns the running state (alive, halted,
 * dead) and the copies of it; content, names, order and faults each live in their own file here.
 *
 * It does not simulate: access rights, links, renames between directories, sparse accounting, bad
 * media at rest (but `medium.corrupt` does it by hand).
 */

import { type Clock, systemClock } from '../../../storage/clock.ts'
import { MemoryDirectoryLock } from '../../../storage/file/directory-lock.ts'
import type {
  DirectoryEntry,
  FileStatus,
  FileSystem,
  OpenMode,
} from '../../../storage/file/file-system.ts'
import { SeededRandom } from '../random.ts'
import { type DiskOperation, type Fault, FaultPlan } from './fault-plan.ts'
import { Medium } from './medium.ts'
import {
  copyNames,
  cutNames,
  Directory,
  type Entry,
  FileSystemError,
  NameTable,
} from './name-table.ts'
import { OpenFile } from './open-file.ts'
import { Schedule } from './schedule.ts'
import type { SimulatedFile } from './simulated-file.ts'

export interface SimulatedDiskOptions {
  /** Draws the order in which calls happen; without it they happen in the order they were made. */
  readonly seed?: number
  /** How many bytes of file content fit; no limit unless told. */
  readonly capacityBytes?: number
  /** Whether a full disk says so at the write, or (delayed allocation) only at the sync. */
  readonly fullAt?: 'write' | 'sync'
  /** For modification times. */
  readonly clock?: Clock
}

/** What an operation works on: the running disk, or a copy taken while the operation was in flight. */
export interface World {
  readonly names: NameTable
  /** The file of this world that stands for `file`; `undefined` when it has none (unlinked, still open). */
  file(file: SimulatedFile): SimulatedFile | undefined
}

/** Does `portion` (0..1) of an operation; what it returns on the running disk is the call's result. */
type Act<Result> = (world: World, portion: number) => Result

export class SimulatedDisk implements FileSystem {
  readonly faults = new FaultPlan()
  /** The tester's own hand on the disk, past the engine's door. */
  readonly medium: Medium
  readonly options: SimulatedDiskOptions
  /** Locks of directories on this disk. A copy has its own, free ones: the kernel lets go of the dead. */
  readonly directoryLock = new MemoryDirectoryLock()
  /** Resolves when `faults.haltAtNth` struck: nothing is applied or answered from then on. */
  readonly halted: Promise<void>
  capacityBytes: number
  #announceHalt: () => void = () => {}
  #wasFull = false
  #state: 'alive' | 'halted' | 'dead' = 'alive'
  readonly #world: World
  readonly #schedule: Schedule<World>
  readonly #random: SeededRandom
  readonly #clock: Clock
  readonly #openFiles = new Set<OpenFile>()

  constructor(options: SimulatedDiskOptions = {}, names = new NameTable()) {
    this.options = options
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY
    this.#clock = options.clock ?? systemClock
    this.#random = new SeededRandom(options.seed ?? 1)
    this.medium = new Medium(names)
    this.#world = { names, file: (file) => file }
    const order = options.seed === undefined ? undefined : this.#random.fork()
    this.#schedule = new Schedule(this.#world, order)
    this.halted = new Promise((resolve) => {
      this.#announceHalt = resolve
    })
  }

  /** Whether any call went wrong so far, by plan or for want of room. */
  get hasFailed(): boolean {
    return this.#wasFull || this.faults.struck.length > 0
  }

  get isAlive(): boolean {
    return this.#state === 'alive'
  }

  /** Files open now, for a test that expects none to be left. */
  get openPaths(): string[] {
    return [...this.#openFiles].map((file) => file.path)
  }

  // ---- endings and copies

  /** Power goes and comes back: the disk that a rebooted machine finds. This one is dead from here on. */
  powerCut(seed: number): SimulatedDisk {
    const random = new SeededRandom(seed)
    const disk = this.#copy(random)
    cutNames(disk.#world.names, random)
    this.#die()
    return disk
  }

  /** The process dies, the machine lives: the page cache is kept, handles and locks are not. */
  processKill(seed: number): SimulatedDisk {
    const disk = this.#copy(new SeededRandom(seed))
    this.#die()
    return disk
  }

  /**
   * An independent disk in this moment's state, synced and unsynced alike, without handles; this one
   * goes on. Operations in flight have happened there, or half, or not, by the seed.
   */
  clone(seed: number): SimulatedDisk {
    return this.#copy(new SeededRandom(seed))
  }

  #copy(random: SeededRandom): SimulatedDisk {
    const twins = new Map<Entry, Entry>()
    const names = copyNames(this.#world.names, twins)
    const options = { ...this.options, capacityBytes: this.capacityBytes }
    if (options.seed !== undefined) options.seed = random.next32()
    const disk = new SimulatedDisk(options, names)
    const world: World = {
      names,
      file: (file) => twins.get(file) as SimulatedFile | undefined,
    }
    for (const operation of random.shuffled(this.#schedule.unapplied())) {
      const portion = random.chance(0.4) ? 1 : random.chance(0.5) ? random.next() : 0
      try {
        if (portion > 0) operation.apply(world, portion)
      } catch {
        // Refused there as it would have been here.
      }
    }
    return disk
  }

  #die(): void {
    this.#state = 'dead'
    this.#schedule.stop()
  }

  // ---- FileSystem

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const operation = mode === 'create' ? 'create' : 'open'
    const file = await this.call(operation, path, (world) => {
      if (mode === 'create') return world.names.createFile(path)
      return world.names.file(path, 'open')
    })
    const opened = new OpenFile(this, path, mode, file, () => this.#openFiles.delete(opened))
    this.#openFiles.add(opened)
    return opened
  }

  readFile(path: string): Promise<Buffer> {
    return this.call('readFile', path, (world) => world.names.file(path, 'open').cached())
  }

  status(path: string): Promise<FileStatus | undefined> {
    return this.call('status', path, (world) => {
      const entry = world.names.find(path)
      if (entry === undefined) return undefined
      const isDirectory = entry instanceof Directory
      return {
        sizeBytes: isDirectory ? 0 : entry.sizeBytes,
        modifiedAtMs: isDirectory ? 0 : entry.modifiedAtMs,
        isDirectory,
      }
    })
  }

  /** In no particular order, as `readdir`. */
  list(directory: string): Promise<DirectoryEntry[]> {
    return this.call('list', directory, (world) => {
      const { names } = world.names.directory(directory, 'scandir')
      const entries = [...names].map(([name, entry]) => ({
        name,
        isDirectory: entry instanceof Directory,
      }))
      return this.options.seed === undefined ? entries : this.#random.shuffled(entries)
    })
  }

  createDirectory(directory: string): Promise<void> {
    return this.call('createDirectory', directory, (world) =>
      world.names.createDirectory(directory),
    )
  }

  rename(from: string, to: string): Promise<void> {
    return this.call('rename', from, (world) => world.names.rename(from, to))
  }

  removeFile(path: string): Promise<void> {
    return this.call('removeFile', path, (world) => world.names.removeFile(path))
  }

  removeDirectory(directory: string): Promise<void> {
    return this.call('removeDirectory', directory, (world) =>
      world.names.removeDirectory(directory),
    )
  }

  /** Makes durable what happened in the directory before this call. */
  async syncDirectory(directory: string): Promise<void> {
    const asked = this.#world.names.find(directory)
    const sequence = asked instanceof Directory ? asked.sequence : 0
    await this.call('syncDirectory', directory, (world) => {
      const found = world.names.directory(directory, 'fsync')
      if (world !== this.#world || found === asked) found.syncUpTo(sequence)
    })
  }

  setModifiedAt(path: string, modifiedAtMs: number): Promise<void> {
    return this.call('setModifiedAt', path, (world) => {
      world.names.file(path, 'utimes').modifiedAtMs = modifiedAtMs
    })
  }

  freeBytes(path: string): Promise<number> {
    return this.call('freeBytes', path, () => this.roomBytes())
  }

  // ---- for the open files of this disk

  /** Bytes that still fit. */
  roomBytes(): number {
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER
    return Math.max(0, this.capacityBytes - this.usedBytes())
  }

  usedBytes(): number {
    let usedBytes = 0
    for (const file of this.#world.names.files()) usedBytes += file.sizeBytes
    return usedBytes
  }

  /** What a call is refused with when there is no room for it. */
  noRoom(syscall: string, path: string): FileSystemError {
    this.#wasFull = true
    return new FileSystemError('ENOSPC', syscall, path)
  }

  now(): number {
    return this.#clock.now()
  }

  /**
   * One asynchronous call: counted, perhaps failed, applied and reported when the schedule says so.
   * `failing` does what an injected failure leaves behind; by default that is nothing, or for a lie
   * (`done`) everything.
   */
  async call<Result>(
    operation: DiskOperation,
    path: string,
    act: Act<Result>,
    failing: (world: World, fault: Fault, random: SeededRandom) => void = (world, fault) => {
      if (fault.extent === 'done') act(world, 1)
    },
  ): Promise<Result> {
    const fault = this.#admit(operation, path)
    let result: { value: Result } | undefined
    await this.#schedule.run({
      apply: (world, portion) => {
        if (fault !== undefined) {
          failing(world, fault, this.#random)
          throw new FileSystemError(fault.code, operation, path, 'injected')
        }
        const value = act(world, portion)
        if (world === this.#world) result = { value }
      },
    })
    return (result as { value: Result }).value
  }

  /** One synchronous call, done before it returns. */
  callNow(
    operation: DiskOperation,
    path: string,
    act: Act<void>,
    failing: (world: World, fault: Fault, random: SeededRandom) => void,
  ): void {
    const fault = this.#admit(operation, path)
    if (this.#state === 'halted') throw new FileSystemError('EIO', operation, path, 'power is off')
    if (fault === undefined) {
      act(this.#world, 1)
      return
    }
    failing(this.#world, fault, this.#random)
    throw new FileSystemError(fault.code, operation, path, 'injected')
  }

  #admit(operation: DiskOperation, path: string): Fault | undefined {
    if (this.#state === 'dead') {
      throw new FileSystemError('EBADF', operation, path, 'the process that had this is dead')
    }
    if (this.#state === 'halted') return undefined
    const verdict = this.faults.next(operation, path)
    if (verdict !== 'halt') return verdict
    this.#state = 'halted'
    this.#schedule.stop()
    this.#announceHalt()
    return undefined
  }
}
