/**
 * Numbers for idempotent producers, each handed out once in the life of the cluster. They come in blocks
 * whose end is durable in the metadata before the first of them leaves, so that a crash loses the rest
 * of a block and repeats none: the first record of a producer with a used id would be answered as a
 * duplicate and dropped.
 */

import { SpoolError } from '../client/api/errors.ts'
import { type ClusterStore, VersionConflict } from './cluster/cluster-store.ts'
import { PRODUCER_IDS_KEY, parseCounter } from './cluster/metadata-keys.ts'

/** Kafka's block size: one durable write per so many producers. */
export const PRODUCER_ID_BLOCK = 1_000

/** Brokers racing for a block lose at most this often in a row before the caller is told to come again. */
const ATTEMPTS_MAX = 10

export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: 0
}

export class ProducerIds {
  readonly #store: ClusterStore
  readonly #checkRoom: () => void
  /** Invariant: ids in [#nextId, #blockEnd) are ours alone and none of them was handed out. */
  #nextId = 0
  #blockEnd = 0
  #allocation: Promise<void> | undefined

  /** `checkRoom` throws while the disk is too full to write the metadata of a new block. */
  constructor(options: { store: ClusterStore; checkRoom(): void }) {
    this.#store = options.store
    this.#checkRoom = options.checkRoom
  }

  /**
   * A producer id nobody has had. Callers that find the block used up share one allocation.
   *
   * @throws SpoolError KAFKA_STORAGE_ERROR, DISK_FULL or BROKER_BUSY when no block could be had.
   */
  async next(): Promise<ProducerIdentity> {
    while (this.#nextId === this.#blockEnd) {
      this.#allocation ??= this.#allocate().finally(() => {
        this.#allocation = undefined
      })
      await this.#allocation
    }
    const producerId = this.#nextId
    this.#nextId += 1
    return { producerId, producerEpoch: 0 }
  }

  async #allocate(): Promise<void> {
    this.#checkRoom()
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const [entry] = await this.#store.read(PRODUCER_IDS_KEY)
      const start = entry === undefined ? 0 : parseCounter(entry.value)
      if (start === undefined || start + PRODUCER_ID_BLOCK > Number.MAX_SAFE_INTEGER) {
        throw new SpoolError('KAFKA_STORAGE_ERROR', 'the metadata of producer ids cannot be read')
      }
      const end = start + PRODUCER_ID_BLOCK
      if (!(await this.#claim(end, entry?.version ?? 'absent'))) continue
      this.#nextId = start
      this.#blockEnd = end
      return
    }
    throw new SpoolError('BROKER_BUSY', 'other brokers take producer ids faster than this one', {
      retryAfterS: 1,
    })
  }

  async #claim(end: number, expect: number | 'absent'): Promise<boolean> {
    try {
      await this.#store.transact([{ key: PRODUCER_IDS_KEY, value: String(end), expect }])
      return true
    } catch (error) {
      if (error instanceof VersionConflict) return false
      throw error
    }
  }
}
