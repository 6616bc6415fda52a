/**
 * kcat's options and what they are here: for the page in `docs/`, and for the sentence that answers a
 * letter we do not have. Those without `where` mean the same to `spool consume` or `spool produce`.
 */

export interface KcatLetter {
  readonly letter: string
  /** What it does in kcat. */
  readonly means: string
  /** What to type here. */
  readonly here: string
  /** False: the letter itself is refused, and `here` is said. */
  readonly isTaken: boolean
}

function same(letter: string, means: string, here = `\`${letter}\``): KcatLetter {
  return { letter, means, here, isTaken: true }
}

function other(letter: string, means: string, here: string): KcatLetter {
  return { letter, means, here, isTaken: false }
}

export const KCAT_LETTERS: readonly KcatLetter[] = [
  same('-b', 'which broker', '`-b`; one, of any cluster member; `SPOOL_URL` in the environment'),
  other('-C', 'consume', '`spool consume TOPIC`'),
  other('-P', 'produce', '`spool produce TOPIC`'),
  other('-L', 'list topics and brokers', '`spool topics list`, `spool topics describe TOPIC`'),
  other('-Q', 'ask for offsets', '`spool offsets TOPIC --at POSITION`'),
  same('-t', 'topic', 'the first argument, or `-t`'),
  same('-G', 'read as a member of a group', '`spool consume -G GROUP TOPIC…`'),
  same('-p', 'partition', '`-p 3`; `consume` also takes `-p 0,3` and `-p 0-3`'),
  same(
    '-o',
    'where to begin, or `e@MS`: to end',
    '`-o` with the words of kcat and of the API, above',
  ),
  same('-c', 'so many records'),
  same('-e', 'stop at the end'),
  same('-f', 'format: `%s %S %R %k %K %T %t %p %o %h`'),
  same('-D', 'what ends a record'),
  same('-K', 'print or split keys, and what stands between key and value'),
  same('-Z', 'consume: print NULL; produce: an empty value is null'),
  same('-q', 'no remarks'),
  other('-J', 'JSON', '`--json`; the shape is that of the HTTP interface'),
  same('-k', 'produce: the key of every record'),
  same('-H', 'produce: a header, `name=value`'),
  same('-l', 'produce: from a file'),
  same('-z', 'produce: compression'),
  other('-u', 'unbuffered output', 'not needed, what was read is printed at once'),
  other('-m', 'a time limit', '`--timeout 5s`'),
  other('-X', 'a setting of librdkafka', 'the options of the verb'),
  other('-F', 'a file of settings', '`SPOOL_URL`, `SPOOL_TOKEN_FILE` in the environment'),
  other('-s', 'how keys and values are packed', '`--as` with `--json`'),
]

/** What to say to a letter of kcat's that is none of ours; nothing for one that means nothing to kcat either. */
export function kcatAnswer(letter: string): string | undefined {
  const found = KCAT_LETTERS.find((each) => each.letter === letter && !each.isTaken)
  return found === undefined
    ? undefined
    : `there is no option ${letter}; kcat's (${found.means}) is here: ${found.here.replaceAll('`', '')}`
}
