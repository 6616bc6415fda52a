/**
 * The two things a decoder says about bytes it will not decode, worded in one place so that every codec
 * says them alike.
 */

import { StorageError } from '../errors.ts'

/** The bytes are not what they claim to be. */
export function corrupt(problem: string, cause?: unknown): StorageError {
  return new StorageError('CORRUPT_MESSAGE', problem, cause === undefined ? {} : { cause })
}

/** The bytes are, or claim to become, more than the caller is ready to hold. */
export function tooLarge(codec: string, maxBytes: number): StorageError {
  return new StorageError(
    'MESSAGE_TOO_LARGE',
    `${codec}: the records take more than ${maxBytes} bytes when decompressed`,
    { values: { maxDecompressedBytes: maxBytes } },
  )
}
