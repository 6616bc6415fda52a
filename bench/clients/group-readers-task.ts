/** What the readers of groups are asked to do, and what they answer. Shapes only. */

export interface GroupReadersTask {
  readonly port: number
  readonly brokerPid: number
  readonly topic: string
  readonly partitions: number
  /** For the reader that stalls, where it alone reads it. */
  readonly floodTopic: string | undefined
  readonly readers: number
  /** All in one group, or each in its own. */
  readonly isOneGroup: boolean
  readonly recordsPerSecond: number
  readonly recordsPerRequest: number
  readonly recordBytes: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface GroupReadersAnswer {
  /** From the first connection until everybody has what it is to have. */
  readonly joinedMs: number
  /** Processor time of the broker for that. */
  readonly joinCpuSeconds: number
  /** Share of one processor that the broker uses while nothing is written. */
  readonly idleCpuShare: number
  readonly deliveredPerSecond: number
  readonly commitsPerSecond: number
  readonly brokerCpuShare: number
  /** From just before a record is sent to the broker until a reader has it. */
  readonly arrivalMsMedian: number
  readonly arrivalMs99: number
  readonly stalledArrivalMs99: number
  readonly memoryEmptyMiB: number
  readonly memoryJoinedMiB: number
  readonly memoryReadingMiB: number
  readonly memoryStalledMiB: number
  /** From the moment at which it stops reading until its member is gone, or another has its partition. */
  readonly goneAfterMs: number
  /** What had been sent for the stalled one alone. */
  readonly floodBytes: number
}

/** Of the process that writes at a rate. */
export interface SteadyProduceTask {
  readonly port: number
  readonly topic: string
  readonly partitions: number
  readonly recordsPerSecond: number
  readonly recordsPerRequest: number
  readonly recordBytes: number
  readonly seconds: number
}

export interface SteadyProduceAnswer {
  readonly records: number
  readonly seconds: number
}

/** Milliseconds on a clock that processes of one machine share. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now()
}
