/**
 * Records gathered for one `POST /v1/topics/{topic}/records`, as its JSON body. Text goes as a string,
 * which the broker stores as its UTF-8, other bytes as `{"base64": …}`: either way the broker stores the
 * very bytes that were given. Nothing is compressed here: the broker compresses what it stores.
 */

import type { HeaderToAppend } from '../../storage/record/header-to-append.ts'
import { SpoolError } from '../api/errors.ts'
import type { CompressionName, OpenBatch, ProducerNumbers, SealedBatch } from '../transport.ts'
import { encodeBase64, textOf } from './base64.ts'

/** The header of a record batch (`storage/FORMAT.md`). */
const BATCH_OVERHEAD_BYTES = 61
/**
 * What a record counts beside its key, value and headers. The broker counts 32 at most; a batch is one
 * request, which holds 100,000 records at most, and at this size one of 8 MiB (the default of
 * `max.message.bytes`) holds fewer.
 */
const RECORD_OVERHEAD_BYTES = 96
const HEADER_OVERHEAD_BYTES = 10
/** `{"base64":""}` */
const BASE64_OBJECT_BYTES = 13

/** A batch of the web transport: what `produce` needs beside the body. */
export interface JsonBatch extends SealedBatch {
  readonly body: string
  /** As they were given, to tell whether the broker put its own time in their place. */
  readonly timestamps: readonly number[]
}

export class OpenJsonBatch implements OpenBatch {
  #records: string[] = []
  readonly #timestamps: number[] = []
  #sizeBytes = BATCH_OVERHEAD_BYTES
  /** The records joined, once the batch was sealed. */
  #body: string | undefined

  /**
   * Throws SpoolError INVALID_CONFIG for a compression that would have to be ours: what comes as JSON is
   * compressed by the broker, with LZ4 or what the topic's `compression.type` says.
   */
  constructor({ compression }: { readonly compression: CompressionName }) {
    if (compression === 'lz4' || compression === 'none') return
    throw new SpoolError(
      'INVALID_CONFIG',
      `compression ${compression} is for Node: over fetch the broker compresses; set compression.type of the topic`,
      { outcome: 'refused' },
    )
  }

  get recordCount(): number {
    return this.#timestamps.length
  }

  /** At least what the broker counts against `max.message.bytes`, so that it makes one batch of these. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Throws SERIALIZATION_FAILED for a header whose name is no text: JSON can not carry it. */
  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly HeaderToAppend[],
  ): void {
    const named = headers.length === 0 ? '' : `,"headers":[${headers.map(headerJson).join(',')}]`
    const keyed = key === null ? '' : `"key":${bytesJson(key)},`
    this.#records.push(`{${keyed}"value":${bytesJson(value)}${named},"timestamp":${timestampMs}}`)
    this.#timestamps.push(timestampMs)
    this.#sizeBytes += RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
    for (const header of headers) {
      this.#sizeBytes += HEADER_OVERHEAD_BYTES + header.name.length + (header.value?.length ?? 0)
    }
  }

  seal(producer: ProducerNumbers | undefined): JsonBatch {
    this.#body ??= `{"records":[${this.#records.join(',')}]}`
    this.#records = []
    return {
      body: this.#body,
      timestamps: this.#timestamps,
      sizeBytes: this.#sizeBytes,
      recordCount: this.recordCount,
      producer,
    }
  }
}

/** The shortest JSON that the broker stores as these bytes. */
function bytesJson(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = textOf(bytes)
  if (text === undefined) return `{"base64":"${encodeBase64(bytes)}"}`
  const json = JSON.stringify(text)
  // Text of control characters would grow sixfold, and the body with it beyond what the broker takes.
  const jsonBytes = bytes.length + (json.length - text.length)
  const base64Bytes = BASE64_OBJECT_BYTES + Math.ceil(bytes.length / 3) * 4
  return jsonBytes <= base64Bytes ? json : `{"base64":"${encodeBase64(bytes)}"}`
}

function headerJson({ name, value }: HeaderToAppend): string {
  const text = textOf(name)
  if (text === undefined) {
    throw new SpoolError('SERIALIZATION_FAILED', 'the name of a record header is not UTF-8', {
      outcome: 'refused',
    })
  }
  return `[${JSON.stringify(text)},${bytesJson(value)}]`
}
