/**
 * How far a log is compacted, kept in its directory as `compaction-point`: below that offset every key has
 * one record at most. Written after all of that is on stable storage. Only work is lost with it: without it,
 * or when it is damaged, the next compaction begins with the first record.
 */

import { StorageError } from '../errors.ts'
import { readCheckpoint, writeCheckpoint } from '../file/checkpoint.ts'
import { COMPACTION_POINT_FILE } from '../file/names.ts'
import type { LogFiles } from '../log/segment-files.ts'
import { readInt64, writeInt64 } from '../record/int64.ts'
import { type Offset, toOffset } from '../record/offsets.ts'

const VERSION = 1
const BODY_BYTES = 8

/** The first offset that was never looked at; 0 when nothing says. */
export async function readCompactionPoint(files: LogFiles): Promise<Offset> {
  const path = `${files.directory}/${COMPACTION_POINT_FILE}`
  try {
    const body = await readCheckpoint(files.fileSystem, path, VERSION)
    if (body?.length !== BODY_BYTES) return toOffset(0)
    return toOffset(readInt64(body, 0))
  } catch (error) {
    if (!(error instanceof StorageError) && !(error instanceof RangeError)) throw error
    const { message } = error
    files.logger.warn({ path, message }, 'a log is compacted from its beginning again')
    return toOffset(0)
  }
}

/** Durable when it resolves. */
export async function writeCompactionPoint(files: LogFiles, firstDirty: Offset): Promise<void> {
  const body = Buffer.alloc(BODY_BYTES)
  writeInt64(body, firstDirty, 0)
  const path = `${files.directory}/${COMPACTION_POINT_FILE}`
  await writeCheckpoint(files.fileSystem, path, VERSION, body)
}
