/**
 * What a piece of work allocates on JavaScript's heap, by V8's sampling heap profiler: with a sampling
 * interval of one byte it sees every allocation, also of what the garbage collector has taken meanwhile.
 * Optimized code reserves room for several objects at once, which would count as one: processes that
 * count run with `COUNTING_FLAGS`. Slow, so never in a process whose speed is measured. Memory outside
 * the heap (the bytes of Buffers) is not counted.
 */

import { Session } from 'node:inspector/promises'
import type { AllocationAnswer } from './client-task.ts'

/** For the command line of a process that counts. */
export const COUNTING_FLAGS = ['--no-turbo-allocation-folding', '--maglev-allocation-folding=0']

/** One object, as it was allocated; Node's types leave it out. */
interface Sample {
  readonly size: number
}

/** Runs `work`, which resolves to a number of records; what was allocated until then, divided by them. */
export async function allocationsOf(work: () => Promise<number>): Promise<AllocationAnswer> {
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 1,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  const records = await work()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  session.disconnect()
  const { samples } = profile as unknown as { samples: readonly Sample[] }
  const bytes = samples.reduce((sum, { size }) => sum + size, 0)
  return { bytesPerRecord: bytes / records, objectsPerRecord: samples.length / records }
}
