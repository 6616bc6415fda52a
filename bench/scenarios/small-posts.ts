/**
 * One record a request: what a web hook or a small service does. As a ratio to a Fastify server that only
 * takes the body, under the same client, because the absolute figure is mostly the machine's.
 */

import { TOPIC, withBroker } from '../broker-under-test.ts'
import { runClient, startPeer } from '../child.ts'
import type { SmallPostsAnswer, SmallPostsTask } from '../clients/small-posts.ts'
import type { Measure, Scenario, Trial } from '../scenario.ts'

const CONNECTIONS = [8, 64]
const WARM_UP_SECONDS_MAX = 2
const BODY = JSON.stringify({ value: 'x'.repeat(100) })

type Target = Pick<SmallPostsTask, 'port' | 'path'>

async function measured(target: Target, connections: number, seconds: number): Promise<Measure[]> {
  const task: SmallPostsTask = {
    ...target,
    contentType: 'application/json',
    body: BODY,
    connections,
    warmUpSeconds: Math.min(seconds, WARM_UP_SECONDS_MAX),
    seconds,
  }
  const answer = await runClient<SmallPostsAnswer>('clients/small-posts.ts', task)
  return [
    { name: 'requests', value: answer.requests / answer.seconds, unit: '1/s' },
    { name: 'latency, median', value: answer.latencyMsMedian, unit: 'ms' },
    { name: 'latency, 99 %', value: answer.latencyMs99, unit: 'ms' },
  ]
}

function spool(connections: number): Trial {
  return {
    name: `spool, ${connections} connections`,
    run: ({ directory, seconds }) =>
      withBroker(directory, 1, (broker) =>
        measured({ port: broker.port, path: `/v1/topics/${TOPIC}/records` }, connections, seconds),
      ),
  }
}

function emptyServer(connections: number): Trial {
  return {
    name: `empty Fastify, ${connections} connections`,
    run: async ({ seconds }) => {
      const peer = await startPeer('peers/empty-fastify.ts')
      try {
        return await measured({ port: Number(peer.line), path: '/empty' }, connections, seconds)
      } finally {
        peer.child.kill()
      }
    },
  }
}

export const scenario: Scenario = {
  name: 'small-posts',
  sentence: 'one JSON record of 100 B a request, acknowledged after fdatasync',
  trials: CONNECTIONS.flatMap((count) => [emptyServer(count), spool(count)]),
  derive: (median) =>
    CONNECTIONS.map((count) => ({
      name: `${count} connections: share of the empty server`,
      value: median(spool(count).name, 'requests') / median(emptyServer(count).name, 'requests'),
      unit: '',
    })),
}
