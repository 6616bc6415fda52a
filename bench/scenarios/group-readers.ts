/**
 * A thousand readers of consumer groups, each a stream of its own, one of which stalls: the broker's memory, how
 * soon records arrive, what joining costs, and that the stalled one is given up.
 */

import { createTopic, startBroker, TOPIC } from '../broker-under-test.ts'
import { runClient } from '../child.ts'
import type { GroupReadersAnswer, GroupReadersTask } from '../clients/group-readers-task.ts'
import type { Measure, Scenario, Trial } from '../scenario.ts'

const READERS = 1_000
const READERS_MIN = 10
const FLOOD_TOPIC = 'flood'
const RECORD_BYTES = 100
const WARM_UP_SECONDS_MAX = 2
/**
 * The default is minutes. All else is as it comes: 1,000 members of a group (group.consumer.max.size), 4,096
 * streams (waiting.requests.max), 10,000 connections (connections.max).
 */
const FLAGS = ['--max-poll-interval-ms', '5000']

interface Readers {
  readonly name: string
  readonly isOneGroup: boolean
  /** One for each reader of one group. */
  readonly partitions?: number
  readonly recordsPerSecond: number
  readonly recordsPerRequest: number
}

function trial({ name, isOneGroup, recordsPerSecond, recordsPerRequest, ...rest }: Readers): Trial {
  return {
    name,
    run: async ({ directory, seconds, scale }) => {
      const readers = Math.max(READERS_MIN, Math.round(READERS * scale))
      const partitions = rest.partitions ?? readers
      await using broker = await startBroker(directory, { flags: FLAGS })
      await createTopic(broker.url, partitions)
      if (!isOneGroup) await createTopic(broker.url, 1, FLOOD_TOPIC)
      const answer = await runClient<GroupReadersAnswer>('clients/group-readers.ts', {
        port: broker.port,
        brokerPid: broker.pid,
        topic: TOPIC,
        partitions,
        floodTopic: isOneGroup ? undefined : FLOOD_TOPIC,
        readers,
        isOneGroup,
        recordsPerSecond,
        recordsPerRequest,
        recordBytes: RECORD_BYTES,
        warmUpSeconds: Math.min(seconds, WARM_UP_SECONDS_MAX),
        seconds,
      } satisfies GroupReadersTask)
      return measuresOf(answer, isOneGroup)
    },
  }
}

function measuresOf(answer: GroupReadersAnswer, isOneGroup: boolean): Measure[] {
  const gone = isOneGroup ? 'stalled: partition another’s after' : 'stalled: no member after'
  return [
    { name: 'all joined after', value: answer.joinedMs, unit: 'ms' },
    { name: 'joining, processor', value: answer.joinCpuSeconds, unit: 's' },
    { name: 'broker, idle', value: answer.idleCpuShare * 100, unit: '% of one processor' },
    { name: 'broker, reading', value: answer.brokerCpuShare * 100, unit: '% of one processor' },
    { name: 'records delivered', value: answer.deliveredPerSecond, unit: '1/s' },
    { name: 'commits', value: answer.commitsPerSecond, unit: '1/s' },
    { name: 'arrival, median', value: answer.arrivalMsMedian, unit: 'ms' },
    { name: 'arrival, 99 %', value: answer.arrivalMs99, unit: 'ms' },
    { name: 'arrival, 99 %, one stalled', value: answer.stalledArrivalMs99, unit: 'ms' },
    { name: 'memory, empty', value: answer.memoryEmptyMiB, unit: 'MiB' },
    { name: 'memory, all joined', value: answer.memoryJoinedMiB, unit: 'MiB' },
    { name: 'memory, reading, at most', value: answer.memoryReadingMiB, unit: 'MiB' },
    { name: 'memory, one stalled, at most', value: answer.memoryStalledMiB, unit: 'MiB' },
    { name: gone, value: answer.goneAfterMs, unit: 'ms' },
  ]
}

export const scenario: Scenario = {
  name: 'group-readers',
  sentence: `${READERS} readers of groups as event streams, each committing every 5 s; one stalls, and is cut after max.poll.interval.ms (5 s here)`,
  trials: [
    trial({
      name: 'one group, a partition each, 2,000/s',
      isOneGroup: true,
      recordsPerSecond: 2_000,
      recordsPerRequest: 20,
    }),
    trial({
      name: 'a group each, 10 partitions, 50/s',
      isOneGroup: false,
      partitions: 10,
      recordsPerSecond: 50,
      recordsPerRequest: 10,
    }),
  ],
}
