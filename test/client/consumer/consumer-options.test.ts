/** Options of a consumer: what is not right is told when it is made, by name. */

import { expect, test } from 'vitest'
import { type ConsumerOptions, connect } from '../../../client/index.ts'

const right = { group: 'g', topics: ['t'] }

test.each([
  [{ ...right, colour: 'red' }, 'colour'],
  [{ topics: ['t'] }, 'group'],
  [{ ...right, group: '' }, 'group'],
  [{ group: 'g' }, 'topics or topicPattern'],
  [{ ...right, topicPattern: 't' }, 'topics or topicPattern'],
  [{ ...right, topics: [] }, 'topics'],
  [{ ...right, topics: 't' }, 'topics'],
  [{ group: 'g', topicPattern: '' }, 'topicPattern'],
  [{ ...right, from: 'yesterday' }, 'from'],
  [{ ...right, assignor: 'sticky' }, 'assignor'],
  [{ ...right, sessionTimeoutMs: 0 }, 'sessionTimeoutMs'],
  [{ ...right, rebalanceTimeoutMs: 1.5 }, 'rebalanceTimeoutMs'],
  [{ ...right, maxPollIntervalMs: 0 }, 'maxPollIntervalMs'],
  [{ ...right, maxPollIntervalMs: Number.POSITIVE_INFINITY }, 'maxPollIntervalMs'],
  [{ ...right, autoCommit: 'yes' }, 'autoCommit'],
  [{ ...right, autoCommitIntervalMs: 0 }, 'autoCommitIntervalMs'],
  [{ ...right, outOfRange: 'never' }, 'outOfRange'],
  [{ ...right, prefetchBytes: 0 }, 'prefetchBytes'],
  [{ ...right, maxWaitMs: 30_001 }, 'maxWaitMs'],
  [{ ...right, closeTimeoutMs: -1 }, 'closeTimeoutMs'],
  [{ ...right, instanceId: 7 }, 'instanceId'],
  [{ ...right, onRevoked: 'log' }, 'onRevoked'],
])('%o is refused: %s', (options, name) => {
  const client = connect('http://127.0.0.1:9')
  expect(() => client.consumer(options as unknown as ConsumerOptions)).toThrow(name)
})
