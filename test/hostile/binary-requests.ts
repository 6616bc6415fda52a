/** Requests of the binary routes as bytes: length, envelope, batches, whatever the envelope says. */

import { Packr } from 'msgpackr'
import { request, type Sent } from './hostile-case.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true })
const HEADERS = { 'content-type': 'application/vnd.spool.batches' }

export function frame(envelope: unknown, ...batches: readonly Buffer[]): Buffer {
  return frameOf(packr.pack(envelope), ...batches)
}

/** A frame whose envelope is bytes, MessagePack or not. */
export function frameOf(envelope: Buffer, ...batches: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(envelope.length)
  return Buffer.concat([length, envelope, ...batches])
}

export interface Place {
  readonly topic?: string
  readonly partition?: unknown
  readonly topicId?: unknown
  readonly bytes?: unknown
}

export function produceBody(batch: Buffer, place: Place = {}, more: object = {}): Buffer {
  const batches = [{ topic: 'untouched', partition: 0, bytes: batch.length, ...place }]
  return frame({ acks: 'all', timeoutMs: 10_000, batches, ...more }, batch)
}

export function produce(batch: Buffer, place: Place = {}, more: object = {}): Sent {
  return request('POST /v1/produce', { headers: HEADERS, body: produceBody(batch, place, more) })
}

export function produceRaw(body: Buffer): Sent {
  return request('POST /v1/produce', { headers: HEADERS, body })
}

export function fetchBody(partitions: readonly object[], more: object = {}): Buffer {
  return frame({
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    partitions: partitions.map((each) => ({
      topic: 'trimmed',
      partition: 0,
      offset: 4,
      maxBytes: 1 << 20,
      ...each,
    })),
    ...more,
  })
}

export function fetchOf(partition: object = {}, more: object = {}): Sent {
  return fetchMany([partition], more)
}

export function fetchMany(partitions: readonly object[], more: object = {}): Sent {
  const body = fetchBody(partitions, more)
  return request('POST /v1/fetch', { headers: HEADERS, body })
}

export function fetchRaw(body: Buffer): Sent {
  return request('POST /v1/fetch', { headers: HEADERS, body })
}
