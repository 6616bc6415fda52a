/**
 * The groups of a partition of `__consumer_offsets` whose log could not be opened: nothing is known of them,
 * and nothing happens to them until a restart finds the log well. It keeps the place of its partition, since
 * a group's is found by number, and tells whoever asks what is wrong. All other groups are served.
 */

import { withOutcome } from '../../client/api/errors.ts'
import type { GroupMachine } from './group-machine.ts'
import type { GroupShard } from './group-shard.ts'

/** What the coordinator uses of a shard. */
export type Shard = Pick<
  GroupShard,
  | 'groups'
  | 'heldBytes'
  | 'isLoaded'
  | 'isServed'
  | 'whenLoaded'
  | 'settled'
  | 'look'
  | 'run'
  | 'close'
>

export class UnservedShard implements Shard {
  readonly groups: ReadonlyMap<string, GroupMachine> = new Map()
  readonly heldBytes = 0
  readonly isLoaded = false
  readonly isServed = false
  readonly #error: unknown

  /** `error`: why the log can not be used. */
  constructor(error: unknown) {
    this.#error = error
  }

  whenLoaded(): Promise<void> {
    return Promise.reject(this.#error)
  }

  settled(): Promise<void> {
    return Promise.reject(this.#error)
  }

  look<T>(): Promise<T> {
    return Promise.reject(this.#error)
  }

  run<T>(): Promise<T> {
    return Promise.reject(withOutcome(this.#error, 'refused'))
  }

  close(): void {}
}
