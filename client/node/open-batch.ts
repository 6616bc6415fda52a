/**
 * Batches a producer fills: record batches as they will lie on disk. The memory they are built in is used
 * again for later ones; after sealing only the finished bytes are kept.
 */

import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import type { CompressionName } from '../../storage/record/compression-names.ts'
import type { HeaderToAppend } from '../../storage/record/header-to-append.ts'
import {
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  RecordBatch,
} from '../../storage/record/record-batch.ts'
import type { OpenBatch, OpenBatchOptions, ProducerNumbers, SealedBatch } from '../transport.ts'
import { ENVELOPE_ROOM_BYTES } from './produce-frame.ts'
import type { SpareMemory } from './spare-memory.ts'

/** Builders that wait for their next batch, over all compressions. */
const SPARE_BUILDERS_MAX = 16
/** A builder that grew beyond this for one huge record is not kept. */
const SPARE_BYTES_MAX = 4 * 1024 * 1024

/** What is compressed in a fraction of a millisecond is so at once. */
const PREPARED_BYTES_MIN = 64 * 1024

const NO_PRODUCER: ProducerNumbers = {
  producerId: NO_PRODUCER_ID,
  producerEpoch: NO_PRODUCER_EPOCH,
  baseSequence: NO_SEQUENCE,
}

/** Lends builders, so that their memory is touched for the first time once and not per batch. */
export class BuilderPool {
  readonly #memory: SpareMemory
  readonly #spare = new Map<CompressionName, BatchBuilder[]>()
  #count = 0

  /** `memory` is for finished batches. */
  constructor(memory: SpareMemory) {
    this.#memory = memory
  }

  take({ compression, sizeBytes }: OpenBatchOptions): BatchBuilder {
    const spare = this.#spare.get(compression)?.pop()
    if (spare === undefined) {
      const allocate = this.#batchMemory
      return new BatchBuilder({ compression, initialBytes: sizeBytes, allocate })
    }
    this.#count--
    return spare
  }

  giveBack(compression: CompressionName, builder: BatchBuilder): void {
    if (this.#count >= SPARE_BUILDERS_MAX || builder.sizeBytes > SPARE_BYTES_MAX) return
    builder.reset()
    this.#count++
    const spare = this.#spare.get(compression)
    if (spare === undefined) this.#spare.set(compression, [builder])
    else spare.push(builder)
  }

  /** A finished batch that is not needed any more. */
  giveBackBatch(batch: Buffer): void {
    this.#memory.giveBack(batch)
  }

  readonly #batchMemory = (bytes: number): Buffer =>
    this.#memory.take(ENVELOPE_ROOM_BYTES + bytes).subarray(ENVELOPE_ROOM_BYTES)
}

export class NodeOpenBatch implements OpenBatch {
  readonly #pool: BuilderPool
  readonly #compression: CompressionName
  /** Until it is sealed. */
  #builder: BatchBuilder | undefined
  /** Afterwards. */
  #body: Buffer | undefined
  /** Another thread reads the builder's memory. */
  #isPreparing = false
  #recordCount = 0
  #sizeBytes = 0

  constructor(pool: BuilderPool, options: OpenBatchOptions) {
    this.#pool = pool
    this.#compression = options.compression
    this.#builder = pool.take(options)
  }

  get recordCount(): number {
    return this.#builder?.recordCount ?? this.#recordCount
  }

  get sizeBytes(): number {
    return this.#builder?.sizeBytes ?? this.#sizeBytes
  }

  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly HeaderToAppend[],
  ): void {
    if (this.#builder === undefined) throw new Error('the batch is sealed')
    this.#builder.append(timestampMs, key, value, headers)
  }

  appendText(
    timestampMs: number,
    key: Uint8Array | null,
    text: string,
    headers: readonly HeaderToAppend[],
  ): void {
    if (this.#builder === undefined) throw new Error('the batch is sealed')
    this.#builder.appendText(timestampMs, key, text, headers)
  }

  prepare(): Promise<void> | undefined {
    const builder = this.#builder
    const isWorthIt = this.#compression !== 'none' && this.sizeBytes >= PREPARED_BYTES_MIN
    if (builder === undefined || !isWorthIt) return undefined
    const built = builder.buildElsewhere().then((body) => {
      // Who could not wait has sealed it meanwhile.
      if (this.#builder === builder) this.#built(builder, body)
      this.#pool.giveBack(this.#compression, builder)
    })
    this.#isPreparing = true
    return built
  }

  seal(producer: ProducerNumbers | undefined): SealedBatch {
    const body = this.#body ?? this.#build()
    const { producerId, producerEpoch, baseSequence } = producer ?? NO_PRODUCER
    const batch = new RecordBatch(body)
    // Bytes that were sent before were copied on the way: these may change.
    if (producerId !== NO_PRODUCER_ID || batch.producerId !== NO_PRODUCER_ID) {
      batch.setProducer(producerId, producerEpoch, baseSequence)
    }
    return { body, sizeBytes: body.length, recordCount: this.#recordCount, producer }
  }

  release(): void {
    if (this.#body === undefined) return
    this.#pool.giveBackBatch(this.#body)
    this.#body = undefined
  }

  #build(): Buffer {
    const builder = this.#builder
    if (builder === undefined) throw new Error('the batch was released')
    const body = builder.build()
    this.#built(builder, body)
    if (!this.#isPreparing) this.#pool.giveBack(this.#compression, builder)
    return body
  }

  #built(builder: BatchBuilder, body: Buffer): void {
    this.#recordCount = builder.recordCount
    this.#sizeBytes = builder.sizeBytes
    this.#body = body
    this.#builder = undefined
  }
}
