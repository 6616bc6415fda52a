/**
 * Two numbers that must never be mixed up: an `Offset` counts records in a partition, a `Position`
 * counts bytes in a file. Both are branded so that the compiler keeps them apart, and both pass one
 * guard where they enter the program. Nothing here knows about batches or files.
 */

declare const offsetBrand: unique symbol
declare const positionBrand: unique symbol

/** A logical record number in one partition: an integer in [0, 2^53 - 1]. */
export type Offset = number & { readonly [offsetBrand]: true }

/** A byte position in one file: an integer in [0, 2^53 - 1]. */
export type Position = number & { readonly [positionBrand]: true }

/** The largest offset we can count to exactly: JSON numbers and doubles stop there. */
export const OFFSET_MAX = Number.MAX_SAFE_INTEGER as Offset

/** Brands a number as an offset. Throws `RangeError` when it is not an integer in [0, 2^53 - 1]. */
export function toOffset(value: number): Offset {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`offset ${value} is not an integer between 0 and ${OFFSET_MAX}`)
  }
  return value as Offset
}

/** Brands a number as a byte position. Throws `RangeError` when it is not an integer in [0, 2^53 - 1]. */
export function toPosition(value: number): Position {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`position ${value} is not an integer between 0 and ${OFFSET_MAX}`)
  }
  return value as Position
}
