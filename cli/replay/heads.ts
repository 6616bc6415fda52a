/**
 * The partitions of a merge that have a record in hand, the one with the oldest record first: a binary
 * heap. Equal times go by partition, so that a replay done twice is the same. Pure.
 */

export interface Head {
  readonly partition: number
  /** Of the record in hand, milliseconds since 1970. */
  readonly timestamp: number
}

export class Heads<T extends Head> {
  readonly #heap: T[] = []

  get size(): number {
    return this.#heap.length
  }

  /** The one with the oldest record; there must be one. */
  get first(): T {
    return this.#heap[0]!
  }

  push(head: T): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(head)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(head, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = head
  }

  /** The first has another record in hand. */
  firstMoved(): void {
    const heap = this.#heap
    const head = heap[0]!
    const { length } = heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, head)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = head
  }

  /** The first has no record in hand any more. */
  removeFirst(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length === 0) return
    this.#heap[0] = last
    this.firstMoved()
  }
}

function isBefore(one: Head, other: Head): boolean {
  if (one.timestamp !== other.timestamp) return one.timestamp < other.timestamp
  return one.partition < other.partition
}
