/**
 * One open file of the simulated disk. Counts its operations in flight, refuses new ones once `close`
 * began, and says what each injected failure leaves behind. Content lives in `simulated-file`.
 */

import { ClosedFileError } from '../../../storage/file/closed-file.ts'
import type { OpenMode, StorageFile } from '../../../storage/file/file-system.ts'
import type { SeededRandom } from '../random.ts'
import type { DiskOperation, Fault } from './fault-plan.ts'
import { FileSystemError } from './name-table.ts'
import type { SimulatedDisk, World } from './simulated-disk.ts'
import type { SimulatedFile } from './simulated-file.ts'

export class OpenFile implements StorageFile {
  readonly path: string
  readonly #disk: SimulatedDisk
  readonly #mode: OpenMode
  readonly #file: SimulatedFile
  readonly #released: () => void
  #inFlight = 0
  #closing: Promise<void> | undefined
  #becameIdle: () => void = () => {}

  constructor(
    disk: SimulatedDisk,
    path: string,
    mode: OpenMode,
    file: SimulatedFile,
    released: () => void,
  ) {
    this.#disk = disk
    this.path = path
    this.#mode = mode
    this.#file = file
    this.#released = released
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#during('read', (world) =>
      world.file(this.#file) === this.#file ? this.#file.read(target, position) : 0,
    )
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    this.#mustBeWritable('write')
    await this.#during(
      'write',
      (world, portion) => this.#put(world, buffers, position, portion),
      (world, fault, random) => this.#putFailing(world, buffers, position, fault, random),
    )
  }

  writeNow(buffer: Uint8Array, position: number): void {
    this.#mustBeWritable('writeNow')
    this.#mustBeOpen()
    this.#disk.callNow(
      'writeNow',
      this.path,
      (world, portion) => this.#put(world, [buffer], position, portion),
      (world, fault, random) => this.#putFailing(world, [buffer], position, fault, random),
    )
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#mustBeWritable('truncate')
    await this.#during('truncate', (world) => {
      const file = world.file(this.#file)
      if (file === undefined) return
      file.truncate(sizeBytes)
      file.modifiedAtMs = this.#disk.now()
    })
  }

  async sync(): Promise<void> {
    const { sequence, sizeBytes } = this.#file
    const syncNow = (world: World): void => {
      const file = world.file(this.#file)
      if (file === undefined) return
      if (this.#disk.options.fullAt === 'sync' && this.#disk.roomBytes() === 0) {
        file.loseUpTo(sequence, undefined)
        throw this.#disk.noRoom('fdatasync', this.path)
      }
      file.syncUpTo(sequence, sizeBytes)
    }
    await this.#during('sync', syncNow, (world, fault, random) => {
      if (fault.extent === 'done') syncNow(world)
      else
        world.file(this.#file)?.loseUpTo(sequence, fault.extent === 'partial' ? random : undefined)
    })
  }

  sizeBytes(): Promise<number> {
    return this.#during('size', (world) => world.file(this.#file)?.sizeBytes ?? 0)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#becameIdle = resolve
      })
    }
    this.#released()
    await this.#disk.call('close', this.path, () => {})
  }

  /** Writes the first `portion` of all the bytes, or as much as fits on the disk. */
  #put(world: World, buffers: readonly Uint8Array[], position: number, portion: number): void {
    const file = world.file(this.#file)
    if (file === undefined) return
    const bytes = buffers.length === 1 ? (buffers[0] as Uint8Array) : Buffer.concat(buffers)
    const asked = Math.floor(bytes.length * portion)
    const fits =
      this.#disk.options.fullAt === 'sync'
        ? asked
        : Math.min(asked, Math.max(0, file.sizeBytes + this.#disk.roomBytes() - position))
    file.write(bytes.subarray(0, fits), position)
    file.modifiedAtMs = this.#disk.now()
    if (fits < asked) throw this.#disk.noRoom('write', this.path)
  }

  #putFailing(
    world: World,
    buffers: readonly Uint8Array[],
    position: number,
    fault: Fault,
    random: SeededRandom,
  ): void {
    if (fault.extent === 'done') this.#put(world, buffers, position, 1)
    if (fault.extent === 'partial') this.#put(world, buffers, position, random.next())
  }

  async #during<Result>(
    operation: DiskOperation,
    act: (world: World, portion: number) => Result,
    failing?: (world: World, fault: Fault, random: SeededRandom) => void,
  ): Promise<Result> {
    this.#mustBeOpen()
    this.#inFlight++
    try {
      return await this.#disk.call(operation, this.path, act, failing)
    } finally {
      this.#inFlight--
      if (this.#inFlight === 0) this.#becameIdle()
    }
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw new ClosedFileError(this.path)
  }

  #mustBeWritable(operation: DiskOperation): void {
    if (this.#mode === 'read') throw new FileSystemError('EBADF', operation, this.path, 'read only')
  }
}
