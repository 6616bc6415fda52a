/** What the disk itself can do, with nothing of ours in between: the ceiling for everything that syncs. */

import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SeededRandom } from '../../test/rigs/random.ts'
import type { Measure, Scenario, Trial } from '../scenario.ts'

const KIB = 1024
const MIB = 1024 * KIB

export const scenario: Scenario = {
  name: 'disk',
  sentence: 'appends to one file, each followed by fdatasync, one after another',
  trials: [
    syncedAppends(4 * KIB),
    syncedAppends(64 * KIB),
    syncedAppends(MIB),
    syncedAppends(8 * MIB),
  ],
}

/** One trial, also used beside the scenarios that it is the ceiling of. */
export function syncedAppends(sizeBytes: number): Trial {
  const size = sizeBytes < MIB ? `${sizeBytes / KIB} KiB` : `${sizeBytes / MIB} MiB`
  return {
    name: `disk, ${size} and fdatasync`,
    run: async ({ directory, seconds }) => {
      const bytes = new SeededRandom(1).bytes(sizeBytes)
      const file = openSync(join(directory, 'baseline'), 'w')
      try {
        return measured(file, bytes, seconds)
      } finally {
        closeSync(file)
      }
    },
  }
}

function measured(file: number, bytes: Buffer, seconds: number): Measure[] {
  fsyncSync(file)
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1_000
  let syncs = 0
  while (performance.now() < endsAt) {
    writeSync(file, bytes)
    fdatasyncSync(file)
    syncs++
  }
  const took = (performance.now() - startedAt) / 1_000
  return [
    { name: 'written', value: (syncs * bytes.length) / 1e6 / took, unit: 'MB/s' },
    { name: 'syncs', value: syncs / took, unit: '1/s' },
  ]
}
