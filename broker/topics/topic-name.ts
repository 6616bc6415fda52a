/**
 * Which topics clients may name and change: the engine's rule for names (Kafka's, which also makes every
 * name safe as the beginning of a directory name) as errors of the API, and the names that are the
 * broker's own. It does not know which topics exist.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { topicNameProblem } from '../../storage/file/names.ts'

/** Names beginning so are the broker's own (`__consumer_offsets`). */
export const INTERNAL_PREFIX = '__'

/**
 * Passes a name that may name a topic.
 *
 * @throws SpoolError INVALID_TOPIC_EXCEPTION; the detail does not repeat a name with strange characters.
 */
export function checkTopicName(name: string): void {
  const problem = topicNameProblem(name)
  if (problem === undefined) return
  throw new SpoolError('INVALID_TOPIC_EXCEPTION', problem)
}

/** True for the broker's own topics, which clients neither create, change, delete nor write to. */
export function isInternalTopic(name: string): boolean {
  return name.startsWith(INTERNAL_PREFIX)
}

/** @throws SpoolError INVALID_TOPIC_EXCEPTION for a name that is the broker's own. */
export function refuseInternalTopic(name: string): void {
  if (!isInternalTopic(name)) return
  throw new SpoolError(
    'INVALID_TOPIC_EXCEPTION',
    `topic ${name} is not for clients to write or change: names beginning with "${INTERNAL_PREFIX}" are the broker's own`,
  )
}

/** The 404 of a topic; the detail says how to make it. A name that cannot be one is not repeated. */
export function unknownTopic(name: string): SpoolError {
  const detail =
    topicNameProblem(name) === undefined
      ? `there is no topic ${name}; PUT /v1/topics/${name} creates it: curl -X PUT --json '{}' <this broker>/v1/topics/${name}`
      : 'there is no topic of that name, and there cannot be one'
  return new SpoolError('UNKNOWN_TOPIC_OR_PARTITION', detail)
}
