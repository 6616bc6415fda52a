/**
 * A whole broker inside a test, in one line:
 *
 *     await using broker = await startBroker()
 *     await fetch(`${broker.url}/v1/topics`)
 *
 * On a free port, over a temporary directory that is removed with it, and silent, unless told otherwise.
 * Everything but that is the real broker. What is marked internal is for this project's own tests; the
 * published types do not have it.
 */

/// <reference lib="esnext.disposable" preserve="true" />

import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileSystem } from '../storage/file/file-system.ts'
import { nodeFileSystem } from '../storage/file/node-file-system.ts'
import { Broker, type BrokerDependencies } from './broker.ts'
import { type BrokerSettings, settingsWith } from './config.ts'
import type { BrokerContext } from './context.ts'

export interface TestBroker extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string
  readonly port: number
  readonly dataDir: string
  /**
   * What the faces of the broker work with, for tests that go past them.
   * @internal
   */
  readonly context: BrokerContext
  /**
   * Stops in order; the data directory stays, so that another broker can be started on it. Disposing
   * stops too, and removes the directory unless it was given.
   */
  stop(): Promise<void>
}

/**
 * Any setting of a broker (`docs/configuration.md`), its key in camel case: `cors.allowed.origins` is
 * `corsAllowedOrigins`. With `logLevel` the broker logs to stderr; without it, nothing.
 */
export type TestBrokerOptions = Partial<BrokerSettings> & {
  /**
   * What the broker stands on, where a test wants another.
   * @internal
   */
  readonly dependencies?: BrokerDependencies
}

/** Enough for a test, and little enough to pass on a nearly full disk. */
const DISK_RESERVE_BYTES = 16 * 1024 * 1024

/**
 * Starts a broker; resolves when it serves.
 *
 * @throws ConfigError for an unknown setting or a value out of bounds; otherwise as a broker that does not
 * start: DATA_DIRECTORY_LOCKED, or the system's error when the port is taken. Nothing is left then.
 */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const { dependencies = {}, ...given } = options
  const dataDir = given.dataDir ?? join(tmpdir(), `spool-${randomUUID()}`)
  const settings = settingsWith({
    port: 0,
    diskReserveBytes: DISK_RESERVE_BYTES,
    ...given,
    dataDir,
  })
  const removeTemporary = async () => {
    if (given.dataDir !== undefined) return
    await removeTree(dependencies.fileSystem ?? nodeFileSystem, dataDir)
  }
  try {
    const logger = given.logLevel === undefined ? {} : await loggerOf(settings)
    const broker = await Broker.start(settings, { ...logger, ...dependencies })
    return {
      url: broker.url,
      port: broker.port,
      dataDir,
      context: broker.context,
      stop: () => broker.stop(),
      async [Symbol.asyncDispose]() {
        await broker.stop().finally(removeTemporary)
      },
    }
  } catch (error) {
    await removeTemporary()
    throw error
  }
}

/** Loaded for those who ask for it: it would be a tenth of every start. */
async function loggerOf({ logLevel }: BrokerSettings): Promise<Pick<BrokerDependencies, 'logger'>> {
  const { createLogger } = await import('./logging.ts')
  return { logger: createLogger({ level: logLevel }) }
}

/** Removes a directory and what is in it; no error when it is gone already. */
async function removeTree(fileSystem: FileSystem, directory: string): Promise<void> {
  if ((await fileSystem.status(directory)) === undefined) return
  for (const { name, isDirectory } of await fileSystem.list(directory)) {
    const path = join(directory, name)
    if (isDirectory) await removeTree(fileSystem, path)
    else await fileSystem.removeFile(path)
  }
  await fileSystem.removeDirectory(directory)
}
