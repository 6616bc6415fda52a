/** Runs something when the program has done what it is at, and input and output had their turn. */

const channel = typeof setImmediate === 'function' ? undefined : new MessageChannel()
const waiting: (() => void)[] = []

channel?.port1.addEventListener('message', () => waiting.shift()?.())
channel?.port1.start()

/** `run` must not throw. A browser's `setTimeout` would wait 4 ms once it is used often. */
export function atEndOfTick(run: () => void): void {
  if (channel === undefined) {
    setImmediate(run)
    return
  }
  waiting.push(run)
  channel.port2.postMessage(undefined)
}
