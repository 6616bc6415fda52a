/** An empty broker: how soon it is ready, and what it holds in memory beside a bare Node process. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startBroker } from '../broker-under-test.ts'
import { startPeer } from '../child.ts'
import type { Scenario } from '../scenario.ts'

/** After its first moments a process gives back what starting took. */
const SETTLE_MS = 2_000

export const scenario: Scenario = {
  name: 'start',
  sentence: 'an empty data directory, compile cache warm; memory is RssAnon after two idle seconds',
  trials: [
    {
      name: 'bare Node',
      run: async () => {
        const startedAt = performance.now()
        const peer = await startPeer('peers/bare-node.ts')
        const readyMs = performance.now() - startedAt
        await sleep(SETTLE_MS)
        const status = readFileSync(`/proc/${peer.pid}/status`, 'utf8')
        peer.child.kill()
        const memory = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
        return [
          { name: 'ready after', value: readyMs, unit: 'ms' },
          { name: 'memory', value: memory, unit: 'MiB' },
        ]
      },
    },
    {
      name: 'broker',
      run: async ({ directory }) => {
        const first = await startBroker(join(directory, 'warm'))
        await first.stop()
        await using broker = await startBroker(join(directory, 'data'))
        await sleep(SETTLE_MS)
        const memory = broker.memoryMiB()
        const stoppedAt = performance.now()
        await broker.stop()
        return [
          { name: 'ready after', value: broker.readyAfterMs, unit: 'ms' },
          { name: 'memory', value: memory, unit: 'MiB' },
          { name: 'stopped after', value: performance.now() - stoppedAt, unit: 'ms' },
        ]
      },
    },
  ],
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
