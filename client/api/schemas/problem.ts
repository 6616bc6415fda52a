/** The problem document, as OpenAPI shows it. It is written by `errors.ts`. */

import { ERRORS } from '../errors.ts'
import { Type } from '../schema.ts'

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'urn:spool:problem: and the code.' }),
    title: Type.String({ description: 'The same for every problem of this code.' }),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    code: Type.Union(
      Object.keys(ERRORS).map((name) => Type.Literal(name)),
      { description: "The error's name: Kafka's, where Kafka has one." },
    ),
    detail: Type.String({ description: 'The values that matter, and what to do.' }),
    retriable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
    outcome: Type.Optional(
      Type.Union([Type.Literal('refused'), Type.Literal('unknown'), Type.Literal('partial')], {
        description:
          'For writes. refused: not in the log and never will be; unknown: may or may not be; partial: see offsets.',
      }),
    ),
  },
  { additionalProperties: true, description: 'A problem document (RFC 9457).' },
)
