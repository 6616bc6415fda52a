/** What `storage/FORMAT.md` shows of compacted logs is what the real code writes. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fillerBatch } from '../../../storage/compaction/remade-batch.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { LOG_DIRECTORY } from '../log/engine.ts'
import { batchesOf, compactNow, put, startCompacted } from './keyed-log.ts'

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../storage/FORMAT.md'), 'utf8')

/** The bytes of a block, each line of which says where it stands. */
function block(name: string): Buffer {
  const [, body] = new RegExp(`^\`\`\`${name}\\n(.*?)^\`\`\`$`, 'ms').exec(DOCUMENT)!
  let bytes = Buffer.alloc(0)
  for (const line of body!.trimEnd().split('\n')) {
    const [, at, hex] = /^ *(\d+) {2}([0-9a-f]+(?: [0-9a-f]+)*) {2,}\S/.exec(line)!
    expect(Number(at), line).toBe(bytes.length)
    bytes = Buffer.concat([bytes, Buffer.from(hex!.replaceAll(' ', ''), 'hex')])
  }
  return bytes
}

test('an empty batch that stands for others', async () => {
  expect(fillerBatch(2, 4, 1)).toEqual(block('empty-batch'))
  const { log } = await startCompacted()
  for (const words of ['x=1', 'y=1', 'a=1', 'a=2', 'a=3', 'a=4']) await put(log, words)
  await log.roll()
  await compactNow(log)
  const made = (await batchesOf(log))[2]!
  made.assign(toOffset(2), 1)
  expect(made.buffer).toEqual(block('empty-batch'))
})

test('a compaction point', async () => {
  const { log, disk } = await startCompacted()
  await put(log, 'a=1 b=1 c=1 d=1 e=1 f=1 g=1')
  await log.roll()
  await compactNow(log)
  const path = `${LOG_DIRECTORY}/compaction-point`
  expect(disk.medium.contents(path)).toEqual(block('compaction-point'))
})
