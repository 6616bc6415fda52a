/** A topic's id as the 16 bytes that files hold: a UUID, in text 36 characters, lower case. */

import assert from 'node:assert'
import { isTopicId } from './names.ts'

export const TOPIC_ID_BYTES = 16

export function topicIdToBytes(topicId: string): Buffer {
  assert(isTopicId(topicId), 'a topic id is a UUID of 36 lower case characters')
  return Buffer.from(topicId.replaceAll('-', ''), 'hex')
}

export function topicIdFromBytes(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
