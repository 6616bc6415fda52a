/** What the consumer's suites stand on: a broker whose groups move fast, and loops that write down what they did. */

import { startBroker, type TestBroker, type TestBrokerOptions } from '../../../broker/testing.ts'
import type {
  Client,
  Consumer,
  ConsumerHooks,
  LostPlace,
  ReadRecord,
} from '../../../client/index.ts'
import { BrokerSuite, serveSuite } from '../../rigs/broker-suite.ts'

/** Heartbeats every 50 ms: rebalances take a moment, not seconds. */
const FAST = { groupHeartbeatMs: 50 }

/** What a suite stands on, from before its first test until after its last. */
export class GroupSuite extends BrokerSuite {
  /** Registers the hooks of the suite that calls it. */
  static serve(): GroupSuite {
    return serveSuite(new GroupSuite(), FAST)
  }

  /** A client that is in no group. */
  get writer(): Client {
    return this.client
  }
}

export function startGroupBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  return startBroker({ ...FAST, ...options })
}

let groups = 0

export function newGroup(): string {
  return `group-${groups++}`
}

/** Of one consumer: its records as `partition/offset`, and what its hooks were told, in order. */
export class Journal {
  readonly records: string[] = []
  readonly events: string[] = []
  readonly losses: LostPlace[] = []

  readonly hooks: ConsumerHooks = {
    onAssigned: (partitions) => {
      this.events.push(`assigned ${textOf(partitions)}`)
    },
    onRevoked: (partitions) => {
      this.events.push(`revoked ${textOf(partitions)}`)
    },
    onLost: (partitions) => {
      this.losses.push(...partitions)
      this.events.push(`lost ${textOf(partitions)}`)
    },
    onReset: (partitions) => {
      const texts = partitions.map(({ partition, from, to }) => `${partition}:${from}→${to}`)
      this.events.push(`reset ${texts.join(' ')}`)
    },
  }

  take({ partition, offset }: { readonly partition: number; readonly offset: number }): void {
    this.records.push(`${partition}/${offset}`)
  }
}

/** `0@5 1@0`: partitions and offsets, by partition. */
export function textOf(
  places: readonly { readonly partition: number; readonly offset: number }[],
): string {
  return [...places]
    .sort((a, b) => a.partition - b.partition)
    .map(({ partition, offset }) => `${partition}@${offset}`)
    .join(' ')
}

/** Runs a loop to its end, writing down each record once `body` is done with it. */
export async function consume(
  consumer: Consumer,
  journal: Journal,
  body: (record: ReadRecord) => unknown = () => {},
): Promise<void> {
  for await (const record of consumer) {
    await body(record)
    journal.take(record)
  }
}

/** `0/0 0/1 … 1/0 …`: each record of a topic whose partitions hold so many. */
export function allOf(partitions: number, count: number): string[] {
  return Array.from({ length: partitions }, (_, partition) =>
    Array.from({ length: count }, (_, offset) => `${partition}/${offset}`),
  ).flat()
}

/** By partition: what the group has committed. */
export async function committedOf(client: Client, group: string): Promise<(number | null)[]> {
  return (await client.admin.groupOffsets(group)).map(({ offset }) => offset)
}

export function moment(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** To be opened from outside. */
export function gate(): { readonly isOpen: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { isOpen: promise, open: resolve }
}
