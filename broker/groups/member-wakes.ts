/**
 * Who waits on behalf of a member (a stream, a long poll) is woken when that member's next heartbeat brings
 * something new. Looks once for all that moved in one go: in a group of a thousand members each of their
 * heartbeats may move something, and each look is at all of them.
 */

type Wakes = Map<string, Set<() => void>>

export class MemberWakes {
  readonly #membersToWake: (groupId: string) => readonly string[]
  /** Group → member → whom to wake. No map and no set in it is empty. */
  readonly #groups = new Map<string, Wakes>()
  readonly #due = new Set<string>()

  constructor(membersToWake: (groupId: string) => readonly string[]) {
    this.#membersToWake = membersToWake
  }

  /** Groups that somebody waits in. */
  get size(): number {
    return this.#groups.size
  }

  /** Returns the call that ends it. */
  subscribe(groupId: string, memberId: string, wake: () => void): () => void {
    const members: Wakes = this.#groups.get(groupId) ?? new Map()
    this.#groups.set(groupId, members)
    const wakes = members.get(memberId) ?? new Set()
    members.set(memberId, wakes)
    // Each subscription is its own, even of the same function twice.
    const own = () => wake()
    wakes.add(own)
    return () => {
      wakes.delete(own)
      if (wakes.size === 0 && members.get(memberId) === wakes) members.delete(memberId)
      if (members.size === 0 && this.#groups.get(groupId) === members) this.#groups.delete(groupId)
    }
  }

  /** Partitions of the group may have come free. */
  moved(groupId: string): void {
    if (this.#due.has(groupId) || !this.#groups.has(groupId)) return
    this.#due.add(groupId)
    setImmediate(() => this.#wake(groupId))
  }

  #wake(groupId: string): void {
    this.#due.delete(groupId)
    const members = this.#groups.get(groupId)
    if (members === undefined) return
    for (const memberId of this.#membersToWake(groupId)) {
      for (const wake of [...(members.get(memberId) ?? [])]) wake()
    }
  }
}
