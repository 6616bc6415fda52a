/**
 * With `-e`: whether a group has read what was there when the command began. All of its members count: one
 * that is done waits for those that are not, as it gets their partitions if they end.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Client, GroupOffset, TopicOffsets } from '../../client/index.ts'
import { keyOf } from './written-output.ts'

interface End {
  readonly topic: string
  readonly topicId: string
  /** One past the last that is to be read. */
  readonly offset: number
}

export class GroupEnd {
  readonly #client: Client
  readonly #group: string
  /** By topic and partition, where there is something to read. */
  readonly #ends = new Map<string, End>()

  constructor(client: Client, group: string, topics: readonly TopicOffsets[]) {
    this.#client = client
    this.#group = group
    for (const { topic, topicId, partitions } of topics) {
      for (const { partition, logStartOffset, highWatermark } of partitions) {
        if (highWatermark <= logStartOffset) continue
        this.#ends.set(keyOf({ topic, partition }), { topic, topicId, offset: highWatermark })
      }
    }
  }

  /** Asks the broker what the group has committed. */
  async isReached(): Promise<boolean> {
    if (this.#ends.size === 0) return true
    const committed = await this.#committed()
    if (committed === undefined) return false
    const places = new Map(committed.map((each) => [keyOf(each), each]))
    for (const [key, end] of this.#ends) {
      const place = places.get(key)
      const isThere = place !== undefined && place.topicId === end.topicId
      if (isThere && reachedIn(place) < end.offset) return false
      if (isThere) continue
      if (!(await this.#isGone(end))) return false
      this.#ends.delete(key)
    }
    return true
  }

  /** Deleted, or deleted and created anew: what was there when it began, nobody will read. */
  async #isGone({ topic, topicId }: End): Promise<boolean> {
    try {
      return (await this.#client.admin.offsets(topic)).topicId !== topicId
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      if (error.code === 'UNKNOWN_TOPIC_OR_PARTITION') return true
      if (error.retriable) return false
      throw error
    }
  }

  /** `undefined` while there is nobody to ask: members wait for a broker that is away, so this does too. */
  async #committed(): Promise<GroupOffset[] | undefined> {
    try {
      return await this.#client.admin.groupOffsets(this.#group)
    } catch (error) {
      if (error instanceof SpoolError && error.retriable) return undefined
      throw error
    }
  }
}

/** Everything before is read, or was removed. */
function reachedIn({ offset, logStartOffset }: GroupOffset): number {
  return Math.max(offset ?? 0, logStartOffset ?? 0)
}
