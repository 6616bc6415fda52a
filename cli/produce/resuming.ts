/**
 * Whether an upload can go on after an interruption, and whether it does: what the resume file holds,
 * against what was typed, the files as they are now, and the topic. Asks and decides; sends nothing.
 *
 * Why each line is appended once:
 *
 *  - Which records there are, and which partition each goes to, follows from the files, the options and
 *    the number of partitions alone. So each record has a number among those of its partition, the same in
 *    every process that has a part in the upload.
 *  - All of them send it under that number, as one and the same idempotent producer (`continues`, see
 *    `client/producer/`). The broker appends each number once, after the one before it, in whatever batches
 *    they come, also from a connection whose process is long dead.
 *  - Who goes on looks up in the log which number came last (`arrived.ts`) and sends those behind it. If
 *    more arrived meanwhile, it is refused and looks again. Records that are there are compared with what
 *    would have been sent.
 *
 * The resume file is on disk before the first record is sent. It says who the producer is, and a place
 * before which all is acknowledged: how old that is changes how much is read again, not what is right.
 *
 * What bounds it: requests of a dead process may arrive for as long as connections live, minutes, and the
 * broker remembers a producer for `producer.id.expiration.ms`, a day, unless more producers than
 * `producer.ids.per.partition.max` write to a partition. Whoever goes on after that still repeats nothing,
 * since it looks in the log. But the log must still have what would tell: where retention or trimming has
 * removed it, that is said; where compaction has, only the broker's memory of the producer is left.
 */

import type { Client, TopicDescription } from '../../client/index.ts'
import { countForPeople } from '../numbers.ts'
import type { Output } from '../output.ts'
import { UsageError } from '../usage-error.ts'
import { BEGINNING } from './acknowledged.ts'
import { beginAgain } from './begin-again.ts'
import type { Input } from './input.ts'
import type { ProducePlan } from './plan.ts'
import { ResumeFile, resumePath } from './resume-file.ts'
import { decidingWords, difference, type ResumeState } from './resume-state.ts'

/** An upload that can go on. */
export interface Resuming {
  readonly file: ResumeFile
  /** As it is in the file. */
  readonly state: ResumeState
}

export interface ResumeQuestion {
  readonly plan: ProducePlan
  readonly inputs: readonly Input[]
  readonly description: TopicDescription
  readonly client: Client
  readonly output: Output
  readonly signal: AbortSignal
  /** In [0, 1). */
  readonly random: () => number
}

/**
 * `undefined`: this upload can not be resumed, and nobody asked for it.
 *
 * @throws UsageError where it is not clear what is wanted, CommandError where it can not be done.
 */
export async function resumingOf(question: ResumeQuestion): Promise<Resuming | undefined> {
  const { plan, inputs, description, output } = question
  if (plan.files.length === 0 || plan.sending.acks === 0) return undefined
  const stream = inputs.find(({ sizeBytes }) => sizeBytes === undefined)
  if (stream !== undefined) {
    if (plan.after === undefined) return undefined
    throw new UsageError(`${stream.name} is no plain file: it can not be read again`)
  }
  const file = new ResumeFile(plan.resumeFile ?? resumePath(plan.files[0]!, plan.topic))
  // Of a topic that was made anew nothing is left to go on with.
  const old = plan.after === 'restart' ? undefined : await file.read()
  const isOfTopic = old?.topicId === description.topicId
  if (old !== undefined && !isOfTopic && plan.after === 'resume') {
    output.remark(`${plan.topic} was made anew since: everything is loaded`)
  }
  if (old === undefined || !isOfTopic) return begun(question, file)
  if (plan.after === 'resume') {
    await checkSame(old, file, plan)
    // From here on something may be in the log that the file does not know of.
    await write(file, { ...old, isSettled: false, isDone: false })
    return { file, state: old }
  }
  if (old.isDone) return begun(question, file)
  throw new UsageError(
    `an upload of ${plan.files.join(', ')} to ${plan.topic} was interrupted after line ${countForPeople(old.mark.place.line)}: --resume goes on there, --restart begins again`,
  )
}

async function begun(
  { plan, description, client, output, signal, random }: ResumeQuestion,
  file: ResumeFile,
): Promise<Resuming | undefined> {
  const { producerId, producerEpoch } = await client.admin.createProducer({ signal })
  const { partitions } = await client.admin.offsets(plan.topic, { at: 'latest', signal })
  const state: ResumeState = {
    topic: plan.topic,
    topicId: description.topicId,
    producerId,
    producerEpoch,
    partitions: description.partitions.length,
    firstPartition: Math.floor(random() * description.partitions.length),
    words: decidingWords(plan.reading, plan.sending, plan.delimiter),
    files: await Promise.all(plan.files.map((each) => file.fileState(each))),
    mark: {
      place: BEGINNING,
      taken: description.partitions.map(() => 0),
      offsets: partitions.map(({ highWatermark }) => highWatermark),
    },
    surroundings: { head: 0, tail: 0 },
    isSettled: true,
    isDone: false,
    endsOpen: false,
  }
  try {
    await write(file, { ...state, isSettled: false })
  } catch (error) {
    if (plan.after === 'resume' || plan.resumeFile !== undefined) throw error
    const { message } = error as UsageError
    output.remark(`${message}; if it is interrupted, it can not be resumed`)
    return undefined
  }
  return { file, state }
}

/** @throws UsageError */
async function write(file: ResumeFile, state: ResumeState): Promise<void> {
  try {
    await file.write(state)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(
      `how far it got can not be kept in ${file.path} (${code}): another place is named with --resume-file`,
    )
  }
}

/** @throws UsageError, CommandError naming what is not as it was. */
async function checkSame(state: ResumeState, file: ResumeFile, plan: ProducePlan): Promise<void> {
  const words = decidingWords(plan.reading, plan.sending, plan.delimiter)
  const different = difference(state.words, words)
  if (different !== undefined) {
    throw new UsageError(`${different}: --resume needs the same options, or begin with --restart`)
  }
  const paths = plan.files.map((each) => file.relative(each))
  if (paths.join('\0') !== state.files.map(({ path }) => path).join('\0')) {
    const names = state.files.map(({ path }) => path).join(', ')
    throw new UsageError(`it was begun with ${names}: --resume needs the same files`)
  }
  const current = plan.files[state.mark.place.file]!
  const why = await file.whyAnother(state, current)
  if (why !== undefined)
    throw beginAgain(`${current} is not the file that was being loaded: ${why}`)
  const { sizeBytes } = await file.fileState(current)
  if (state.endsOpen && sizeBytes > state.mark.place.position) {
    const line = countForPeople(state.mark.place.line)
    throw beginAgain(`line ${line} of ${current} was loaded before it had an end, and goes on now`)
  }
}
