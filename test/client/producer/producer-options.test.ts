/** Options of a producer: what is not right is told when it is made, with its value and its bounds. */

import { expect, test } from 'vitest'
import { connect, type ProducerOptions } from '../../../client/index.ts'

test('an option that is not right is refused, with its value and its bounds', () => {
  const wrong: [ProducerOptions, string][] = [
    [{ lingerMs: -1 }, 'lingerMs is -1, not an integer from 0 to 60000'],
    [{ batchBytes: 1.5 }, 'batchBytes is 1.5'],
    [{ acks: 'most' as never }, 'acks is "most", not one of all, 1, 0'],
    [{ compression: 'lzma' as never }, 'compression is "lzma"'],
    [{ acks: 0, idempotent: true }, 'acks is 0'],
    [{ lingerMs: 50, deliveryTimeoutMs: 50 }, 'must be less than deliveryTimeoutMs, 50'],
    [{ linger: 5 } as never, 'there is no option linger; there are topic'],
    [{ value: {} as never }, 'not a serde'],
    [{ onDelivery: 5 as never }, 'not a function'],
  ]
  const client = connect('http://127.0.0.1:9')
  for (const [options, words] of wrong) {
    expect(() => client.producer(options)).toThrow(words)
  }
})
