/**
 * How `topics delete` and `groups delete` go: all are looked up before any is deleted, so that a name typed wrong
 * stops the whole; what goes is said, and agreed to; then they are deleted one by one. What is said of a
 * topic or a group, and what is in its way, is the verb's.
 */

import { SpoolError } from '../client/api/errors.ts'
import type { Client, ErrorCode } from '../client/index.ts'
import { confirm } from './confirmation.ts'
import { openClient } from './connection.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import type { VerbCall } from './verb.ts'

export interface DeletionOptions {
  readonly yes?: boolean
  readonly ifExists?: boolean
}

/** What can be deleted by its name. */
export interface Deletable<Thing> {
  readonly noun: 'topic' | 'group'
  /** What the broker says of one that is not there. */
  readonly missingCode: ErrorCode
  /** What goes with it, for the question. */
  readonly withIt: string
  describe(client: Client, name: string): Promise<Thing>
  /** Throws where it can not be deleted: the broker would refuse it too, after some had been. */
  check?(thing: Thing, call: VerbCall<DeletionOptions>): void
  nameOf(thing: Thing): string
  contentOf(thing: Thing): string
  delete(client: Client, name: string): Promise<void>
  /** What is said once it is gone. */
  goneSentence(thing: Thing): string
}

export async function deleteNamed<Thing>(
  call: VerbCall<DeletionOptions>,
  kind: Deletable<Thing>,
): Promise<ExitCode> {
  const { output, options } = call
  await using client = await openClient(call.global, { isPatient: false })
  const things = await findAll(client, call, kind)
  if (things.length > 0 && options.yes !== true) {
    const [first] = things
    const what =
      things.length === 1
        ? `${kind.noun} ${kind.nameOf(first!)}`
        : `these ${things.length} ${kind.noun}s`
    await confirm({
      facts: things.map((thing) => `${kind.nameOf(thing)}: ${kind.contentOf(thing)}`),
      question: `Delete ${what}${kind.withIt}?`,
      refusal: 'nothing was deleted',
      isJson: output.isJson,
    })
  }
  const deleted: string[] = []
  try {
    for (const thing of things) {
      const name = kind.nameOf(thing)
      await kind.delete(client, name)
      deleted.push(name)
      output.done(kind.goneSentence(thing))
    }
  } finally {
    // Also where it failed midway: those are gone.
    if (output.isJson) output.document({ deleted })
  }
  return exitCodes.done
}

async function findAll<Thing>(
  client: Client,
  call: VerbCall<DeletionOptions>,
  kind: Deletable<Thing>,
): Promise<Thing[]> {
  const things: Thing[] = []
  for (const name of new Set(call.words[0] as readonly string[])) {
    try {
      const thing = await kind.describe(client, name)
      kind.check?.(thing, call)
      things.push(thing)
    } catch (error) {
      const isMissing = error instanceof SpoolError && error.code === kind.missingCode
      if (!isMissing || call.options.ifExists !== true) throw error
      call.output.remark(`${name} is not there`)
    }
  }
  return things
}
