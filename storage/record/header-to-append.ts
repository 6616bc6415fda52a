/** One header of a record on its way into a batch. */
export interface HeaderToAppend {
  /** UTF-8 bytes; Kafka's clients show it as text. */
  readonly name: Uint8Array
  readonly value: Uint8Array | null
}
