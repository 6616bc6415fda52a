/**
 * Commits what was written to standard output, now and then and at the end. What was taken away meanwhile,
 * by a reset or by another member, is not committed: its records are read again by whoever has it.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { isFenced } from '../../client/consumer/group-requests.ts'
import type { Consumer, GroupPartition, ReadBatch, ReadRecord } from '../../client/index.ts'
import { keyOf, type Printed, type WrittenOutput } from './written-output.ts'

export interface CommittedPlace extends GroupPartition {
  /** The next to read. */
  readonly offset: number
}

export class Commits {
  readonly #consumer: Pick<Consumer, 'commit'>
  readonly #output: WrittenOutput
  readonly #committed = new Map<string, CommittedPlace>()
  /** Of those that commit. Never rejects. */
  #turn: Promise<void> = Promise.resolve()

  constructor(consumer: Pick<Consumer, 'commit'>, output: WrittenOutput) {
    this.#consumer = consumer
    this.#output = output
  }

  /** How far everything is committed, as far as it was done here. */
  get committed(): CommittedPlace[] {
    return [...this.#committed.values()].sort(
      (one, other) => one.topic.localeCompare(other.topic) || one.partition - other.partition,
    )
  }

  /** Commits what is written of whole batches, which is cheap to say. */
  commit(): Promise<void> {
    return this.#inTurn(() => this.#tell(this.#output.takeWritten(isWhole)))
  }

  /** Commits everything that is written, also of batches that were left in the middle. */
  commitAll(): Promise<void> {
    return this.#inTurn(() => this.#tell(this.#output.takeWritten(() => true)))
  }

  /** Rejects with what no later commit will mend. */
  async #tell(printed: readonly Printed[]): Promise<void> {
    if (printed.length === 0) return
    const error = await this.#attempt(printed)
    if (error === undefined) return
    if (!isFenced(error)) throw error
    // Some were taken away: the others are still to be committed.
    for (const each of printed) {
      const own = await this.#attempt([each])
      if (own !== undefined && !isFenced(own)) throw own
    }
  }

  /** Why they were refused. What may be taken another time is kept for that. */
  async #attempt(printed: readonly Printed[]): Promise<SpoolError | undefined> {
    try {
      await this.#consumer.commit(printed.map(doneOf))
      for (const { batch, nextOffset } of printed) {
        const { topic, partition } = batch
        this.#committed.set(keyOf(batch), { topic, partition, offset: nextOffset })
      }
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      if (!error.retriable || isFenced(error)) return error
      this.#output.putBack(printed)
    }
    return undefined
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}

function isWhole({ batch, nextOffset }: Printed): boolean {
  return nextOffset === batch.nextOffset
}

/** The batch, or the last of its records that was printed: both know whose they were when they came. */
function doneOf(printed: Printed): ReadBatch | ReadRecord {
  const { batch, nextOffset } = printed
  if (isWhole(printed)) return batch
  let last: ReadRecord | undefined
  for (const record of batch) {
    if (record.offset >= nextOffset) break
    last = record
  }
  // Where nothing of it was printed, nothing of it was marked as printed.
  return last!
}
