/**
 * What a client hears of its upload: one document after the end of the body, or, for who accepts NDJSON,
 * progress lines from the start and the document as the last line. Progress is at most a line a second,
 * and dropped for a client that does not read: nothing is queued for it.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { ERRORS, SpoolError, toProblem } from '../../../client/api/errors.ts'
import { JSON_TYPE, NDJSON_TYPE, PROBLEM_TYPE } from '../../../client/api/media-types.ts'
import type { Clock, Timer } from '../../../storage/clock.ts'
import { renderJson } from '../error-reply.ts'
import { lingerAfterReply } from '../limits/lingering-close.ts'
import type { ProducePlan } from './produce-plan.ts'
import type { Upload, UploadEnd, UploadState } from './upload.ts'

const PROGRESS_MS = 1_000

/** The document after an upload, and the status that goes with it. */
export interface UploadDocument {
  readonly status: number
  readonly contentType: string
  readonly document: object
}

export function uploadDocument(
  plan: ProducePlan,
  end: UploadEnd,
  state: UploadState,
): UploadDocument {
  const { durability, partitions, ...counts } = state
  const fates = {
    topic: plan.topic.name,
    ...counts,
    ...(plan.acks === 0 ? {} : { partitions, ...(durability === undefined ? {} : { durability }) }),
  }
  if (end.kind === 'failed') {
    const { error } = end
    const outcome = state.appended > 0 ? 'partial' : (error.outcome ?? 'unknown')
    const { code, detail, extensions } = error
    const problem = new SpoolError(code, detail, {
      outcome,
      extensions: { ...extensions, ...fates },
    })
    return { status: error.httpStatus, contentType: PROBLEM_TYPE, document: toProblem(problem) }
  }
  const first = state.errors[0]
  const whenFine = plan.acks === 0 ? 202 : 200
  return {
    status: first === undefined ? whenFine : ERRORS[first.code].httpStatus,
    contentType: JSON_TYPE,
    document: fates,
  }
}

/** Sends the document as the whole answer. */
export function sendUploadDocument(
  answer: UploadDocument,
  end: UploadEnd,
  isPretty: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  closeUnlessRead(end, request, reply)
  const retryAfterS = end.kind === 'failed' ? end.error.retryAfterS : undefined
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS))
  reply.code(answer.status).header('content-type', answer.contentType)
  // As bytes: to a text Fastify would add a charset, which JSON types do not have.
  return reply.send(Buffer.from(renderJson(answer.document, isPretty)))
}

/** The rest of a body that is not read must not be taken for the next request. */
function closeUnlessRead(end: UploadEnd, request: FastifyRequest, reply: FastifyReply): void {
  if (end.kind === 'ended' || request.raw.complete) return
  reply.header('connection', 'close')
  lingerAfterReply(request.raw, reply.raw)
}

/** An answer that begins at once and tells progress. */
export class ProgressReply {
  readonly #request: FastifyRequest
  readonly #reply: FastifyReply
  readonly #upload: Upload
  readonly #clock: Clock
  #timer: Timer | undefined

  constructor(request: FastifyRequest, reply: FastifyReply, upload: Upload, clock: Clock) {
    this.#request = request
    this.#reply = reply
    this.#upload = upload
    this.#clock = clock
    reply.hijack()
    const response = reply.raw
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) response.setHeader(name, value)
    }
    response.writeHead(200, { 'content-type': NDJSON_TYPE })
    response.flushHeaders()
    // A client that is gone is noticed by the body's reader.
    response.on('error', () => {})
    this.#arm()
  }

  /** Writes the document as the last line and ends the answer. */
  end(answer: UploadDocument, end: UploadEnd): void {
    this.#timer?.cancel()
    if (end.kind !== 'ended' && !this.#request.raw.complete) {
      lingerAfterReply(this.#request.raw, this.#reply.raw)
    }
    this.#reply.raw.end(renderJson(answer.document, false))
  }

  #arm(): void {
    this.#timer = this.#clock.after(PROGRESS_MS, () => {
      this.#write()
      this.#arm()
    })
  }

  #write(): void {
    const response = this.#reply.raw
    if (response.writableNeedDrain || response.destroyed) return
    const { resumeAtLine, appended, refused } = this.#upload.state()
    response.write(renderJson({ line: resumeAtLine - 1, appended, refused }, false))
  }
}
