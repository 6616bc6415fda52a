/** Waiting that may be ended: for as long as the program runs there are many waits and few signals. */

/** What the promise gives, or `undefined` as soon as the signal is aborted. Leaves nothing behind. */
export function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(() => {})
      resolve(undefined)
      return
    }
    const stop = () => resolve(undefined)
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
