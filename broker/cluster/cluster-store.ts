/**
 * Where the cluster's metadata lives, as an interface: small text entries under keys, each with a
 * version, changed together by compare-and-swap, and watched. One broker keeps them in a file of its
 * data directory; a cluster keeps them in etcd (a transaction comparing `mod_revision`) or ZooKeeper
 * (`multi` with version checks). What the entries say is `metadata-keys.ts` and `cluster-image.ts`.
 */

/** One entry. Keys are `/`-separated words; values are JSON text of at most a few kilobytes. */
export interface StoredEntry {
  readonly key: string
  readonly value: string
  /** Changes with every change of the entry and never comes again for its key. */
  readonly version: number
}

/**
 * One step of a transaction. `expect` is the version the caller last saw, or `absent`; a `null` value
 * removes the entry. An `ephemeral` entry disappears with this process's session: a broker that is
 * there, the controller in charge.
 */
export type StoreChange =
  | {
      readonly key: string
      readonly value: string
      readonly expect: number | 'absent'
      readonly ephemeral?: boolean
    }
  | { readonly key: string; readonly value: null; readonly expect: number }

/** What a watcher is told: the entry as it now is, or that it is gone. */
export type EntryEvent = StoredEntry | { readonly key: string; readonly value: null }

export interface ClusterStore {
  /** Every entry whose key starts with `prefix`, as of one moment, in the order of their keys. */
  read(prefix: string): Promise<readonly StoredEntry[]>
  /**
   * Makes all changes or none. Resolves when they are durable, with the new versions in the order of
   * the changes (0 for a removal), after this process's watchers were told.
   *
   * @throws VersionConflict when an entry is not at its expected version: nothing was changed.
   * Any other rejection: whether it was changed is unknown.
   */
  transact(changes: readonly StoreChange[]): Promise<readonly number[]>
  /**
   * Calls `listener` with what changed, in order, some changes possibly merged into the last one of
   * their key. Returns the call that ends it.
   */
  watch(prefix: string, listener: (events: readonly EntryEvent[]) => void): () => void
  /** Ends the session; later calls reject. */
  close(): Promise<void>
}

/** Somebody else was faster: read again and decide again. */
export class VersionConflict extends Error {
  readonly key: string

  constructor(key: string, expected: number | 'absent', actual: number | 'absent') {
    super(`entry ${key} is at version ${actual}, not ${expected}`)
    this.name = 'VersionConflict'
    this.key = key
  }
}
