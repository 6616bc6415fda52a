/**
 * Fills a topic, then starts its broker again after a clean stop and after kill -9 in the middle of
 * writing, and measures how soon it is ready and what it holds. For the scenarios that differ only in size.
 */

import {
  createTopic,
  produce,
  produceUntilKilled,
  startBroker,
  TOPIC,
} from './broker-under-test.ts'
import type { ProduceTask } from './clients/produce-task.ts'
import type { Measure, Trial } from './scenario.ts'

const CONNECTIONS = 8
/** How long it writes before it is killed. */
const BEFORE_KILL_MS = 1_500
const SETTLE_MS = 2_000

export interface RestartTrialOptions {
  readonly name: string
  readonly partitions: number
  readonly records: number
  readonly recordBytes: number
  readonly batchBytes: number
}

export function restartTrial(options: RestartTrialOptions): Trial {
  return {
    name: options.name,
    run: async ({ directory, scale }) => {
      const measures: Measure[] = []
      const say = (name: string, value: number, unit: string) =>
        measures.push({ name, value, unit })
      const task: Omit<ProduceTask, 'port'> = {
        topic: TOPIC,
        partitions: options.partitions,
        connections: CONNECTIONS,
        recordBytes: options.recordBytes,
        batchBytes: options.batchBytes,
        payload: 'random',
        compression: 'none',
      }

      let broker = await startBroker(directory)
      const createdFrom = performance.now()
      await createTopic(broker.url, options.partitions)
      say('topic created after', performance.now() - createdFrom, 'ms')
      const records = Math.ceil(options.records * scale)
      const filled = await produce({ ...task, port: broker.port, records })
      say('filled with', filled.records, 'records')
      say('filled at', filled.records / filled.seconds, '1/s')
      say('memory, filled', broker.memoryMiB(), 'MiB')
      const stoppedFrom = performance.now()
      await broker.stop()
      say('clean stop took', performance.now() - stoppedFrom, 'ms')

      broker = await startBroker(directory)
      say('ready after clean stop', broker.readyAfterMs, 'ms')
      await sleep(SETTLE_MS)
      say('memory, started again', broker.memoryMiB(), 'MiB')

      const writing = produceUntilKilled({ ...task, port: broker.port, seconds: 60 })
      await sleep(BEFORE_KILL_MS)
      await broker.kill()
      await writing

      broker = await startBroker(directory)
      say('ready after kill -9', broker.readyAfterMs, 'ms')
      say('memory, recovered', broker.memoryMiB(), 'MiB')
      await broker.stop()
      return measures
    },
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
