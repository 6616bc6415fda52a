/**
 * The small values that documents, queries and paths are made of. A schema's `x-error` names the error
 * for a value that does not fit, where it is another than INVALID_REQUEST.
 */

import { Type } from '../schema.ts'

const INT32_MAX = 2 ** 31 - 1
const SAFE_MAX = Number.MAX_SAFE_INTEGER

export const TopicName = Type.String({
  pattern: '^(?!\\.{1,2}$)[a-zA-Z0-9._-]+$',
  minLength: 1,
  maxLength: 249,
  description:
    'A topic name: 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-", and neither "." nor "..".',
  'x-error': 'INVALID_TOPIC_EXCEPTION',
})

export const TopicId = Type.String({
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  description: 'A topic id: a UUID in lower case. A topic created again has another one.',
})

export const PartitionNumber = Type.Integer({ minimum: 0, maximum: INT32_MAX })

export const Offset = Type.Integer({
  minimum: 0,
  maximum: SAFE_MAX,
  description: 'A record number in one partition.',
})

export const Timestamp = Type.Integer({
  minimum: -1,
  maximum: SAFE_MAX,
  description: 'Milliseconds since 1970; -1 where there is none.',
})

export const Bytes = Type.Integer({ minimum: 0, maximum: SAFE_MAX })

export const Position = Type.String({
  minLength: 1,
  maxLength: 64,
  description:
    'earliest, latest, an offset (1500), the last N (-10), a time (@1735689600000 or 2025-01-01T00:00:00Z, with a zone) or a duration ago (-PT1H).',
})

export const Durability = Type.Union(
  [
    Type.Literal('written'),
    Type.Literal('flushed'),
    Type.Literal('replicated'),
    Type.Literal('replicated-flushed'),
  ],
  { description: 'What an acknowledgement means: how safe the records are.' },
)

export const ErrorName = Type.String({ description: "An error's name: see the problem documents." })

export const BrokerId = Type.Integer({ minimum: -1, maximum: INT32_MAX })

export const Epoch = Type.Integer({ minimum: -1, maximum: INT32_MAX })

export const ProducerId = Type.Integer({ minimum: 0, maximum: SAFE_MAX })

export const ProducerEpoch = Type.Integer({ minimum: 0, maximum: 32_767 })
