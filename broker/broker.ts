/**
 * The composition root: builds one broker from its settings, in the only order that is safe, and takes
 * it apart again. It owns that order and nothing else; every decision is in the parts.
 *
 *     listen (liveness only) → lock → metadata → half-done topics → recovery → ready
 *     stop:  not ready → requests end → logs flushed and marked clean → lock released
 *
 * Only this file knows all rooms, and only `cli/`, benches and tests know this file.
 */

import { randomUUID } from 'node:crypto'
import { SpoolError } from '../client/api/errors.ts'
import { type Clock, type Random, systemClock, systemRandom } from '../storage/clock.ts'
import { type DirectoryLock, sqliteDirectoryLock } from '../storage/file/directory-lock.ts'
import type { FileSystem } from '../storage/file/file-system.ts'
import { nodeFileSystem } from '../storage/file/node-file-system.ts'
import { type Logger, silentLogger } from '../storage/logger.ts'
import { BrokerCore } from './broker-core.ts'
import { type BrokerSettings, checkBind } from './config.ts'
import type { BrokerContext, Listener } from './context.ts'

/** What a broker stands on; each has a default for a process of its own. */
export interface BrokerDependencies {
  readonly logger?: Logger
  readonly clock?: Clock
  readonly random?: Random
  readonly fileSystem?: FileSystem
  readonly directoryLock?: DirectoryLock
  /** Ids of clusters and topics. */
  newUuid?(): string
  /** Makes the HTTP face. */
  createListener?(context: BrokerContext): Listener | Promise<Listener>
  /**
   * Told when the broker cannot go on and must not be marked clean: the metadata could not be written. It
   * takes no requests any more by then. By default the error is thrown as an uncaught one, because a
   * process that lost its broker must not linger.
   */
  onFatal?(error: unknown): void
}

function withDefaults(given: BrokerDependencies): Required<BrokerDependencies> {
  return {
    logger: silentLogger,
    clock: systemClock,
    random: systemRandom,
    fileSystem: nodeFileSystem,
    directoryLock: sqliteDirectoryLock,
    newUuid: randomUUID,
    createListener: createHttpListener,
    onFatal: throwUncaught,
    ...given,
  }
}

/** The HTTP face, with Fastify, is loaded only where a broker starts one. */
async function createHttpListener(context: BrokerContext): Promise<Listener> {
  const { createHttpServer } = await import('./http/server.ts')
  return createHttpServer(context)
}

function throwUncaught(error: unknown): void {
  setImmediate(() => {
    throw error
  })
}

type State = 'starting' | 'ready' | 'stopping' | 'failed'

export class Broker {
  readonly #settings: BrokerSettings
  readonly #dependencies: Required<BrokerDependencies>
  #state: State = 'starting'
  #listener: Listener | undefined
  #core: BrokerCore | undefined
  #address: { readonly url: string; readonly port: number } | undefined
  #stopped: Promise<void> | undefined
  readonly #flushListeners: ((seconds: number) => void)[] = []

  private constructor(settings: BrokerSettings, dependencies: Required<BrokerDependencies>) {
    this.#settings = settings
    this.#dependencies = dependencies
  }

  /**
   * Starts a broker; resolves when it serves. While it recovers it answers its health routes.
   *
   * @throws ConfigError when it would be open to other machines without a word about who may use it;
   * StorageError DATA_DIRECTORY_LOCKED, KAFKA_STORAGE_ERROR; SpoolError INVALID_CONFIG for another node's
   * directory; or the system's error when the address cannot be had. Nothing is left running then.
   */
  static async start(
    settings: BrokerSettings,
    dependencies: BrokerDependencies = {},
  ): Promise<Broker> {
    checkBind(settings)
    const broker = new Broker(settings, withDefaults(dependencies))
    try {
      await broker.#start()
    } catch (error) {
      await broker.#abandon()
      throw error
    }
    return broker
  }

  /** Where it is reached, such as `http://127.0.0.1:7766`. */
  get url(): string {
    return this.#requireAddress().url
  }

  get port(): number {
    return this.#requireAddress().port
  }

  /** For programs that run a broker inside and for tests: what the faces work with. */
  get context(): BrokerContext {
    return this.#context()
  }

  /**
   * Takes no new requests, gives those under way `shutdown.timeout.ms`, flushes, and marks the data
   * directory clean. Once; later calls wait for the first.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #start(): Promise<void> {
    this.#listener = await this.#dependencies.createListener(this.#context())
    this.#address = await this.#listener.listen()
    this.#core = await BrokerCore.open(this.#settings, {
      ...this.#dependencies,
      flushed: (seconds) => {
        for (const listener of this.#flushListeners) listener(seconds)
      },
      onFatal: (error) => this.#fail(error),
    })
    await this.#core.recover()
    await this.#core.register(this.#address.url)
    if (this.#state === 'starting') this.#state = 'ready'
  }

  async #stop(): Promise<void> {
    if (this.#state !== 'failed') this.#state = 'stopping'
    const closing = this.#listener?.close()
    this.#core?.releaseWaiting()
    await closing
    await this.#core?.close({ markClean: this.#state === 'stopping' })
  }

  /** A start that did not succeed: whatever was opened is closed, nothing is marked clean. */
  async #abandon(): Promise<void> {
    this.#state = 'failed'
    await this.#listener?.close().catch(() => {})
    await this.#core?.close({ markClean: false }).catch(() => {})
  }

  #fail(error: unknown): void {
    if (this.#state === 'failed') return
    this.#state = 'failed'
    this.#dependencies.logger.error({ error }, 'the broker cannot go on')
    this.#core?.releaseWaiting()
    this.#dependencies.onFatal(error)
  }

  #requireAddress(): { readonly url: string; readonly port: number } {
    if (this.#address === undefined) throw new Error('the broker does not listen yet')
    return this.#address
  }

  #recovered(): BrokerCore {
    if (this.#core?.isRecovered === true) return this.#core
    throw new SpoolError('BROKER_NOT_READY', 'the broker is recovering its logs; try again soon', {
      outcome: 'refused',
      retryAfterS: 1,
    })
  }

  #context(): BrokerContext {
    const { clock, random, logger } = this.#dependencies
    const recovered = () => this.#recovered()
    return {
      settings: this.#settings,
      clock,
      random,
      logger,
      isReady: () => this.#state === 'ready',
      onFlush: (listener) => void this.#flushListeners.push(listener),
      get topics() {
        return recovered().topics
      },
      get replicas() {
        return recovered().replicas
      },
      get producerIds() {
        return recovered().producerIds
      },
      get groups() {
        return recovered().groups
      },
      compactionTotals: () => this.#core?.compactionTotals,
      clusterImage: () => recovered().metadata.image,
    }
  }
}
