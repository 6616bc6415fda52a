/**
 * The directories of partitions as names on disk: renamed away when their topic is deleted, set aside
 * when nobody knows their topic, removed when they were renamed away. A directory belongs to the topic
 * id in its recovery point, not to the topic that has its name today.
 */

import type { FileSystem } from './file/file-system.ts'
import {
  parsePartitionDirectory,
  partitionDirectoryName,
  RECOVERY_POINT_FILE,
  retiredDirectoryName,
} from './file/names.ts'
import { decodeSlot, SLOT_BYTES } from './file/recovery-point.ts'
import type { Logger } from './logger.ts'

interface Known {
  readonly name: string
  readonly topicId: string
}

/** Topic ids of a version nobody makes, for directories whose own is not known or not free. */
const placeholderId = (number: number) =>
  `00000000-0000-0000-0000-${number.toString().padStart(12, '0')}`

/**
 * Renames every directory of the topic to `<topicId>-<partition>.delete`, durably: from then on a crash
 * cannot bring the topic back.
 */
export async function retireTopicDirectories(
  fileSystem: FileSystem,
  directory: string,
  topic: Known,
): Promise<void> {
  for (const { name } of await fileSystem.list(directory)) {
    const parsed = parsePartitionDirectory(name)
    if (parsed?.kind !== 'partition' || parsed.topic !== topic.name) continue
    const owner = await topicIdOf(fileSystem, `${directory}/${name}`)
    if (owner !== undefined && owner !== topic.topicId) continue
    const retired = retiredDirectoryName(topic.topicId, parsed.partition, 'delete')
    await fileSystem.rename(`${directory}/${name}`, `${directory}/${retired}`)
  }
  await fileSystem.syncDirectory(directory)
}

/** Removes the directories that were renamed away: of one topic, or all that a crash left behind. */
export async function sweepDeleted(
  fileSystem: FileSystem,
  directory: string,
  topicId?: string,
): Promise<void> {
  let removed = 0
  for (const { name } of await fileSystem.list(directory)) {
    const parsed = parsePartitionDirectory(name)
    if (parsed?.kind !== 'delete') continue
    if (topicId !== undefined && parsed.topicId !== topicId) continue
    await removeTree(fileSystem, `${directory}/${name}`)
    removed++
  }
  if (removed > 0) await fileSystem.syncDirectory(directory)
}

/** Renames to `.stray` every partition directory that belongs to none of `topics`, and reports it. */
export async function setAsideUnknown(
  fileSystem: FileSystem,
  directory: string,
  topics: readonly Known[],
  logger: Logger,
): Promise<void> {
  const topicIds = new Map(topics.map((topic) => [topic.name, topic.topicId]))
  let renamed = 0
  for (const { name, isDirectory } of await fileSystem.list(directory)) {
    const parsed = parsePartitionDirectory(name)
    if (!isDirectory || parsed === undefined) continue
    if (parsed.kind === 'stray') {
      logger.warn({ directory: name }, 'a directory of an unknown topic is kept aside')
    }
    if (parsed.kind !== 'partition') continue
    // One that the disk does not let us read must not keep the others from being served.
    const owner = await topicIdOf(fileSystem, `${directory}/${name}`).catch(() => undefined)
    const expected = topicIds.get(parsed.topic)
    // Unreadable, but of a topic we know: opening it will say what is wrong.
    if (expected !== undefined && (owner === undefined || owner === expected)) continue
    await setAside(fileSystem, directory, name, owner, parsed.partition, logger)
    renamed++
  }
  if (renamed > 0) await fileSystem.syncDirectory(directory)
}

/** Makes room for a new partition: what lies there under another topic's id is kept as `.stray`. */
export async function setAsideForeign(
  fileSystem: FileSystem,
  directory: string,
  topic: Known,
  partition: number,
  logger: Logger,
): Promise<void> {
  const name = partitionDirectoryName(topic.name, partition)
  const owner = await topicIdOf(fileSystem, `${directory}/${name}`)
  if (owner === undefined || owner === topic.topicId) return
  await setAside(fileSystem, directory, name, owner, partition, logger)
}

async function setAside(
  fileSystem: FileSystem,
  directory: string,
  name: string,
  owner: string | undefined,
  partition: number,
  logger: Logger,
): Promise<void> {
  const stray = await freeStrayName(fileSystem, directory, owner, partition)
  await fileSystem.rename(`${directory}/${name}`, `${directory}/${stray}`)
  logger.warn({ directory: name, renamedTo: stray }, 'set aside a directory of an unknown topic')
}

/** Several may not say whose they are, and one of the same topic may have been set aside before. */
async function freeStrayName(
  fileSystem: FileSystem,
  directory: string,
  owner: string | undefined,
  partition: number,
): Promise<string> {
  for (let number = 0; ; number++) {
    const topicId = number === 0 && owner !== undefined ? owner : placeholderId(number)
    const name = retiredDirectoryName(topicId, partition, 'stray')
    if ((await fileSystem.status(`${directory}/${name}`)) === undefined) return name
  }
}

/** The topic id in a directory's recovery point; `undefined` when it has none that can be read. */
async function topicIdOf(fileSystem: FileSystem, directory: string): Promise<string | undefined> {
  const path = `${directory}/${RECOVERY_POINT_FILE}`
  if ((await fileSystem.status(path)) === undefined) return undefined
  const bytes = await fileSystem.readFile(path)
  const slots = [bytes.subarray(0, SLOT_BYTES), bytes.subarray(SLOT_BYTES)].map(decodeSlot)
  return slots.find((slot) => slot !== undefined)?.topicId
}

async function removeTree(fileSystem: FileSystem, directory: string): Promise<void> {
  for (const entry of await fileSystem.list(directory)) {
    const path = `${directory}/${entry.name}`
    if (entry.isDirectory) await removeTree(fileSystem, path)
    else await fileSystem.removeFile(path)
  }
  await fileSystem.removeDirectory(directory)
}
