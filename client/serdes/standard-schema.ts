/**
 * Validating by somebody else's schema: the Standard Schema interface (standardschema.dev, version 1),
 * which zod, valibot, arktype and others fill, written down by its structure so that we depend on none of
 * them.
 */

import { SpoolError } from '../api/errors.ts'

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Issues named in an error; one wrong array could have thousands. */
const ISSUES_NAMED_MAX = 10

/**
 * What the schema makes of `value`.
 *
 * @throws SpoolError SERIALIZATION_FAILED with the issues in the detail and in `extensions.issues`; also
 * when the schema answers with a promise: serdes are synchronous.
 */
export function validated<Output>(schema: StandardSchema<unknown, Output>, value: unknown): Output {
  const result = schema['~standard'].validate(value)
  if (isPromise(result)) {
    // Nobody waits for it: what it comes to is not to end the process.
    result.catch(() => {})
    throw new SpoolError(
      'SERIALIZATION_FAILED',
      `the schema (of ${schema['~standard'].vendor}) validates asynchronously: give one that answers at once`,
      { outcome: 'refused' },
    )
  }
  if (result.issues === undefined) return result.value
  const issues = result.issues.slice(0, ISSUES_NAMED_MAX).map(({ message, path = [] }) => ({
    message,
    path: path.map((step) => String(typeof step === 'object' ? step.key : step)),
  }))
  const more = result.issues.length - issues.length
  throw new SpoolError(
    'SERIALIZATION_FAILED',
    issues.map(issueText).join('; ') + (more > 0 ? `; and ${more} more` : ''),
    { outcome: 'refused', extensions: { issues } },
  )
}

function isPromise<T>(result: T | Promise<T>): result is Promise<T> {
  return typeof (result as Promise<T>).then === 'function'
}

function issueText({ message, path }: { message: string; path: readonly string[] }): string {
  return path.length === 0 ? message : `${path.join('.')}: ${message}`
}
