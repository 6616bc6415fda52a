/**
 * 64-bit integers in a Buffer, as JavaScript numbers. Kafka's offsets, timestamps and
 * producer ids are 64 bits wide, doubles count exactly to 2^53 only: a value beyond that comes back
 * rounded and fails `Number.isSafeInteger`, which is how callers refuse it. No BigInt: these are read
 * for every batch.
 */

const TWO_TO_32 = 0x1_0000_0000

/** Reads 8 bytes at `at`, which must be inside the buffer. Exact for |value| < 2^53, rounded beyond. */
export function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * TWO_TO_32 + buffer.readUInt32BE(at + 4)
}

/** Writes `value`, a safe integer, as 8 bytes at `at`. */
export function writeInt64(buffer: Buffer, value: number, at: number): void {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is not an integer of at most 2^53 - 1 in size`)
  }
  buffer.writeInt32BE(Math.floor(value / TWO_TO_32), at)
  // `>>>` takes the value modulo 2^32, also for a negative one.
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

/** Reads 8 little-endian bytes as an unsigned number. Exact below 2^53, rounded beyond. */
export function readUnsigned64LittleEndian(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * TWO_TO_32 + buffer.readUInt32LE(at)
}
