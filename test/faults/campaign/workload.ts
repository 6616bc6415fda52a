/**
 * What clients and operators do to a running engine, all at once: producers, a reader per partition, an
 * administrator, and time passing. Every choice is the seed's. Writes down what it learns in the
 * histories; an answer that no client should ever get is a problem.
 */

import { isCompacted } from '../../../storage/config.ts'
import { StorageError } from '../../../storage/errors.ts'
import type { Log } from '../../../storage/log/log.ts'
import type { LogManager } from '../../../storage/log-manager.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { ManualClock } from '../../rigs/clock.ts'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import type { SeededRandom } from '../../rigs/random.ts'
import { BadRead, readOnce } from './reader.ts'
import type { Partition, Topic, Topics } from './topics.ts'

export interface Stage {
  readonly disk: SimulatedDisk
  readonly manager: LogManager
  readonly clock: ManualClock
  readonly random: SeededRandom
  readonly topics: Topics
  /** The disk is full now and then. */
  readonly isTight: boolean
  /** How much everybody does. */
  readonly steps: number
  readonly problem: (sentence: string) => void
}

/** Runs everybody until they have done their steps, or for ever when the disk stops. */
export async function work(stage: Stage): Promise<void> {
  const actors: Promise<void>[] = []
  for (const topic of stage.topics.active) actors.push(...actorsOf(stage, topic))
  actors.push(administrate(stage, actors))
  for (let at = 0; at < actors.length; at++) await actors[at]
}

function actorsOf(stage: Stage, topic: Topic): Promise<void>[] {
  return topic.partitions.flatMap((partition, number) => {
    const log = stage.manager.log(topic.name, number)
    if (log === undefined) {
      stage.problem(`${partition.history.name}: the log is not there`)
      return []
    }
    return [produce(stage, topic, partition, log), consume(stage, topic, partition, log)]
  })
}

/** Lets others go first, for a while. */
export async function pause(random: SeededRandom): Promise<void> {
  for (let turns = random.below(4); turns > 0; turns--) {
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}

/** Who belonged to a dead machine does nothing more: the histories are the next life's by then. */
function isGoing(stage: Stage, topic: Topic): boolean {
  return stage.disk.isAlive && topic.state === 'active'
}

const isListening = (stage: Stage) => () => stage.disk.isAlive

async function produce(stage: Stage, topic: Topic, partition: Partition, log: Log): Promise<void> {
  const random = stage.random.fork()
  const waiting: Promise<void>[] = []
  for (let step = 0; step < stage.steps && isGoing(stage, topic) && !log.isOffline; step++) {
    const producer = random.pick(partition.producers)
    if (producer.canSend) {
      const sent = producer.send(log, stage.clock.now(), isListening(stage))
      if (random.chance(0.4)) await sent
      else waiting.push(sent)
    }
    if (random.chance(0.5)) await pause(random)
  }
  await Promise.all(waiting)
  const isUntouched = !stage.disk.hasFailed && !stage.topics.hasSeenErrors
  if (topic.state === 'active' && stage.disk.isAlive && isUntouched) {
    for (const error of partition.history.errors) {
      stage.problem(`${partition.history.name}: refused for no reason: ${String(error)}`)
    }
  }
}

async function consume(stage: Stage, topic: Topic, partition: Partition, log: Log): Promise<void> {
  const random = stage.random.fork()
  const { history } = partition
  let next: number = log.logStartOffset
  for (let step = 0; step < stage.steps && isGoing(stage, topic); step++) {
    await pause(random)
    if (!stage.disk.isAlive) return
    const isJumping = random.chance(0.2)
    if (isJumping) next = random.between(log.logStartOffset, log.highWatermark)
    try {
      const read = await readOnce(log, next, random.pick([1, 300, 5_000, 100_000]))
      if (!stage.disk.isAlive) return
      for (const problem of history.see(read.records, log.leaderEpoch)) stage.problem(problem)
      history.noteFlushed(log.flushedOffset)
      next = read.nextOffset
    } catch (error) {
      if (!stage.disk.isAlive || topic.state !== 'active') return
      const isBelowStart =
        error instanceof StorageError &&
        error.code === 'OFFSET_OUT_OF_RANGE' &&
        next < log.logStartOffset
      if (isBelowStart) next = log.logStartOffset
      else if (error instanceof BadRead || !stage.disk.hasFailed) {
        stage.problem(`${history.name}: reading from ${next}: ${String(error)}`)
      }
    }
  }
}

async function administrate(stage: Stage, actors: Promise<void>[]): Promise<void> {
  const { random, clock, disk, topics } = stage
  for (let step = 0; step < stage.steps && disk.isAlive; step++) {
    await pause(random)
    if (!disk.isAlive) return
    clock.advance(random.pick([1, 20, 300]))
    if (stage.isTight && random.chance(0.3)) {
      const isFull = disk.capacityBytes < Number.POSITIVE_INFINITY
      disk.capacityBytes = isFull
        ? Number.POSITIVE_INFINITY
        : disk.usedBytes() + random.below(6_000)
    }
    const topic = topics.active.length > 0 ? random.pick(topics.active) : undefined
    const number = random.below(topic?.partitions.length ?? 1)
    const log = topic && stage.manager.log(topic.name, number)
    const partition = topic?.partitions[number]
    try {
      if (topic === undefined || log === undefined || partition === undefined) {
        if (topics.all.length < 3) actors.push(...(await create(stage)))
        continue
      }
      if (isCompacted(topic.config) && random.chance(0.35)) {
        if (random.chance(0.6)) await log.roll()
        actors.push(compact(stage, log, partition))
        continue
      }
      const choice = random.next()
      if (choice < 0.15) await deletePrefix(stage, partition, log)
      else if (choice < 0.3) await flush(stage, partition, log)
      else if (choice < 0.4) await log.applyRetention(true)
      else if (choice < 0.45) await log.roll()
      else if (choice < 0.5) await changeFlushing(stage, topic, random.chance(0.5))
      else if (choice < 0.53) await remove(stage, topic)
      else if (choice < 0.6 && topics.all.length < 3) actors.push(...(await create(stage)))
    } catch (error) {
      if (disk.isAlive && !disk.hasFailed) {
        stage.problem(`administration failed: ${(error as Error).stack}`)
      }
    }
  }
}

/** Beside all the others, as the cleaner does it; what it says of its failures is its log's. */
async function compact(stage: Stage, log: Log, { history }: Partition): Promise<void> {
  await stage.manager.compact()
  const { failure } = log.compaction
  if (failure !== undefined && stage.disk.isAlive && !stage.disk.hasFailed && !stage.isTight) {
    stage.problem(`${history.name}: compaction failed: ${failure}`)
  }
}

async function deletePrefix(stage: Stage, { history }: Partition, log: Log): Promise<void> {
  const before = stage.random.between(log.logStartOffset, log.highWatermark)
  history.askStart(before)
  const start = await log.deletePrefix(toOffset(before))
  if (stage.disk.isAlive) history.confirmStart(start)
}

async function flush(stage: Stage, { history }: Partition, log: Log): Promise<void> {
  const end = log.logEndOffset
  await log.flush()
  if (!stage.disk.isAlive) return
  if (log.flushedOffset < end && !stage.disk.hasFailed)
    stage.problem(`${history.name}: flush left ${end} at ${log.flushedOffset}`)
  history.noteFlushed(log.flushedOffset)
}

/** Makes flushing stricter or laxer; the metadata follows the engine in one case and leads in the other. */
async function changeFlushing(stage: Stage, topic: Topic, isSynced: boolean): Promise<void> {
  const config = { ...topic.config, flushMessages: isSynced ? 1 : 20 }
  for (const { history } of topic.partitions) if (!isSynced) history.isSynced = false
  if (!isSynced) topic.config = config
  for (let number = 0; number < topic.partitions.length; number++) {
    await stage.manager.log(topic.name, number)?.setConfig(config)
  }
  if (isSynced && stage.disk.isAlive) topic.config = config
}

/** A new topic, and those who use it. */
async function create(stage: Stage): Promise<Promise<void>[]> {
  const topic = stage.topics.add()
  await finishCreating(stage, topic)
  return topic.state === 'active' ? actorsOf(stage, topic) : []
}

export async function finishCreating(stage: Stage, topic: Topic): Promise<void> {
  const numbers = topic.partitions.map((_, number) => number)
  await stage.manager.createTopicLogs(topic, numbers)
  if (stage.disk.isAlive) topic.state = 'active'
}

export async function remove(stage: Stage, topic: Topic): Promise<void> {
  topic.state = 'deleting'
  await stage.manager.deleteTopicLogs(topic)
  if (stage.disk.isAlive) stage.topics.drop(topic)
}
