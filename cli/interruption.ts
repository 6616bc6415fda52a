/**
 * Ctrl-C, as good tools take it: the first signal asks the verb to stop, say how far it got and flush; a
 * second one ends the process at once. When the verb has said its words the process ends by that very
 * signal, not by an exit code of its own: a shell then shows 130, and a loop around the command ends too.
 */

import { once } from 'node:events'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A terminal that is gone, or a pipe nobody reads, does not keep us. */
const FLUSH_MS_MAX = 2_000

let came: NodeJS.Signals | undefined
let controller: AbortController | undefined

/** Aborted at the first SIGINT, SIGTERM or SIGHUP. Verbs that stop at once anyway never ask for it. */
export function interruption(): AbortSignal {
  if (controller !== undefined) return controller.signal
  controller = new AbortController()
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return controller.signal
}

function onSignal(signal: NodeJS.Signals): void {
  if (came !== undefined) endBy(signal)
  came = signal
  controller?.abort(new DOMException(`ended by ${signal}`, 'AbortError'))
}

/** True after a signal came. */
export function isInterrupted(): boolean {
  return came !== undefined
}

/** Ends the process as the signal would have; what was written is flushed first. Does not return. */
export async function endAsInterrupted(): Promise<never> {
  if (process.stdout.writableLength > 0) {
    await Promise.race([
      once(process.stdout, 'drain').catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, FLUSH_MS_MAX)),
    ])
  }
  endBy(came ?? 'SIGINT')
  return new Promise(() => {})
}

function endBy(signal: NodeJS.Signals): void {
  for (const name of SIGNALS) process.removeListener(name, onSignal)
  process.kill(process.pid, signal)
}
