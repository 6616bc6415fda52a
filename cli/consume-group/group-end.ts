/**
 * With `-e`: whether a group has read what was there when the command began. All of its members count: one
 * that is done waits for those that are not, as it gets their partitions if they end.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Client, GroupOffset, TopicOffsets } from '../../client/index.ts'
import { keyOf } from './written-output.ts'

export class GroupEnd {
  readonly #client: Client
  readonly #group: string
  /** By topic and partition, where there is something to read. */
  readonly #ends = new Map<string, number>()

  constructor(client: Client, group: string, topics: readonly TopicOffsets[]) {
    this.#client = client
    this.#group = group
    for (const { topic, partitions } of topics) {
      for (const { partition, logStartOffset, highWatermark } of partitions) {
        if (highWatermark <= logStartOffset) continue
        this.#ends.set(keyOf({ topic, partition }), highWatermark)
      }
    }
  }

  /** Asks the broker what the group has committed. */
  async isReached(): Promise<boolean> {
    if (this.#ends.size === 0) return true
    const committed = await this.#committed()
    if (committed === undefined) return false
    const offsets = new Map(committed.map((each) => [keyOf(each), each]))
    for (const [key, end] of this.#ends) {
      const { offset = null, logStartOffset = null } = offsets.get(key) ?? {}
      if (Math.max(offset ?? 0, logStartOffset ?? 0) < end) return false
    }
    return true
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
