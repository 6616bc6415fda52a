/**
 * The names of the JSON objects that are open while a text is read, kept to see one that comes twice.
 * Names are ranges of the text, compared by hash first; an object with many of them gets a set, so that
 * the work stays linear whatever the names are. It reads no JSON itself (`json-reader.ts`).
 */

/** Up to so many names in one object are compared one by one, more through a set. */
const FEW_NAMES = 16

/** The names seen so far in every object that is open, innermost last. */
export class OpenNames {
  #hashes = new Int32Array(64)
  #starts = new Int32Array(64)
  #ends = new Int32Array(64)
  /** Sets of the objects with more than `FEW_NAMES` names, by the index of their first name. */
  readonly #sets = new Map<number, Set<string>>()
  top = 0

  clear(): void {
    this.top = 0
    if (this.#sets.size > 0) this.#sets.clear()
  }

  /** Forgets the names from index `first` on: that object is closed. */
  close(first: number): void {
    if (this.top - first >= FEW_NAMES) this.#sets.delete(first)
    this.top = first
  }

  /** Adds the name at [start, end) to the object whose names begin at `first`; false if it is there. */
  add(bytes: Buffer, first: number, start: number, end: number, hash: number): boolean {
    if (this.top - first >= FEW_NAMES) return this.#addToSet(bytes, first, start, end)
    const hashes = this.#hashes
    for (let i = first; i < this.top; i++) {
      if (hashes[i] !== hash) continue
      if (nameText(bytes, this.#starts[i]!, this.#ends[i]!) === nameText(bytes, start, end)) {
        return false
      }
    }
    if (this.top === hashes.length) this.#grow()
    this.#hashes[this.top] = hash
    this.#starts[this.top] = start
    this.#ends[this.top] = end
    this.top++
    return true
  }

  #addToSet(bytes: Buffer, first: number, start: number, end: number): boolean {
    let names = this.#sets.get(first)
    if (names === undefined) {
      names = new Set()
      for (let i = first; i < this.top; i++) {
        names.add(nameText(bytes, this.#starts[i]!, this.#ends[i]!))
      }
      this.#sets.set(first, names)
    }
    const count = names.size
    names.add(nameText(bytes, start, end))
    return names.size > count
  }

  #grow(): void {
    const grow = (old: Int32Array) => {
      const larger = new Int32Array(old.length * 2)
      larger.set(old)
      return larger
    }
    this.#hashes = grow(this.#hashes)
    this.#starts = grow(this.#starts)
    this.#ends = grow(this.#ends)
  }
}

/** The text of the string whose content (without its quotes) stands at [start, end). */
export function nameText(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start, end)
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
}

/** The hash `OpenNames.add` takes, over the UTF-8 of a name without escapes. */
export function nameHash(text: string): number {
  let hash = 0
  for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 31) + byte) | 0
  return hash
}
