/**
 * `spool __complete -- WORDS…` (as a shell split them) or `spool __complete --line LINE` (up to the cursor):
 * prints the candidates for the last word, one a line, with what each is after a tab. Whatever goes wrong,
 * it is silent: a person is in the middle of typing.
 */

import type { Admin } from '../../client/index.ts'
import { openClient } from '../connection.ts'
import { isSimpleName, isTopicName } from '../option-values.ts'
import { printable } from '../printable.ts'
import { buildProgram } from '../program.ts'
import { globalOptions } from '../verb.ts'
import { candidates } from './candidates.ts'
import { shellWords } from './shell-words.ts'

/** Longer than this nobody waits for a tab key. */
const BROKER_MS_MAX = 1_000
/** More than this is no help. */
const NAMES_MAX = 1_000

export async function answerCompletion(words: readonly string[]): Promise<void> {
  // The first word of a line is our own name.
  const asked = words[0] === '--line' ? shellWords(words[1] ?? '').slice(1) : words.slice(1)
  try {
    const found = await candidates(buildProgram(), asked, {
      topicNames: () => topicNames(asked),
      groupNames: () => groupNames(asked),
    })
    const lines = found.map(({ word, about }) =>
      about === '' ? word : `${word}\t${printable(about)}`,
    )
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
  } catch {
    // No broker, no token, an address that is none: then there is nothing to offer.
  }
}

/** The topics of the broker that the words typed so far, or the environment, name. */
function topicNames(words: readonly string[]): Promise<readonly string[]> {
  return names(words, (admin) => admin.listTopics({ pageSize: NAMES_MAX }), isTopicName)
}

/** Its consumer groups. A name that no shell takes as one plain word is left to be typed. */
function groupNames(words: readonly string[]): Promise<readonly string[]> {
  const idsOf = async function* (admin: Admin) {
    const groups = admin.listGroups({ pageSize: NAMES_MAX })
    for await (const { groupId } of groups) yield { name: groupId }
  }
  return names(words, idsOf, isSimpleName)
}

async function names(
  words: readonly string[],
  list: (admin: Admin) => AsyncIterable<{ readonly name: string }>,
  isOffered: (name: string) => boolean,
): Promise<readonly string[]> {
  const spoken = {
    url: valueAfter(words, ['-b', '--url']),
    tokenFile: valueAfter(words, ['--token-file']),
  }
  const options = { ...globalOptions(spoken), timeoutMs: BROKER_MS_MAX }
  await using client = await openClient(options, { isPatient: false })
  const found: string[] = []
  for await (const { name } of list(client.admin)) {
    if (isOffered(name)) found.push(name)
    if (found.length === NAMES_MAX) break
  }
  return found
}

function valueAfter(words: readonly string[], flags: readonly string[]): string | undefined {
  for (const [at, word] of words.entries()) {
    if (flags.includes(word)) return words[at + 1]
    const long = flags.find((flag) => word.startsWith(`${flag}=`))
    if (long !== undefined) return word.slice(long.length + 1)
  }
  return undefined
}
