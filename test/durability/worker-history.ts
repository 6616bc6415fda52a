/**
 * What a trial of consumer groups saw, on one clock: what members were told, what they were given and what
 * they committed, what somebody who looks on saw, and who died when. Facts only; what is wrong with them is
 * `worker-verdict.ts`. Times are milliseconds of the trial's own clock.
 */

export type WorkerEvent =
  | AssignmentEvent
  | BreakEvent
  | CommitEvent
  | LookEvent
  | DeathEvent
  | BrokerEvent
  | UndrainedEvent

/** A member was told all that it has. Of a stream, which asked nothing, both times are that of the arrival. */
export interface AssignmentEvent {
  readonly kind: 'assignment'
  readonly member: string
  readonly partitions: readonly number[]
  readonly invokedAt: number
  readonly endedAt: number
}

/** From here on the member does not know what it has: an answer was lost, it was refused, it left or died. */
export interface BreakEvent {
  readonly kind: 'break'
  readonly member: string
  readonly at: number
}

/** One partition's commit whose answer came. */
export interface CommitEvent {
  readonly kind: 'commit'
  readonly member: string
  readonly partition: number
  readonly offset: number
  readonly invokedAt: number
  readonly endedAt: number
  readonly isAccepted: boolean
  /** Made in the name of a member whose partition was another's by then. */
  readonly isGhost?: boolean
}

/** What somebody who looks on sees of the group; by partition where it is an array. */
export interface LookEvent {
  readonly kind: 'look'
  /** Committed offsets; `null`: none. */
  readonly offsets: readonly (number | null)[]
  /** Who has each partition, as the group's description says; `null`: nobody. */
  readonly owners: readonly (string | null)[]
  readonly members: readonly string[]
  /** Up to where records were acknowledged before the look was asked for. */
  readonly ends: readonly number[]
  readonly invokedAt: number
  readonly endedAt: number
}

export interface DeathEvent {
  readonly kind: 'death'
  readonly member: string
  readonly at: number
}

export interface BrokerEvent {
  readonly kind: 'broker'
  readonly isUp: boolean
  readonly at: number
}

/** In the end, when nobody comes or goes, these were not read to their ends, and nothing moved any more. */
export interface UndrainedEvent {
  readonly kind: 'undrained'
  readonly partitions: readonly number[]
  readonly at: number
}

export class WorkerHistory {
  readonly events: WorkerEvent[] = []
  /** Partition → offset → how often it was given to a worker. */
  readonly given: number[][]

  constructor(partitions: number) {
    this.given = Array.from({ length: partitions }, () => [])
  }

  add(event: WorkerEvent): void {
    this.events.push(event)
  }

  gave(partition: number, offset: number): void {
    const counts = this.given[partition]!
    while (counts.length <= offset) counts.push(0)
    counts[offset]!++
  }
}
