/** The exit codes of `spool`, one table for the code and for `spool serve --help`. */

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  locked: 3,
  address: 4,
  stoppedUnclean: 5,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What each code means, for a person. */
export const EXIT_CODE_MEANINGS: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'done; a broker: stopped and marked clean',
  failed: 'an error, or a check that found something wrong',
  usage: 'a wrong argument or setting',
  locked: 'the data directory is in use by another broker',
  address: 'the address can not be listened on',
  stoppedUnclean: 'stopped before everything was flushed (second signal, or out of time)',
}
