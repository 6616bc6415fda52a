/**
 * The one connection a client produces over. Requests go out in the order they were given, each before the
 * one in front of it was answered (HTTP/1.1 pipelining), so that batches of a partition keep their order
 * and still overlap.
 *
 *     us      ── batch 0 ── batch 1 ── batch 2 ──►
 *     broker  ◄────────── answer 0 ── answer 1 ───
 *
 * When the connection breaks, every request on it fails, and those behind them that were not sent fail as
 * refused. undici would send the unanswered ones again by itself; only the producer knows whether that is
 * right (a batch without a sequence may be there already) and in which order, so the undici client is
 * thrown away with its connection.
 */

import { Client } from 'undici'
import type { SpoolError } from '../api/errors.ts'
import { type ExchangeOptions, exchange, type WholeAnswer } from './http-exchange.ts'

export interface ProduceConnectionOptions {
  readonly url: string
  readonly connectTimeoutMs: number
}

/** Requests sent and not answered. More wait here, in order: five a partition come together in few. */
const PIPELINED_MAX = 64

export class ProduceConnection {
  readonly #options: ProduceConnectionOptions
  #client: Client | undefined

  constructor(options: ProduceConnectionOptions) {
    this.#options = options
  }

  send(options: ExchangeOptions): Promise<WholeAnswer> {
    const client = this.#client ?? this.#open()
    return exchange(client, {
      ...options,
      isPipelined: true,
      // Answers come in order: what is late holds up all behind it.
      onTimeout: (error) => this.#giveUp(client, error),
    })
  }

  async close(error: SpoolError): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.destroy(error)
  }

  #open(): Client {
    const { url, connectTimeoutMs } = this.#options
    const client = new Client(url, {
      pipelining: PIPELINED_MAX,
      connect: { timeout: connectTimeoutMs },
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    // Told while undici still holds back the requests it would send again.
    client.on('disconnect', (_url, _targets, error) => this.#giveUp(client, error))
    this.#client = client
    return client
  }

  #giveUp(client: Client, error: Error): void {
    if (this.#client === client) this.#client = undefined
    if (!client.destroyed) void client.destroy(error)
  }
}
