/** What a dump consists of: one row for each thing found, whatever shape it is printed in. */

export interface Row {
  readonly kind:
    | 'batch'
    | 'record'
    | 'offset-index'
    | 'time-index'
    | 'producer'
    | 'recovery-point'
    | 'note'
    | 'problem'
    | 'summary'
  /** The file it is about, as given on the command line and below. */
  readonly file: string
  /** The rest, in the order of the columns. */
  readonly values: Readonly<Record<string, unknown>>
}

export function problem(file: string, reason: string, at?: number): Row {
  return { kind: 'problem', file, values: at === undefined ? { reason } : { position: at, reason } }
}

/** Worth saying and nothing wrong: a tail that a running broker is writing, for example. */
export function note(file: string, sentence: string): Row {
  return { kind: 'note', file, values: { sentence } }
}
