/**
 * Gives back at once the memory of a Buffer that a native library made and nobody will look at again. The
 * garbage collector is slow to notice such memory: decoding 64 MiB in blocks of 64 KiB left another 64 MiB
 * behind, and was slower than with this.
 */

/** `buffer` is empty afterwards. One that shares its memory with others is left alone. */
export function release(buffer: Buffer): void {
  const memory = buffer.buffer
  if (memory instanceof ArrayBuffer && memory.byteLength === buffer.length) memory.transfer(0)
}
