/** What a trial of our own client measures: speed, processor time and allocations a record. */

import { runClient } from './child.ts'
import { COUNTING_FLAGS } from './clients/allocations.ts'
import type { AllocationAnswer, ClientAnswer } from './clients/client-task.ts'
import type { Measure } from './scenario.ts'

/** Runs `script` with `task` twice: once for its time, once, slowly, for its allocations. */
export async function costsOf(script: string, task: object): Promise<readonly Measure[]> {
  const answer = await runClient<ClientAnswer>(script, task)
  const { seconds, records, payloadBytes, clientCpuSeconds, brokerCpuSeconds } = answer
  const allocations = await runClient<AllocationAnswer>(script, task, {
    nodeFlags: COUNTING_FLAGS,
    words: ['allocations'],
  })
  return [
    { name: 'records', value: records / seconds, unit: '1/s' },
    { name: 'payload', value: payloadBytes / 1e6 / seconds, unit: 'MB/s' },
    { name: 'client, a record', value: (clientCpuSeconds / records) * 1e6, unit: 'µs' },
    { name: 'broker, a record', value: (brokerCpuSeconds / records) * 1e6, unit: 'µs' },
    { name: 'allocated, a record', value: allocations.bytesPerRecord, unit: 'B' },
    { name: 'objects, a record', value: allocations.objectsPerRecord, unit: '' },
  ]
}
