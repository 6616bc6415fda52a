/** A broker process for a trial, with a topic in it. */

import { BrokerProcess } from '../test/rigs/broker-process.ts'
import { runClient } from './child.ts'
import type { ProduceAnswer, ProduceTask } from './clients/produce-task.ts'

export const TOPIC = 'bench'
/** Long enough to compile what is hot, short enough not to fill the disk. */
const WARM_UP_SECONDS_MAX = 1

/** A bench fills disks on purpose: the reserve would stop it on a small one. */
const FLAGS = ['--log-level', 'warn', '--disk-reserve-bytes', '0']

export interface BrokerOptions {
  /** Further settings, such as `['--linger-ms', '0']`. */
  readonly flags?: readonly string[]
}

export function startBroker(
  dataDir: string,
  { flags = [] }: BrokerOptions = {},
): Promise<BrokerProcess> {
  return BrokerProcess.start({ dataDir, flags: [...FLAGS, ...flags], startMsMax: 600_000 })
}

/** Runs `work` against a fresh broker with one topic; the broker is stopped afterwards. */
export async function withBroker<Result>(
  dataDir: string,
  partitions: number,
  work: (broker: BrokerProcess) => Promise<Result>,
): Promise<Result> {
  await using broker = await startBroker(dataDir)
  await createTopic(broker.url, partitions)
  const result = await work(broker)
  await broker.stop()
  return result
}

export async function createTopic(url: string, partitions: number, name = TOPIC): Promise<void> {
  const response = await fetch(`${url}/v1/topics/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ partitions }),
  })
  if (!response.ok) throw new Error(`no topic: ${response.status} ${await response.text()}`)
}

export function produce(task: ProduceTask): Promise<ProduceAnswer> {
  return runClient<ProduceAnswer>('clients/produce.ts', task)
}

/** Produces until the broker is killed, which is no failure here. */
export async function produceUntilKilled(task: ProduceTask): Promise<void> {
  await runClient('clients/produce.ts', task, { stderr: 'ignore' }).catch(() => {})
}

/** A short run that is not measured, then the one that is. */
export async function produceWarm(task: ProduceTask): Promise<ProduceAnswer> {
  const { seconds = WARM_UP_SECONDS_MAX } = task
  await produce({ ...task, seconds: Math.min(seconds, WARM_UP_SECONDS_MAX) })
  return produce(task)
}
