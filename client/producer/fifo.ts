/** A queue: an array's own `shift` moves all that is left, which for a hundred thousand is far too slow. */

/** Gone ones at the front are cut off once there are so many, and as many as there are left. */
const GONE_MIN = 1_000

export class Fifo<T> {
  #items: (T | undefined)[] = []
  /** Everything before it is gone. */
  #first = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  /** The one that would be shifted next. */
  get first(): T | undefined {
    return this.#items[this.#first]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#first]
    this.#items[this.#first] = undefined
    this.#first += 1
    if (this.#first >= GONE_MIN && this.#first >= this.length) {
      this.#items = this.#items.slice(this.#first)
      this.#first = 0
    }
    return item
  }
}
