/**
 * Answers one question about many partitions: what is there now, fairly split; if that is too little,
 * wait, then look again. Which partitions there are is the replica manager's, waiting the purgatory's.
 *
 * While a request waits it holds no bytes: it remembers how far it has counted, and after each waking
 * reads and counts only what came since. The answer is read once, at the end. So waiting for a megabyte
 * that comes in small batches costs two reads of a megabyte, and no memory.
 */

import { type SpoolError, spoolErrorFrom } from '../../client/api/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { ReadWish } from '../../storage/log/log-reader.ts'
import {
  checkFetchRequest,
  type FetchedPartition,
  type FetchPartition,
  type FetchRequest,
} from './fetch-request.ts'
import type { Partition } from './partition.ts'
import type { Purgatory } from './purgatory.ts'
import { subscribeAll } from './wait-for-appends.ts'

const NOTHING = Buffer.alloc(0)

export interface FetcherOptions {
  partition(topic: string, partition: number): Partition
  readonly purgatory: Purgatory
  readonly clock: Clock
  readonly fetchBytesMax: number
}

/** One partition of a request being answered. */
interface Part {
  readonly asked: FetchPartition
  readonly partition: Partition | undefined
  bytes: Buffer
  nextOffset: number
  error: SpoolError | undefined
}

export class Fetcher {
  readonly #options: FetcherOptions
  /** Where the next request begins, so that no partition is always last when bytes run out. */
  #turn = 0

  constructor(options: FetcherOptions) {
    this.#options = options
  }

  async fetch(request: FetchRequest): Promise<FetchedPartition[]> {
    checkFetchRequest(request, this.#options.fetchBytesMax)
    const deadlineMs = this.#options.clock.monotonicMs() + request.maxWaitMs
    const parts = request.partitions.map((asked) => this.#find(asked))
    await this.#readAll(parts, request)
    if (request.maxWaitMs > 0 && !isEnough(parts, request.minBytes)) {
      await this.#awaitBytes(parts, request, deadlineMs)
      // Where something went wrong while waiting, that is the answer.
      const sound = parts.filter((part) => part.error === undefined)
      for (const part of sound) part.nextOffset = part.asked.offset
      await this.#readAll(sound, request)
    }
    return parts.map(fetchedPartition)
  }

  #find(asked: FetchPartition): Part {
    const part = { asked, bytes: NOTHING, nextOffset: asked.offset }
    try {
      const partition = this.#options.partition(asked.topic, asked.partition)
      if (asked.topicId !== undefined) partition.checkTopicId(asked.topicId)
      const epoch = asked.currentLeaderEpoch ?? -1
      if (epoch !== -1) partition.checkLeaderEpoch(epoch)
      return { ...part, partition, error: undefined }
    } catch (error) {
      return { ...part, partition: undefined, error: spoolErrorFrom(error) }
    }
  }

  /**
   * Reads what there is, one partition after another from where the last request left off. Each takes
   * at most its share of what is left of `maxBytes`; what it does not use goes to those after it.
   */
  async #readAll(parts: readonly Part[], request: FetchRequest): Promise<void> {
    const { maxBytes, allocate } = request
    const ready = rotated(parts.filter(hasMore), this.#turn)
    this.#turn += 1
    let leftBytes = maxBytes
    for (const [index, part] of ready.entries()) {
      const isFirst = leftBytes === maxBytes
      if (leftBytes <= 0 && !isFirst) break
      const share = Math.max(0, Math.floor(leftBytes / (ready.length - index)))
      // One batch can be larger than a share, and than what is left: then it waits for its turn to be first.
      const firstBytesMax = isFirst ? undefined : leftBytes
      await readPart(part, { maxBytes: share, firstBytesMax, allocate })
      leftBytes -= part.bytes.length
    }
  }

  /** Waits until enough has come or time is up. The parts' bytes are let go first. */
  async #awaitBytes(parts: readonly Part[], request: FetchRequest, deadlineMs: number) {
    const { purgatory, clock } = this.#options
    let counted = totalBytes(parts)
    for (const part of parts) part.bytes = NOTHING
    request.letGo?.()
    for (;;) {
      const isSatisfied = await purgatory.wait({
        waitMs: deadlineMs - clock.monotonicMs(),
        signal: request.signal,
        subscribe: (wake) => subscribeAll(parts, wake),
        isSatisfied: () => parts.some(hasMore),
      })
      if (!isSatisfied || request.minBytes <= 1) return
      counted += await countNew(parts, request.minBytes - counted)
      if (counted >= request.minBytes || parts.some((part) => part.error !== undefined)) return
      // It had a place and lost it to somebody else while it was reading: what there is must do.
      if (purgatory.isFull) return
    }
  }
}

/** True when readers can see something at the part's next offset, or there is news of another kind. */
function hasMore(part: Part): boolean {
  if (part.partition === undefined || part.error !== undefined) return false
  const { highWatermark, logStartOffset, isServed } = part.partition
  // Out of range on either side: the read will say so.
  return !isServed || highWatermark !== part.nextOffset || logStartOffset > part.nextOffset
}

function isEnough(parts: readonly Part[], minBytes: number): boolean {
  return totalBytes(parts) >= minBytes || parts.some((part) => part.error !== undefined)
}

function totalBytes(parts: readonly Part[]): number {
  return parts.reduce((total, part) => total + part.bytes.length, 0)
}

async function readPart(part: Part, share: ReadWish): Promise<void> {
  const maxBytes = Math.min(share.maxBytes, part.asked.maxBytes ?? share.maxBytes)
  try {
    const read = await part.partition!.read(part.nextOffset, { ...share, maxBytes })
    part.bytes = read.bytes
    part.nextOffset = read.nextOffset
  } catch (error) {
    const refusal = spoolErrorFrom(error)
    // No memory for the answer (`allocate`): that is about the request, not about the partition.
    if (refusal.code === 'BROKER_BUSY') throw refusal
    part.error = refusal
  }
}

/** Counts the bytes that came since, and lets them go. */
async function countNew(parts: readonly Part[], wantedBytes: number): Promise<number> {
  let counted = 0
  for (const part of parts) {
    if (counted >= wantedBytes || !hasMore(part)) continue
    await readPart(part, { maxBytes: wantedBytes - counted })
    counted += part.bytes.length
    part.bytes = NOTHING
  }
  return counted
}

function rotated<T>(items: readonly T[], turn: number): readonly T[] {
  if (items.length < 2) return items
  const at = turn % items.length
  return [...items.slice(at), ...items.slice(0, at)]
}

function fetchedPartition(part: Part): FetchedPartition {
  const { asked, partition, bytes, nextOffset, error } = part
  return {
    topic: asked.topic,
    topicId: partition?.topicId,
    partition: asked.partition,
    highWatermark: partition?.highWatermark ?? -1,
    lastStableOffset: partition?.lastStableOffset ?? -1,
    logStartOffset: partition?.logStartOffset ?? -1,
    bytes,
    nextOffset,
    ...(error === undefined ? {} : { error }),
  }
}
