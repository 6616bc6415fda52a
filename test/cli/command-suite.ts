/**
 * What suites of commands stand on: a broker of their own, a client of it, and ways to run `spool` against it,
 * as a process, in a shell or on a terminal.
 */

import { BrokerSuite, serveSuite } from '../rigs/broker-suite.ts'
import {
  type Ended,
  inShell,
  onTerminal,
  SpoolCommand,
  spool,
  spoolLine,
} from '../rigs/spool-command.ts'

const MINUTE_MS = 60_000

export class CommandSuite extends BrokerSuite {
  readonly #first: readonly string[]

  private constructor(first: readonly string[]) {
    super()
    this.#first = first
  }

  /** Registers the hooks of the suite that calls it. Every command begins with the words of `first`. */
  static serve(...first: string[]): CommandSuite {
    return serveSuite(new CommandSuite(first))
  }

  /** To its end. */
  run(...words: string[]): Promise<Ended> {
    return spool([...this.#first, ...words], { url: this.broker.url })
  }

  /** For somebody who watches. */
  start(...words: string[]): SpoolCommand {
    return new SpoolCommand([...this.#first, ...words], { url: this.broker.url })
  }

  /** On a terminal, for somebody who watches and types. */
  startOnTerminal(words: readonly string[]): SpoolCommand {
    return onTerminal(spoolLine([...this.#first, ...words]), { url: this.broker.url })
  }

  /** On a terminal; ends with its output as plain text. */
  async runOnTerminal(words: readonly string[], typed?: { after: string; text: string }) {
    await using command = this.startOnTerminal(words)
    if (typed !== undefined) {
      await command.until(({ stdout }) => stdout.includes(typed.after))
      command.type(typed.text)
    }
    const { code, stdout } = await command.ended
    return { code, text: stdout.replaceAll('\r\n', '\n') }
  }

  /** A whole line as it was printed, with `spool` in it. */
  inShell(line: string): Promise<Ended> {
    return inShell(line, { url: this.broker.url }).ended
  }
}

/** Resolves once it is so. */
export async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + MINUTE_MS
  while (!(await isSo())) {
    if (Date.now() > until) throw new Error('not in time')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
