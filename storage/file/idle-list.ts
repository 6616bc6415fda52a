/**
 * The files that could be closed now, least recently used first: a doubly linked list through its own
 * nodes, so that using a file costs a few assignments however many are open. Knows nothing of files.
 */

/** What an `IdleList` links. A node is in at most one list, at most once. */
export class IdleNode {
  /** Both `undefined` while the node is in no list. */
  previous: IdleNode | undefined
  next: IdleNode | undefined
}

export class IdleList<Node extends IdleNode> {
  /** Stands before the first and after the last, so that neither is a special case. */
  readonly #ring: IdleNode

  constructor() {
    const ring = new IdleNode()
    ring.previous = ring
    ring.next = ring
    this.#ring = ring
  }

  /** The one that was added longest ago. */
  get first(): Node | undefined {
    const first = this.#ring.next
    return first === this.#ring ? undefined : (first as Node)
  }

  /** Puts `node` last, wherever it was. */
  add(node: Node): void {
    this.remove(node)
    const last = this.#ring.previous as IdleNode
    last.next = node
    node.previous = last
    node.next = this.#ring
    this.#ring.previous = node
  }

  /** Does nothing when `node` is not in the list. */
  remove(node: Node): void {
    const { previous, next } = node
    if (previous === undefined || next === undefined) return
    previous.next = next
    next.previous = previous
    node.previous = undefined
    node.next = undefined
  }
}
