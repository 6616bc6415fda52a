/**
 * Tells the broker what is done: by itself every so often, when a partition is let go of, at the end, and
 * when the program says so. One commit is under way at a time, so that none overtakes an earlier one.
 *
 * What a commit says is looked up when it is sent, again for each repeat, together with the member's epoch:
 * it never says of a partition what was done for an owner before. It is cumulative, so that one whose answer
 * was lost and that arrives late undoes none that came after it; but the first after a seek, and offsets that
 * the program names, are set as they are said.
 */

import { isErrorCode, SpoolError } from '../api/errors.ts'
import type { CommittedOffset } from '../api/schemas/groups.ts'
import { type Backoff, isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import type { GroupMember } from './group-member.ts'
import { type GroupRequests, isFenced, isNoAnswer } from './group-requests.ts'
import type { HeldPartition } from './held-partition.ts'
import type { OffsetTracker } from './offset-tracker.ts'
import { takenAway } from './taken-away.ts'

/** One partition's part of a commit. */
export interface OffsetToTell {
  readonly held: HeldPartition
  /** Of the time the offset is from: another one now, and it is not committed. */
  readonly tracker: OffsetTracker
  readonly offset: number
  readonly metadata?: string | undefined
  /** True: at or below what is committed it is no news. */
  readonly isCumulative: boolean
}

interface CommitKind {
  readonly isCumulative: boolean
}

export interface RefusedCommit {
  readonly held: HeldPartition
  readonly error: SpoolError
}

export interface CommitterOptions {
  readonly requests: GroupRequests
  readonly member: GroupMember
  readonly backoff: Backoff
  readonly requestTimeoutMs: number
  /** Called before what is done is looked up. */
  readonly settle: () => void
}

/** In one request: of as many the broker says one by one what became of them. */
const OFFSETS_TOLD_MAX = 1_000

export class Committer {
  readonly #options: CommitterOptions
  /** The last of the commits that wait for each other; never rejects. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /**
   * Commits what is done of these, again and again until `endsAtMs` while the broker is away; resolves with
   * those that could not be committed. A partition of which nothing new is done costs nothing.
   */
  commitDone(
    partitions: Iterable<HeldPartition>,
    endsAtMs: number,
  ): Promise<readonly RefusedCommit[]> {
    const held = [...partitions]
    return this.#inTurn(async () => {
      const failed = new Map<HeldPartition, SpoolError>()
      const look = () => this.toTell(held).filter((it) => !failed.has(it.held))
      for (let failures = 1; ; failures++) {
        const error = await this.#tell(look(), failed)
        if (error === undefined) break
        const delayMs = retryDelayMs(failures, this.#options.backoff, Math.random(), error)
        if (performance.now() + delayMs >= endsAtMs) {
          for (const it of look()) failed.set(it.held, error)
          break
        }
        await pause(delayMs)
      }
      return [...failed].map(([held, error]) => ({ held, error }))
    })
  }

  /**
   * Commits these, as the program says.
   *
   * @throws SpoolError FENCED_MEMBER_EPOCH where a partition is not the member's any more, or was sought
   * elsewhere since; whatever the broker refuses with, or the last failure when it was away too long;
   * REQUEST_TIMED_OUT when an earlier commit was under way all the while.
   */
  commit(offsets: readonly OffsetToTell[]): Promise<void> {
    const { requestTimeoutMs, backoff } = this.#options
    // Those before it wait for the same broker: it has no time of its own after them.
    const endsAtMs = performance.now() + requestTimeoutMs
    return this.#inTurnWithin(requestTimeoutMs, async () => {
      const failed = new Map<HeldPartition, SpoolError>()
      for (let failures = 1; ; failures++) {
        for (const { held, tracker } of offsets) {
          if (held.isGone || held.tracker !== tracker) throw takenAway(held)
        }
        const isNews = (it: OffsetToTell) => !it.isCumulative || it.offset > it.tracker.committed
        const error = await this.#tell(offsets.filter(isNews), failed)
        const [refused] = failed.values()
        if (refused !== undefined) throw refused
        if (error === undefined) return
        const delayMs = retryDelayMs(failures, backoff, Math.random(), error)
        if (performance.now() + delayMs >= endsAtMs) throw error
        await pause(delayMs)
      }
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  /** What does not get its turn in time is not done at all. */
  #inTurnWithin(timeoutMs: number, work: () => Promise<void>): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>()
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new SpoolError('REQUEST_TIMED_OUT', waited(timeoutMs), { outcome: 'refused' }))
    }, timeoutMs)
    const result = this.#inTurn(async () => {
      clearTimeout(timer)
      if (!isLate) await work()
    })
    return Promise.race([result, late])
  }

  /** Of each what is done, where that is news. */
  toTell(partitions: Iterable<HeldPartition>): OffsetToTell[] {
    this.#options.settle()
    return [...partitions].flatMap((held) => {
      const { tracker } = held
      const offset = held.isGone ? undefined : tracker.toCommit
      return offset === undefined ? [] : [{ held, tracker, offset, isCumulative: true }]
    })
  }

  /**
   * Sends them. What is refused for good goes into `failed`; what may succeed when it is sent again is the
   * result.
   */
  async #tell(
    offsets: readonly OffsetToTell[],
    failed: Map<HeldPartition, SpoolError>,
  ): Promise<SpoolError | undefined> {
    const kinds = [false, true].map((isCumulative) => ({
      isCumulative,
      ofKind: offsets.filter((it) => (it.isCumulative && it.tracker.isBegun) === isCumulative),
    }))
    for (const { isCumulative, ofKind } of kinds) {
      for (let at = 0; at < ofKind.length; at += OFFSETS_TOLD_MAX) {
        const part = ofKind.slice(at, at + OFFSETS_TOLD_MAX)
        const error = await this.#tellPart(part, { isCumulative }, failed)
        if (error !== undefined) return error
      }
    }
    return undefined
  }

  async #tellPart(
    offsets: readonly OffsetToTell[],
    { isCumulative }: CommitKind,
    failed: Map<HeldPartition, SpoolError>,
  ): Promise<SpoolError | undefined> {
    const { requests, member, requestTimeoutMs } = this.#options
    const document = {
      memberId: member.memberId,
      memberEpoch: member.memberEpoch,
      ...(isCumulative ? { cumulative: true } : {}),
      offsets: offsets.map(({ held, offset, metadata }) => ({
        topic: held.topic,
        topicId: held.topicId,
        partition: held.partition,
        offset,
        ...(metadata === undefined ? {} : { metadata }),
      })),
    }
    try {
      await requests.commit(document, { timeoutMs: requestTimeoutMs })
      for (const { tracker, offset } of offsets) tracker.committedUpTo(offset)
      return undefined
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      if (isFenced(error)) member.hurry()
      const fates = fatesOf(error, offsets.length)
      if (fates === undefined && (isWorthRetrying(error) || isNoAnswer(error))) return error
      let passing: SpoolError | undefined
      for (const [index, { held, tracker, offset }] of offsets.entries()) {
        const refused = fates === undefined ? error : refusalOf(fates[index]!, error)
        if (refused === undefined) tracker.committedUpTo(offset)
        else if (isWorthRetrying(refused)) passing = refused
        else failed.set(held, refused)
      }
      return passing
    }
  }
}

function waited(timeoutMs: number): string {
  return `an earlier commit has been under way for ${timeoutMs} ms, so this one was not sent`
}

/** What became of each, where the broker says it. */
function fatesOf({ extensions }: SpoolError, count: number) {
  const { offsets } = extensions as { offsets?: readonly CommittedOffset[] }
  return Array.isArray(offsets) && offsets.length === count ? offsets : undefined
}

function refusalOf({ error }: CommittedOffset, whole: SpoolError): SpoolError | undefined {
  if (error === undefined) return undefined
  if (error.code === whole.code && error.detail === whole.detail) return whole
  const code = isErrorCode(error.code) ? error.code : 'UNKNOWN_SERVER_ERROR'
  return new SpoolError(code, error.detail, { outcome: 'refused', cause: whole })
}
