/** The exit codes of `spool`, one table for the code, for every `--help` and for `docs/cli.md`. */

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  locked: 3,
  address: 4,
  stoppedUnclean: 5,
  unreachable: 6,
  notFound: 7,
  notAllowed: 8,
  nullValue: 9,
  someRefused: 10,
  interrupted: 130,
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
  unreachable: 'no broker answered, or none in time: the same command may work later',
  notFound: 'there is no such topic, partition, record or group',
  notAllowed: 'the broker wants a token, or refuses this one',
  nullValue: 'cat: the record is there and its value is null',
  someRefused: 'produce --skip-errors: done, but for lines that could not be taken',
  interrupted: 'ended by Ctrl-C, after saying how far it got',
}

/** Codes that only `spool serve` ends with; it knows none of those that come from asking a broker. */
const OF_SERVE = new Set<string>(['done', 'failed', 'usage', 'locked', 'address', 'stoppedUnclean'])
const OF_SERVE_ALONE = new Set<string>(['locked', 'address', 'stoppedUnclean'])

/** `[code, meaning]` rows of `spool serve`, or of every other verb. */
export function exitCodeRows(of: 'serve' | 'others'): (readonly [ExitCode, string])[] {
  return Object.entries(exitCodes)
    .filter(([name]) => (of === 'serve' ? OF_SERVE.has(name) : !OF_SERVE_ALONE.has(name)))
    .map(([name, code]) => [code, EXIT_CODE_MEANINGS[name as keyof typeof exitCodes]])
}
