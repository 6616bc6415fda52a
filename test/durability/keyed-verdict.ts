/**
 * Reads a compacted topic back, every batch of it, while nobody writes, and says how it differs from what its
 * writers know: `lost-value`, `stale-value`, `moved`, `reappeared`, `undeleted`, `gap`, `bad-checksum`.
 */

import { readRecords } from '../../storage/record/batch-reader.ts'
import type { KeyedModel } from './keyed-model.ts'
import { fetchBatches } from './trial-verdict.ts'

export interface KeyedVerdict {
  /** Records that were read. */
  readonly found: number
  /** Each broken promise, in one sentence. */
  readonly problems: readonly string[]
}

const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
const PROBLEMS_SHOWN_MAX = 20

/** The last record of every key as it was read. */
interface LastRecords {
  readonly versions: Int32Array
  readonly offsets: Float64Array
  readonly isDeleted: Uint8Array
}

export async function judgeKeys(
  url: string,
  topic: string,
  partitions: number,
  model: KeyedModel,
  deleteRetentionMs: number,
): Promise<KeyedVerdict> {
  const problems: string[] = []
  const say = (problem: string) => {
    if (problems.length < PROBLEMS_SHOWN_MAX) problems.push(problem)
  }
  const last: LastRecords = {
    versions: new Int32Array(model.keys),
    offsets: new Float64Array(model.keys),
    isDeleted: new Uint8Array(model.keys),
  }
  let found = 0
  for (let partition = 0; partition < partitions; partition++) {
    found += await readPartition({ url, topic, partition, model, last, say })
  }
  for (let key = 0; key < model.keys; key++) judgeKey(key, model, last, deleteRetentionMs, say)
  return { found, problems }
}

async function readPartition({
  url,
  topic,
  partition,
  model,
  last,
  say,
}: {
  url: string
  topic: string
  partition: number
  model: KeyedModel
  last: LastRecords
  say: (problem: string) => void
}): Promise<number> {
  const gone = model.gone[partition]!
  let next = 0
  let expected = 0
  let found = 0
  for (;;) {
    const { highWatermark, batches } = await fetchBatches(url, topic, partition, next)
    for (const batch of batches) {
      if (batch.nextOffset <= next) continue
      if (batch.baseOffset !== next)
        say(`gap: ${partition}/${batch.baseOffset} follows ${next - 1}`)
      if (!batch.hasValidCrc()) say(`bad-checksum: ${partition}/${batch.baseOffset}`)
      const limits = { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX }
      for (const { offset, key, value, headers } of readRecords(batch, limits)) {
        while (expected < offset) gone.add(expected++)
        expected = offset + 1
        if (gone.has(offset)) say(`reappeared: ${key} at ${partition}/${offset}`)
        const number = Number(String(key).slice('key-'.length))
        const version = Number(String(headers[0]?.value))
        if (value !== null && !String(value).startsWith(`${version}:`)) {
          say(`mixed-up: ${key} at ${partition}/${offset} has version ${version}, says ${value}`)
        }
        last.versions[number] = version
        last.offsets[number] = offset
        last.isDeleted[number] = value === null ? 1 : 0
        found += 1
      }
      next = batch.nextOffset
    }
    if (next >= highWatermark || batches.length === 0) {
      while (expected < next) gone.add(expected++)
      return found
    }
  }
}

function judgeKey(
  key: number,
  model: KeyedModel,
  last: LastRecords,
  deleteRetentionMs: number,
  say: (problem: string) => void,
): void {
  const version = model.versions[key]!
  const offset = model.offsets[key]!
  const read = last.versions[key]!
  if (version === 0) return
  if (read === 0) {
    const isOver = Date.now() - model.acknowledgedAtMs[key]! >= deleteRetentionMs
    const mayBeGone = model.isDeleted[key] === 1 && isOver
    if (!mayBeGone) say(`lost-value: key-${key}, version ${version} at ${offset}, is nowhere`)
  } else if (read !== version) {
    const kind = model.isDeleted[key] === 1 ? 'undeleted' : 'stale-value'
    say(`${kind}: key-${key} is ${read} at ${last.offsets[key]}, was ${version} at ${offset}`)
  } else if (last.offsets[key] !== offset) {
    say(`moved: key-${key}, version ${version}, is at ${last.offsets[key]}, was at ${offset}`)
  } else if (last.isDeleted[key] !== model.isDeleted[key]) {
    say(`mixed-up: key-${key}, version ${version}, is no longer what it was`)
  }
}
