/** A batch whose bytes are broken stops a run, or, where there are dead letters, goes there and nothing else does. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DeadLetter, RunOptions } from '../../../client/index.ts'
import { failure, newTopic, until } from '../reader/doors.ts'
import { committedOf, GroupSuite, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

const VALUES = ['first', 'second', 'third', 'fourth']

/** A topic of four batches, of two records each, the second of which is broken; and the bytes of that. */
async function brokenTopic(config: Record<string, string> = {}): Promise<string> {
  const topic = await newTopic(suite.writer, 1, config)
  await using producer = suite.writer.producer({ topic, compression: 'none' })
  for (const value of VALUES) await producer.sendMany([{ value }, { value }])
  const file = join(suite.broker.dataDir, `${topic}-0/00000000000000000000.log`)
  const bytes = readFileSync(file)
  bytes[bytes.indexOf('second')]! ^= 1
  writeFileSync(file, bytes)
  return topic
}

/** Runs until so many records are handled, by records or by batches. */
async function runOver(topic: string, group: string, kind: string, options: RunOptions) {
  const consumer = suite.writer.consumer({ group, topics: [topic] })
  const found: string[] = []
  const take = ({ value }: { readonly value: unknown }) => found.push(String(value))
  const running =
    kind === 'records'
      ? consumer.run(options, take)
      : consumer.runBatches(options, (batch) => {
          for (const record of batch) take(record)
        })
  await Promise.race([running, until(() => found.length === 6)])
  await consumer.close()
  await running
  return found
}

test.each(['records', 'batches'])(
  'with dead letters a run over %s goes on after it',
  async (kind) => {
    const topic = await brokenTopic()
    const group = newGroup()
    const letters: DeadLetter[] = []
    const onDeadLetter = (letter: DeadLetter) => letters.push(letter)
    const found = await runOver(topic, group, kind, { deadLetter: { onDeadLetter } })
    expect(found).toEqual(['first', 'first', 'third', 'third', 'fourth', 'fourth'])
    expect(await committedOf(suite.writer, group)).toEqual([8])
    const error = expect.objectContaining({ code: 'CORRUPT_MESSAGE' })
    expect(letters).toMatchObject([{ topic, partition: 0, offset: 2, nextOffset: 4, error }])
    const dead = await Array.fromAsync(suite.writer.reader(`${topic}.dlq`, { until: 'latest' }))
    expect(dead).toHaveLength(1)
    const { headers, valueBytes } = dead[0]!
    expect(Object.fromEntries(headers)).toMatchObject({
      'spool-dlq-reason': 'unreadable-batch',
      'spool-dlq-topic': topic,
      'spool-dlq-partition': '0',
      'spool-dlq-offset': '2',
      'spool-dlq-next-offset': '4',
      'spool-dlq-error-code': 'CORRUPT_MESSAGE',
    })
    // The batch as it is stored: one bit of its first value is wrong.
    expect(Buffer.from(valueBytes!).includes('recond')).toBe(true)
    expect(Buffer.from(valueBytes!).includes('second')).toBe(true)
  },
)

test.each(['records', 'batches'])('without them it ends a run over %s, as ever', async (kind) => {
  const topic = await brokenTopic()
  const group = newGroup()
  const ended = await failure(runOver(topic, group, kind, {}))
  const extensions = { topic, partition: 0, offset: 2, nextOffset: 4 }
  expect(ended).toMatchObject({ code: 'CORRUPT_MESSAGE', extensions })
  expect(await committedOf(suite.writer, group)).toEqual([2])
})
