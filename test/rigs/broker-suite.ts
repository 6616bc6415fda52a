/**
 * The broker that the tests of a file share: there before the first of them, gone after the last. Who talks to it
 * is the file's own matter, or a client. A broker that a single test wants for itself is `await using`.
 */

import { afterAll, beforeAll } from 'vitest'
import { startBroker, type TestBroker, type TestBrokerOptions } from '../../broker/testing.ts'
import { type Client, connect } from '../../client/index.ts'

/** Registers the hooks of the file that calls it; `suite` has its broker in every hook and test after this. */
export function serveBroker<Suite extends { broker: TestBroker }>(
  suite: Suite,
  options: TestBrokerOptions = {},
): Suite {
  beforeAll(async () => {
    suite.broker = await startBroker(options)
  })
  afterAll(() => suite.broker[Symbol.asyncDispose]())
  return suite
}

/** What a suite stands on that talks to its broker with a client; suites of their own kind extend it. */
export class BrokerSuite {
  broker!: TestBroker
  client!: Client
}

/** As `serveBroker`, with a client; it is closed before the broker is: hooks that come last clean up first. */
export function serveSuite<Suite extends BrokerSuite>(
  suite: Suite,
  options: TestBrokerOptions = {},
): Suite {
  serveBroker(suite, options)
  beforeAll(() => {
    suite.client = connect(suite.broker.url)
  })
  afterAll(() => suite.client.close())
  return suite
}
