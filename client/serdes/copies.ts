/**
 * Copies of bytes, for what is read and may be kept. Works on what every platform has; the Node door puts
 * a faster way of its own in its place.
 */

export type CopyBytes = (bytes: Uint8Array, start: number, end: number) => Uint8Array

// Not `slice`: a Buffer's is another view.
let copyBytes: CopyBytes = (bytes, start, end) => new Uint8Array(bytes.subarray(start, end))

/** Another way of doing the same, from now on. */
export function useCopyBytes(other: CopyBytes): void {
  copyBytes = other
}

/** Memory that nobody else changes: of its own or, in Node and of a small one, beside others of its kind. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return copyBytes(bytes, start, end)
}
