/** The connection to a broker from Node: undici's pools for requests, the binary routes for records. */

import { SpoolError } from '../api/errors.ts'
import type { ConnectSettings } from '../connect-options.ts'
import type {
  Answer,
  BatchFate,
  OpenBatch,
  OpenBatchOptions,
  ProduceCall,
  RecordSource,
  RequestOptions,
  SourceCall,
  Transport,
} from '../transport.ts'

export class NodeTransport implements Transport {
  readonly url: string
  readonly inFlightPerPartitionMax = 5
  readonly #settings: ConnectSettings

  constructor(settings: ConnectSettings) {
    this.url = settings.url
    this.#settings = settings
  }

  async request(options: RequestOptions): Promise<Answer> {
    throw new SpoolError('NOT_IMPLEMENTED', `${options.path} ${this.#settings.url}`)
  }

  newBatch(_options: OpenBatchOptions): OpenBatch {
    throw new SpoolError('NOT_IMPLEMENTED', 'not yet')
  }

  async produce(_call: ProduceCall): Promise<readonly BatchFate[]> {
    throw new SpoolError('NOT_IMPLEMENTED', 'not yet')
  }

  openSource(_call: SourceCall): RecordSource {
    throw new SpoolError('NOT_IMPLEMENTED', 'not yet')
  }

  async close(): Promise<void> {}
}
