/** A process of its own that takes the lock of the directory in its first argument, says so, and stays. */

import { lockDataDirectory } from '../../../storage/file/data-directory.ts'
import { sqliteDirectoryLock } from '../../../storage/file/directory-lock.ts'
import { nodeFileSystem } from '../../../storage/file/node-file-system.ts'

const directory = process.argv[2] as string
const owner = {
  pid: process.pid,
  host: 'elsewhere',
  startedAt: '2024-06-11T00:00:00.000Z',
  nodeId: 7,
  clusterId: 'cluster-of-the-test',
}
try {
  await lockDataDirectory(nodeFileSystem, directory, sqliteDirectoryLock, owner)
  process.stdout.write('held\n')
  setInterval(() => {}, 60_000)
} catch (error) {
  process.stdout.write(`${(error as { code: string }).code}: ${(error as Error).message}\n`)
}
