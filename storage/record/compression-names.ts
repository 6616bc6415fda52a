/**
 * The five ways a batch's records may be compressed, by name and by code. Apart from the compressing
 * itself, so that the client's types can name them where there is no Node.
 */

/** By Kafka's code: the name's index is what stands in bits 0 to 2 of a batch's attributes. */
export const COMPRESSION_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type CompressionName = (typeof COMPRESSION_NAMES)[number]
