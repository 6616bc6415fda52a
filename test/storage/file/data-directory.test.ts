/** One broker at a time in a data directory, and a marker that is there only when all else is. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  createDirectoryDurably,
  lockDataDirectory,
  readOwner,
  recordOwner,
  takeCleanShutdownMarker,
  writeCleanShutdownMarker,
} from '../../../storage/file/data-directory.ts'
import { MemoryDirectoryLock, sqliteDirectoryLock } from '../../../storage/file/directory-lock.ts'
import { LOCK_FILE, OWNER_FILE } from '../../../storage/file/names.ts'
import {
  networkFileSystemName,
  networkFileSystemWarning,
} from '../../../storage/file/network-file-system.ts'
import { fileSystemType, nodeFileSystem } from '../../../storage/file/node-file-system.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const OWNER = { pid: 4711, host: 'here', startedAt: '2024-06-11T08:00:00.000Z' }
const LOCKED = { code: 'DATA_DIRECTORY_LOCKED' }

function lock(directory: string, owner = OWNER) {
  return lockDataDirectory(nodeFileSystem, directory, sqliteDirectoryLock, owner)
}

/** Starts another process that wants the lock; resolves with it and the first line it says. */
async function otherProcess(
  directory: string,
): Promise<{ child: ChildProcess; line: string; errors: () => string }> {
  const script = join(import.meta.dirname, 'lock-holder.ts')
  const child = spawn(process.execPath, [script, directory])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let errors = ''
  child.stderr.on('data', (bytes) => {
    errors += bytes
  })
  const [line] = await once(child.stdout, 'data')
  return { child, line: String(line).trim(), errors: () => errors }
}

/** What this process has open, where the system tells. */
function openPaths(): string[] {
  if (!existsSync('/proc/self/fd')) return []
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    const path = `/proc/self/fd/${descriptor}`
    return existsSync(path) ? [readlinkSync(path)] : []
  })
}

describe('the lock', () => {
  test('another process is refused while we hold it, and told who does', async () => {
    const directory = temporaryDirectory()
    const held = await lock(directory)
    const { line } = await otherProcess(directory)
    expect(line).toBe(
      `DATA_DIRECTORY_LOCKED: data directory ${directory} is in use by process 4711 on here, started 2024-06-11T08:00:00.000Z`,
    )
    held.release()
    expect((await otherProcess(directory)).line).toBe('held')
  })

  test('we are refused while another process holds it; kill -9 lets us in', async () => {
    const directory = temporaryDirectory()
    const { child, line, errors } = await otherProcess(directory)
    expect(line).toBe('held')
    await expect(lock(directory)).rejects.toMatchObject({
      ...LOCKED,
      message: expect.stringContaining(`process ${child.pid} on elsewhere`),
      values: { directory, pid: child.pid, nodeId: 7, clusterId: 'cluster-of-the-test' },
    })
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    const held = await lock(directory)
    expect(await readOwner(nodeFileSystem, directory)).toEqual(OWNER)
    held.release()
    expect(errors()).toBe('')
  })

  test('a second handle in this process is refused, under another path of the directory too', async () => {
    const directory = temporaryDirectory()
    const held = await lock(directory)
    await expect(lock(directory)).rejects.toMatchObject(LOCKED)
    const other = `${temporaryDirectory()}/link`
    symlinkSync(directory, other)
    await expect(lock(other)).rejects.toMatchObject(LOCKED)
    // A refused attempt must not have dropped the lock.
    expect((await otherProcess(directory)).line).toContain('DATA_DIRECTORY_LOCKED')
    held.release()
    held.release()
    ;(await lock(other)).release()
    expect(openPaths().filter((path) => path.startsWith(directory))).toEqual([])
  })

  test('that SQLite is experimental in some versions is not printed; other warnings are', async () => {
    const { getBuiltinModule } = process
    const printed = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const emitWarning = process.emitWarning
    vi.spyOn(process, 'getBuiltinModule').mockImplementation(((name: string) => {
      process.emitWarning(
        'SQLite is an experimental feature and might change',
        'ExperimentalWarning',
      )
      process.emitWarning('something else', 'ExperimentalWarning')
      return getBuiltinModule(name)
    }) as typeof getBuiltinModule)
    onTestFinished(() => {
      vi.restoreAllMocks()
    })
    ;(await lock(temporaryDirectory())).release()
    expect(printed.mock.calls).toEqual([['something else', 'ExperimentalWarning']])
    expect(process.emitWarning).toBe(emitWarning)
  })

  test('a lock file that is none is an error that says what to do', async () => {
    const directory = temporaryDirectory()
    writeFileSync(`${directory}/${LOCK_FILE}`, 'not a database'.repeat(100))
    await expect(lock(directory)).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
      message: expect.stringContaining(LOCK_FILE),
    })
    await expect(lock(`${directory}/nowhere`)).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    })
  })

  test('when the owner can not be written down, the lock is not kept', async () => {
    const disk = new SimulatedDisk()
    disk.medium.provideDirectory('/data')
    const memory = new MemoryDirectoryLock()
    disk.faults.failNth(1, 'ENOSPC', { which: (call) => call.operation === 'write' })
    const attempt = () => lockDataDirectory(disk, '/data', memory, OWNER)
    await expect(attempt()).rejects.toMatchObject({ code: 'ENOSPC' })
    const held = await attempt()
    await expect(attempt()).rejects.toMatchObject({ ...LOCKED, values: { pid: 4711 } })
    held.release()
    const next = await attempt()
    held.release()
    await expect(attempt()).rejects.toMatchObject(LOCKED)
    next.release()
  })
})

describe('the owner', () => {
  test('node and cluster are added once they are known', async () => {
    const directory = temporaryDirectory()
    const full = { ...OWNER, nodeId: 1, clusterId: 'abc' }
    await recordOwner(nodeFileSystem, directory, OWNER)
    await recordOwner(nodeFileSystem, directory, full)
    expect(await readOwner(nodeFileSystem, directory)).toEqual(full)
    expect(JSON.parse(readFileSync(`${directory}/${OWNER_FILE}`, 'utf8'))).toEqual(full)
  })

  test.each([
    '',
    '{',
    'null',
    '[]',
    '{"pid":"1","host":"a","startedAt":"b"}',
    '{"pid":1,"host":"a\\nb","startedAt":"c"}',
    '{"pid":1,"host":"\\u001b[31m","startedAt":"c"}',
  ])('of the damaged file %j nothing reaches a message', async (text) => {
    const directory = temporaryDirectory()
    const held = await lock(directory)
    writeFileSync(`${directory}/${OWNER_FILE}`, text)
    await expect(lock(directory)).rejects.toMatchObject({
      ...LOCKED,
      message: `data directory ${directory} is in use`,
    })
    held.release()
  })
})

describe('the clean-shutdown marker', () => {
  const seeds = Array.from({ length: 40 }, (_, n) => n + 1)

  function disk(seed: number): SimulatedDisk {
    const made = new SimulatedDisk({ seed })
    made.medium.provideDirectory('/data')
    return made
  }

  test('is taken once', async () => {
    const directory = temporaryDirectory()
    expect(await takeCleanShutdownMarker(nodeFileSystem, directory)).toBe(false)
    await writeCleanShutdownMarker(nodeFileSystem, directory)
    expect(await takeCleanShutdownMarker(nodeFileSystem, directory)).toBe(true)
    expect(await takeCleanShutdownMarker(nodeFileSystem, directory)).toBe(false)
    expect(existsSync(`${directory}/clean-shutdown`)).toBe(false)
  })

  test('outlasts a power cut once written, and never comes back once taken', async () => {
    for (const seed of seeds) {
      const stopped = disk(seed)
      await writeCleanShutdownMarker(stopped, '/data')
      const started = stopped.powerCut(seed)
      expect(await takeCleanShutdownMarker(started, '/data')).toBe(true)
      const again = started.powerCut(seed)
      expect(await takeCleanShutdownMarker(again, '/data')).toBe(false)
    }
  })

  test('damaged or half written it says no, and is gone', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(10), Buffer.from('clean')]) {
      const crashed = disk(1)
      crashed.medium.provideFile('/data/clean-shutdown', bytes)
      expect(await takeCleanShutdownMarker(crashed, '/data')).toBe(false)
      expect(crashed.medium.paths('/data')).toEqual([])
    }
  })

  test('when it can not be removed durably, the start fails', async () => {
    for (const operation of ['removeFile', 'syncDirectory']) {
      const stopped = disk(1)
      await writeCleanShutdownMarker(stopped, '/data')
      stopped.faults.failNth(1, 'EIO', { which: (call) => call.operation === operation })
      const taking = takeCleanShutdownMarker(stopped, '/data')
      await expect(taking).rejects.toMatchObject({ code: 'EIO' })
    }
  })
})

describe('the directory', () => {
  test('made with those above it, it is there after a power cut', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const disk = new SimulatedDisk({ seed })
      disk.medium.provideDirectory('/srv')
      await createDirectoryDurably(disk, '/srv/spool/data')
      await createDirectoryDurably(disk, '/srv/spool/data')
      expect(disk.powerCut(seed).medium.exists('/srv/spool/data')).toBe(true)
    }
    const real = `${temporaryDirectory()}/a/b/c`
    await createDirectoryDurably(nodeFileSystem, real)
    expect(existsSync(real)).toBe(true)
  })

  test('a network file system is named in a warning, a local one is not', async () => {
    expect(networkFileSystemName(0x6969)).toBe('NFS')
    expect(networkFileSystemName(0xff534d42)).toBe('CIFS')
    for (const local of [0xef53, 0x58465342, 0x9123683e, 0x01021994]) {
      expect(networkFileSystemName(local)).toBeUndefined()
    }
    const directory = temporaryDirectory()
    const name = networkFileSystemName(await fileSystemType(directory))
    const warning = await networkFileSystemWarning(directory)
    if (name === undefined) expect(warning).toBeUndefined()
    else expect(warning).toContain(name)
  })
})
