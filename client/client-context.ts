/** What a client lends to its producers, readers and admin. Types only. */

import type { ConnectSettings } from './connect-options.ts'
import type { Metadata } from './metadata.ts'
import type { Transport } from './transport.ts'

export interface ClientContext {
  readonly transport: Transport
  readonly metadata: Metadata
  readonly settings: ConnectSettings
  /** Aborted with CLIENT_CLOSED once the client is closed and everything has had its chance to flush. */
  readonly closed: AbortSignal
  /** Called by a producer or reader that was closed: the client need not close it any more. */
  forget(closable: AsyncDisposable): void
}
