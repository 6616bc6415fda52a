/** What the parts of one producer share. Types only. */

import type { Metadata } from '../metadata.ts'
import type { Transport } from '../transport.ts'
import type { Ledger } from './ledger.ts'
import type { SendingSettings } from './producer-options.ts'
import type { Sender } from './sender.ts'

export interface SendingContext {
  readonly transport: Transport
  readonly metadata: Metadata
  readonly settings: SendingSettings
  /** In [0, 1): chance, as an argument. */
  readonly random: { next(): number }
  readonly ledger: Ledger
  readonly sender: Sender
  /** Aborted once the producer gives up what is left: nothing is worth waiting for. */
  readonly givenUp: AbortSignal
}
