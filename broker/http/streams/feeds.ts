/**
 * The tails that are read now, by partition. A tail begins with the first reader that reaches the end of
 * its partition and is gone with the last.
 */

import type { Partition } from '../../partition/partition.ts'
import type { Rendering } from './chunk.ts'
import type { Feed, FeedReader } from './feed.ts'
import { Tail, type TailOptions } from './tail.ts'

export class Feeds {
  readonly #options: Omit<TailOptions, 'partition'>
  /** A topic that was created anew has other partitions under the same name. */
  readonly #tails = new Map<Partition, Tail>()

  constructor(options: Omit<TailOptions, 'partition'>) {
    this.#options = options
  }

  /** Partitions whose tail is read. */
  get tails(): number {
    return this.#tails.size
  }

  /** Feeds of all tails: one for each rendering. */
  get count(): number {
    let count = 0
    for (const tail of this.#tails.values()) count += tail.feeds
    return count
  }

  /** Joins the reader, which has read what there is, to the feed of that rendering. */
  join(partition: Partition, rendering: Rendering, reader: FeedReader): Feed {
    const feed = this.#tail(partition, reader.nextOffset).feed(rendering)
    feed.join(reader)
    return feed
  }

  #tail(partition: Partition, offset: number): Tail {
    const existing = this.#tails.get(partition)
    if (existing?.isStaleAt(offset) === false) return existing
    existing?.abandon()
    const tail = new Tail({ ...this.#options, partition }, offset, () => {
      if (this.#tails.get(partition) === tail) this.#tails.delete(partition)
    })
    this.#tails.set(partition, tail)
    return tail
  }
}
