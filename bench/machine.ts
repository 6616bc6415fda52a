/** The machine a figure was measured on: without it the figure says nothing. */

import { statfsSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

/** Names of file systems by their magic number, as far as we have met them. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
}

export function describeMachine(directory: string) {
  const type = statfsSync(directory).type
  return {
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    /** Of the last minute: what else the machine is doing. */
    loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    fileSystem: FILE_SYSTEMS[type] ?? `0x${type.toString(16)}`,
  }
}
