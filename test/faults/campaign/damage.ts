/**
 * A data directory in which one file went bad while nobody looked: a flipped bit, a cut, zeros, the
 * content of an hour ago, or no file at all. The engine may refuse to start, refuse the log, fail a read
 * or mend what can be mended; it must never serve something else than was acknowledged, or less, as if
 * nothing had happened. Two things are let through: a flipped leader epoch of a batch, which no checksum
 * covers and no client of one broker looks at; and a whole segment as it was before a compaction, which is
 * sound in itself: what that had removed is back.
 */

import { StorageError } from '../../../storage/errors.ts'
import { ManualClock } from '../../rigs/clock.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { DIRECTORY, openEngine } from './engine.ts'
import { BadChecksum } from './reader.ts'
import { Story } from './story.ts'

export type DamageKind = 'bit' | 'cut' | 'zeros' | 'stale' | 'gone'

export interface DamageResult {
  readonly what: string
  /** Whether anybody was told, or all was well in spite of it. */
  readonly outcome: 'refused' | 'whole'
  readonly problems: readonly string[]
}

const KINDS: readonly DamageKind[] = ['bit', 'bit', 'cut', 'zeros', 'stale', 'gone']

/** Runs the story to its end, cleanly stopped or killed, spoils one file by the seed, and starts again. */
export async function runDamaged(seed: number): Promise<DamageResult> {
  const random = new SeededRandom(seed)
  const clock = new ManualClock()
  const story = new Story(clock)
  const first = new SimulatedDisk({ clock })
  const manager = await story.start(() => openEngine(first, clock), 'clean stop', first)
  if (manager === undefined) throw new Error(story.problems.join('\n'))
  await story.tell(manager, first, 1)
  const hourAgo = first.clone(1)
  await story.tell(manager, first, 1)
  if (random.chance(0.5)) await manager.close()
  const disk = first.processKill(1)
  const path = random.pick(disk.medium.paths(DIRECTORY).filter((name) => !isHarmless(name)))
  const kind = random.pick(KINDS)
  const what = `${kind} ${await spoil(disk, hourAgo, path, kind, random)}`
  try {
    const again = await openEngine(disk, clock)
    // Damage above the recovery point is a torn tail where flushing is relaxed: only that may be cut.
    await story.load(again, 'power cut')
    await story.epilogue(again)
  } catch (error) {
    const isTold = error instanceof StorageError || error instanceof BadChecksum
    if (!isTold) story.problems.push((error as Error).stack ?? String(error))
    return { what, outcome: 'refused', problems: problemsOf(story, kind) }
  }
  return { what, outcome: 'whole', problems: problemsOf(story, kind) }
}

function problemsOf({ problems }: Story, kind: DamageKind): string[] {
  const isOfEpoch = (problem: string) => /^\w+: epoch(-regression: \d+ at| *:)/.test(problem)
  const isBack = (problem: string) =>
    kind === 'stale' && /^compacted: (outlived|resurrection)/.test(problem)
  return problems.filter((problem) => !isOfEpoch(problem) && !isBack(problem))
}

/** Says who held the lock; means nothing to the next start. */
function isHarmless(path: string): boolean {
  return path.endsWith('owner.json')
}

async function spoil(
  disk: SimulatedDisk,
  hourAgo: SimulatedDisk,
  path: string,
  kind: DamageKind,
  random: SeededRandom,
): Promise<string> {
  const { medium } = disk
  const sizeBytes = medium.contents(path).length
  const at = random.below(Math.max(1, sizeBytes))
  if (kind === 'gone') await disk.removeFile(path)
  else if (kind === 'cut') medium.provideFile(path, medium.contents(path).subarray(0, at))
  else if (kind === 'stale') {
    if (hourAgo.medium.exists(path)) medium.provideFile(path, hourAgo.medium.contents(path))
  } else if (sizeBytes > 0) {
    const bytes = medium.contents(path).subarray(at, at + (kind === 'bit' ? 1 : 512))
    if (kind === 'bit') bytes[0] = (bytes[0] as number) ^ (1 << random.below(8))
    else bytes.fill(0)
    medium.corrupt(path, at, bytes)
  }
  return `${path} at ${at} of ${sizeBytes}`
}
