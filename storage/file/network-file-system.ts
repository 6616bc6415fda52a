/**
 * Which kinds of file system to warn about: those where a lock, an fsync or a rename may mean less than
 * this engine relies on. A table and a question; the broker starts all the same.
 */

import { fileSystemType } from './node-file-system.ts'

/** `f_type` of statfs(2), from linux/magic.h and the file systems' own sources. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x00006969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB 2'],
  [0x0000517b, 'SMB'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x786f4256, 'VirtualBox shared folder'],
])

/** The name of the network (or user space) file system of that `f_type`, or `undefined` for a local one. */
export function networkFileSystemName(type: number): string | undefined {
  return NETWORK_FILE_SYSTEMS.get(type)
}

/** A sentence for the operator when `directory` should not be a data directory; `undefined` when it may. */
export async function networkFileSystemWarning(directory: string): Promise<string | undefined> {
  const name = networkFileSystemName(await fileSystemType(directory))
  if (name === undefined) return undefined
  return `data directory ${directory} is on ${name}: locks and syncs may not hold there, use a local disk`
}
