/**
 * What a trial of consumer groups saw, on one clock: what members were told, what they were given and what
 * they committed, what somebody who looks on saw, and who died when. Facts only; what is wrong with them is
 * `worker-verdict.ts`. Times are milliseconds of the trial's own clock.
 */

export type WorkerEvent =
  | AssignmentEvent
  | BreakEvent
  | CommitEvent
  | OffsetsEvent
  | OwnersEvent
  | DeathEvent
  | BrokerEvent

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

/** Committed offsets by partition, as anybody may read them; `null`: none. */
export interface OffsetsEvent {
  readonly kind: 'offsets'
  readonly offsets: readonly (number | null)[]
  readonly invokedAt: number
  readonly endedAt: number
}

/** Who has each partition, as the group's description says; `null`: nobody. */
export interface OwnersEvent {
  readonly kind: 'owners'
  readonly owners: readonly (string | null)[]
  readonly invokedAt: number
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
