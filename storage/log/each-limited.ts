/** Runs an asynchronous action for many items, a bounded number of them at once. */

/** Resolves when all are done; rejects with the first error, after those under way have ended. */
export async function eachLimited<T>(
  items: readonly T[],
  atOnceMax: number,
  action: (item: T) => Promise<unknown>,
): Promise<void> {
  const remaining = items.values()
  let failure: { error: unknown } | undefined
  const worker = async () => {
    for (const item of remaining) {
      if (failure !== undefined) return
      try {
        await action(item)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, worker))
  if (failure !== undefined) throw failure.error
}
