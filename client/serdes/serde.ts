/**
 * How keys and values become bytes and come back: the one small interface, which ours and a user's own
 * serdes fill. Types only.
 */

/**
 * Turns values of one kind into bytes and bytes into values, synchronously. `In` is what is sent, `Out`
 * what is read: they differ where a schema transforms.
 *
 * A null key or value never reaches a serde: null is "no key" and a tombstone, both ways. What a serde
 * throws becomes SERIALIZATION_FAILED, with the error as `cause`.
 */
export interface Serde<In, Out = In> {
  /** `null` stores a tombstone (or no key). The bytes are copied before the caller goes on. */
  serialize(value: In): Uint8Array | null
  /**
   * The text whose UTF-8 `serialize` would give, for serdes that make text first: it is then written
   * where it belongs at once. `undefined`: this value has none.
   */
  serializeText?(value: In): string | undefined
  /** `bytes` is a view into memory that others use: copy what is to be kept or changed. */
  deserialize(bytes: Uint8Array): Out
  /** The same for `bytes.subarray(start, end)`, for serdes that need no view of it. */
  deserializeRange?(bytes: Uint8Array, start: number, end: number): Out
}

/** What a reader needs of a serde, whatever it sends. */
export type Deserializer<Out> = Pick<Serde<never, Out>, 'deserialize' | 'deserializeRange'>

/** What a producer needs of a serde, whatever it reads. */
export type Serializer<In> = Pick<Serde<In, unknown>, 'serialize' | 'serializeText'>
