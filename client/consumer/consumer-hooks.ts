/** What a program is told of its partitions: the hooks of a consumer, and the places they are given. Types only. */

import type { SpoolError } from '../api/errors.ts'

export interface AssignedPlace {
  readonly topic: string
  readonly partition: number
  /** Where it begins. */
  readonly offset: number
}

export interface RevokedPlace {
  readonly topic: string
  readonly partition: number
  /** Everything before was done. */
  readonly offset: number
}

export interface LostPlace extends RevokedPlace {
  /** Why it could not be given up in order: what was not committed is read again, by whoever has it now. */
  readonly error: SpoolError
}

export interface ResetPlace {
  readonly topic: string
  readonly partition: number
  /** What would have been read next. */
  readonly from: number
  /** What is read next. */
  readonly to: number
}

export interface Trouble {
  /** What the last attempt failed with; REQUEST_TIMED_OUT where none has failed yet. */
  readonly error: SpoolError
  /** How long the broker has not answered. */
  readonly silentMs: number
}

/**
 * Each is called for several partitions at once, one hook after another, beside the loop; what it returns is
 * awaited. What a hook throws ends the loop with that error.
 */
export interface ConsumerHooks {
  /** The partitions are this consumer's; their records come once the hook is done. `seek` works here. */
  readonly onAssigned?: (partitions: readonly AssignedPlace[]) => unknown
  /**
   * They are to go to others, or the consumer is being closed. None of their records is in hand, and they
   * are this consumer's until the hook is done: it may commit. It has three quarters of
   * `rebalanceTimeoutMs` for that, work in hand included.
   */
  readonly onRevoked?: (partitions: readonly RevokedPlace[]) => unknown
  /**
   * They are gone already, or went before their work was done or committed: the session ended, the group
   * was reset, the time was up. Somebody may be reading them again.
   */
  readonly onLost?: (partitions: readonly LostPlace[]) => unknown
  /** Somebody reset the group: these go on elsewhere. Called after `onLost`, before `onAssigned`. */
  readonly onReset?: (partitions: readonly ResetPlace[]) => unknown
  /**
   * The broker does not answer, or only that it can not do it now, for 5 s or a quarter of the session. The
   * consumer goes on asking, for ever, and the loop waits; nothing needs to be done. Called once, and not in
   * order with those above.
   */
  readonly onTrouble?: (trouble: Trouble) => unknown
  /** It answers again. */
  readonly onRecovered?: () => unknown
}
