/** What an answer of the broker, or none, means for a batch in its line. Pure. */

import { SpoolError } from '../api/errors.ts'
import { isWorthRetrying } from '../retry.ts'
import type { BatchFate } from '../transport.ts'
import type { LineAnswer } from './partition-line.ts'

const APPENDED: LineAnswer = { kind: 'appended' }

/** Of the one batch, out of an answer to the whole request. */
export function answerOfFate(fate: BatchFate): LineAnswer {
  return fate.error === undefined ? APPENDED : answerOfError(fate.error, isSilence(fate.error))
}

/** Of every batch of a request that failed. */
export function answerOfFailure(error: SpoolError): LineAnswer {
  return answerOfError(error, error.outcome !== 'refused')
}

function answerOfError(error: SpoolError, isLost: boolean): LineAnswer {
  switch (error.code) {
    case 'OUT_OF_ORDER_SEQUENCE_NUMBER':
      return { kind: 'gap', error }
    case 'INVALID_PRODUCER_EPOCH':
    case 'PRODUCER_FENCED':
    case 'UNKNOWN_PRODUCER_ID':
    case 'INVALID_PRODUCER_ID_MAPPING':
      return { kind: 'fenced', error }
    default:
      return { kind: isWorthRetrying(error) ? 'retriable' : 'failed', error, isLost }
  }
}

/** True where the broker itself may not have said it: over `fetch` each batch is a request of its own. */
function isSilence({ code, outcome }: SpoolError): boolean {
  if (outcome === 'refused') return false
  return code === 'NETWORK_EXCEPTION' || code === 'REQUEST_TIMED_OUT'
}

/** Whatever was thrown, as an error that says an outcome. */
export function asSpoolError(thrown: unknown): SpoolError {
  if (thrown instanceof SpoolError) return thrown
  return new SpoolError('UNKNOWN_SERVER_ERROR', `the client failed: ${String(thrown)}`, {
    outcome: 'unknown',
    cause: thrown,
  })
}

/** These say that what is known of the topic is no longer so. */
export function isAboutTopic({ code }: SpoolError): boolean {
  return (
    code === 'UNKNOWN_TOPIC_OR_PARTITION' ||
    code === 'UNKNOWN_TOPIC_ID' ||
    code === 'INCONSISTENT_TOPIC_ID' ||
    code === 'MESSAGE_TOO_LARGE'
  )
}
