/** The bodies of `POST /v1/produce`, both ways: what is sent, and the checked reading of what came back. */

import { frameEnvelope, readFrame } from '../api/batch-frame.ts'
import { isErrorCode, SpoolError } from '../api/errors.ts'
import type { ProduceResults } from '../api/schemas/envelopes.ts'
import type { BatchFate, Durability, ProduceCall } from '../transport.ts'

/**
 * Free bytes in front of every sealed batch, for the envelope of a request that is about it alone: with
 * the longest name of a topic some 400.
 */
export const ENVELOPE_ROOM_BYTES = 512

/**
 * Envelope and batches in one buffer: undici pipelines nothing else. Of one batch it is the batch's own
 * memory, with the envelope in front; several are copied into memory of `take`.
 */
export function produceBody(
  { acks, timeoutMs, batches }: ProduceCall,
  take: (bytes: number) => Buffer,
): Buffer {
  const head = frameEnvelope({
    acks,
    timeoutMs,
    batches: batches.map(({ topic, topicId, partition, batch }) => ({
      topic,
      topicId,
      partition,
      bytes: batch.sizeBytes,
    })),
  })
  // Sealed by this transport: bytes, never text.
  const bodies = batches.map(({ batch }) => batch.body as Buffer)
  const [only] = bodies
  if (bodies.length === 1 && head.length <= ENVELOPE_ROOM_BYTES) return behind(head, only!)
  const size = bodies.reduce((sum, { length }) => sum + length, head.length)
  const all = take(size)
  let at = head.copy(all)
  for (const body of bodies) at += body.copy(all, at)
  return all
}

function behind(head: Buffer, body: Buffer): Buffer {
  const start = body.byteOffset - head.length
  const whole = Buffer.from(body.buffer, start, head.length + body.length)
  head.copy(whole)
  return whole
}

/** What became of each batch when nobody was asked to say (`acks: 0`). */
export function unconfirmedFates({ batches }: ProduceCall): BatchFate[] {
  return batches.map(() => ({
    baseOffset: -1,
    lastOffset: -1,
    timestamp: -1,
    durability: 'written',
    duplicate: false,
  }))
}

/**
 * The fate of each batch of the call.
 *
 * @throws SpoolError UNKNOWN_SERVER_ERROR, outcome unknown, for an answer that is not to this call.
 */
export function produceFates(body: Buffer, call: ProduceCall): BatchFate[] {
  const results = resultsOf(body)
  if (results.length !== call.batches.length) {
    throw strange(`it has ${results.length} results for ${call.batches.length} batches`)
  }
  return results.map((result, index) => {
    const sent = call.batches[index]!
    if (result?.topic !== sent.topic || result.partition !== sent.partition) {
      throw strange(`result ${index} is not of ${sent.topic}, partition ${sent.partition}`)
    }
    return fateOf(result, sent.batch.recordCount)
  })
}

type Result = ProduceResults['results'][number]

function resultsOf(body: Buffer): readonly (Result | undefined)[] {
  let envelope: unknown
  try {
    envelope = readFrame(body).envelope
  } catch (cause) {
    throw strange((cause as Error).message, cause)
  }
  const { results } = (envelope ?? {}) as Partial<ProduceResults>
  if (!Array.isArray(results)) throw strange('it has no results')
  return results
}

function fateOf(result: Result, recordCount: number): BatchFate {
  const { error, baseOffset, lastOffset, logAppendTime = -1, durability, duplicate } = result
  if (error !== undefined) {
    if (typeof error !== 'object' || error === null) throw strange('its error is none')
    const { code, detail, outcome } = error
    return {
      error: new SpoolError(
        isErrorCode(code) ? code : 'UNKNOWN_SERVER_ERROR',
        String(detail ?? code),
        outcome === 'refused' || outcome === 'unknown' ? { outcome } : { outcome: 'unknown' },
      ),
    }
  }
  const isWhole =
    Number.isSafeInteger(baseOffset) &&
    baseOffset! >= 0 &&
    Number.isSafeInteger(lastOffset) &&
    // A repeat is answered with the original's offsets, and that is the same batch.
    lastOffset! - baseOffset! === recordCount - 1 &&
    Number.isSafeInteger(logAppendTime) &&
    DURABILITIES.has(durability)
  if (!isWhole) throw strange(`its offsets are ${baseOffset} to ${lastOffset}`)
  return {
    baseOffset: baseOffset!,
    lastOffset: lastOffset!,
    timestamp: logAppendTime,
    durability: durability!,
    duplicate: duplicate === true,
  }
}

const DURABILITIES = new Set<Durability | undefined>([
  'written',
  'flushed',
  'replicated',
  'replicated-flushed',
])

function strange(why: string, cause?: unknown): SpoolError {
  return new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    `the answer is not one a broker gives to a produce request: ${why}`,
    { outcome: 'unknown', cause },
  )
}
