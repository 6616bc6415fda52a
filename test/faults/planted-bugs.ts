/**
 * Proof that the power-cut campaign finds what it is for: `node test/faults/planted-bugs.ts`. Each bug is
 * a small change of the engine's sources, made in a copy of them; the campaign then runs there until a
 * seed fails. A change that no longer applies is an error, so that no bug is quietly planted nowhere.
 * The engine itself has no switch for any of this.
 */

import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export interface PlantedBug {
  readonly name: string
  readonly file: string
  /** Must stand in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'sync skipped at roll',
    file: 'storage/log/tail.ts',
    find: `    this.#isSealed = false
    await this.flush()
    await closeSegmentFiles`,
    replace: `    this.#isSealed = false
    await closeSegmentFiles`,
  },
  {
    name: 'tail trusted without rewrite',
    file: 'storage/log/recovery.ts',
    find: '  await rewrite(segment, bound, end)\n',
    replace: '',
  },
  {
    name: 'readers not capped by the high watermark',
    file: 'storage/log/log.ts',
    find: 'Math.min(upTo ?? this.highWatermark, written)',
    replace: 'Math.min(upTo ?? written, written)',
  },
  {
    name: 'acknowledged before the sync',
    file: 'storage/log/appender.ts',
    find: '    if (!group.waitsForSync) group.succeed()\n',
    replace: '    group.succeed()\n',
  },
  {
    name: 'name of a new segment not synced',
    file: 'storage/log/segment-files.ts',
    find: `    await created.close()
    await files.fileSystem.syncDirectory(files.directory)
`,
    replace: '    await created.close()\n',
  },
  {
    name: 'snapshot of what is not written yet',
    file: 'storage/log/producer-snapshot.ts',
    find: 'batches.filter((batch) => batch.lastOffset < offset)',
    replace: 'batches',
  },
  {
    name: 'start of the log moved without a sync',
    file: 'storage/log/tail.ts',
    find: `logStartOffset))
    await this.#syncPoint()
`,
    replace: `logStartOffset))
    await this.#recordPoint()
`,
  },
  {
    name: 'compacted segment swapped in without a sync',
    file: 'storage/compaction/cleaned-segment.ts',
    find: `    await segment.file.sync()
    segment.sealTimeIndex()
`,
    replace: '    segment.sealTimeIndex()\n',
  },
  {
    name: 'half a swap forgotten by the next start',
    file: 'storage/compaction/segment-swap.ts',
    find: 'await finishSwap(files, segment, baseOffsetsIn(names), logStartOffset)',
    replace: 'await files.fileSystem.removeFile(path)',
  },
  {
    name: 'tombstones dropped before their time',
    file: 'storage/compaction/batch-filter.ts',
    find: 'deleteHorizonMs !== undefined && nowMs >= deleteHorizonMs',
    replace: 'true',
  },
  {
    name: 'records removed for one that is not flushed yet',
    file: 'storage/compaction/compactor.ts',
    find: `    return endOffset
  }

  /** The first offset whose key had no room`,
    replace: `    await this.#noteSegment(this.#log.segments.active, endOffset).catch(() => {})
    return endOffset
  }

  /** The first offset whose key had no room`,
  },
  {
    name: 'keys that had no room taken for looked at',
    file: 'storage/compaction/compactor.ts',
    find: 'if (fullAt >= 0) return toOffset(fullAt)',
    replace: 'if (fullAt >= 0) break',
  },
]

export interface Hunt {
  /** The seed that failed; undefined when none did. */
  readonly seed: number | undefined
  readonly output: string
}

const SOURCES = fileURLToPath(new URL('../../', import.meta.url))
/** Many times what each of the bugs has needed so far. */
const SEEDS_MAX = 4_000

/** Plants one bug in a copy of the sources and runs the campaign there. */
export async function hunt(bug: PlantedBug | undefined, seeds = SEEDS_MAX): Promise<Hunt> {
  const copy = await mkdtemp(join(tmpdir(), 'planted-bug-'))
  try {
    for (const part of ['storage', 'test/rigs', 'test/faults', 'package.json']) {
      await cp(join(SOURCES, part), join(copy, part), { recursive: true })
    }
    await symlink(join(SOURCES, 'node_modules'), join(copy, 'node_modules'))
    if (bug !== undefined) await plant(bug, copy)
    const output = await runCampaign(copy, seeds)
    const seed = /^seed (\d+) failed/m.exec(output)?.[1]
    if (seed === undefined && !output.includes(`${seeds} seeds, 0 failed`)) throw new Error(output)
    return { seed: seed === undefined ? undefined : Number(seed), output }
  } finally {
    await rm(copy, { recursive: true })
  }
}

async function plant(bug: PlantedBug, directory: string): Promise<void> {
  const path = join(directory, bug.file)
  const source = await readFile(path, 'utf8')
  const places = source.split(bug.find).length - 1
  if (places !== 1) {
    throw new Error(`"${bug.name}" applies in ${places} places of ${bug.file}, not in one`)
  }
  await writeFile(path, source.replace(bug.find, bug.replace))
}

/** What the campaign printed; its exit code only repeats that. */
async function runCampaign(directory: string, seeds: number): Promise<string> {
  const program = join(directory, 'test/faults/power-cut-campaign.ts')
  const options = ['--seeds', String(seeds), '--failures', '1']
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` }
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...options], { env })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    return `${stdout ?? ''}${stderr ?? ''}`
  }
}

if (import.meta.main) {
  for (const bug of PLANTED_BUGS) {
    const { seed, output } = await hunt(bug)
    const found = /^ {2}(.*)$/m.exec(output)?.[1] ?? ''
    console.log(seed === undefined ? `MISSED  ${bug.name}` : `seed ${seed}  ${bug.name}: ${found}`)
    if (seed === undefined) process.exitCode = 1
  }
}
