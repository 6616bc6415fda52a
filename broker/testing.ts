/**
 * A whole broker inside a test, in one line:
 *
 *     await using broker = await startBroker()
 *     await fetch(`${broker.url}/v1/topics`)
 *
 * On a free port, over a temporary directory that is removed with it, unless told otherwise. Everything
 * but that is the real broker. What is marked internal is for this project's own tests; the published
 * types do not have it.
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
  /** Stops in order; the data directory stays, so that another broker can be started on it. */
  stop(): Promise<void>
}

export type TestBrokerOptions = Partial<BrokerSettings> & {
  /**
   * What the broker stands on, where a test wants another.
   * @internal
   */
  readonly dependencies?: BrokerDependencies
}

/** Enough for a test, and little enough to pass on a nearly full disk. */
const DISK_RESERVE_BYTES = 16 * 1024 * 1024

/** Starts a broker; resolves when it serves. */
export async function startBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const { dependencies = {}, ...given } = options
  const isTemporary = given.dataDir === undefined
  const dataDir = given.dataDir ?? join(tmpdir(), `spool-${randomUUID()}`)
  const settings = settingsWith({
    port: 0,
    diskReserveBytes: DISK_RESERVE_BYTES,
    ...given,
    dataDir,
  })
  const broker = await Broker.start(settings, dependencies)
  return {
    url: broker.url,
    port: broker.port,
    dataDir,
    context: broker.context,
    stop: () => broker.stop(),
    async [Symbol.asyncDispose]() {
      await broker.stop()
      if (isTemporary) await removeTree(dependencies.fileSystem ?? nodeFileSystem, dataDir)
    },
  }
}

async function removeTree(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const { name, isDirectory } of await fileSystem.list(directory)) {
    const path = join(directory, name)
    if (isDirectory) await removeTree(fileSystem, path)
    else await fileSystem.removeFile(path)
  }
  await fileSystem.removeDirectory(directory)
}
