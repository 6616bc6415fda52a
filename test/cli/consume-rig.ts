/** What the suites of `spool consume` and `spool cat` share: records of every kind, and what is printed of them. */

import { expect } from 'vitest'
import type { Client, RecordToSend } from '../../client/index.ts'
import type { CommandSuite } from './command-suite.ts'

export type Sent = RecordToSend<string | Uint8Array, string | Uint8Array>

/** One of each kind, in partition 0; partition 1 has one. */
export const KINDS: readonly Sent[] = [
  { partition: 0, key: 'k0', value: 'plain', timestamp: 1_000 },
  { partition: 0, key: null, value: '', timestamp: 1_001 },
  {
    partition: 0,
    key: Buffer.from('ff00', 'hex'),
    value: Buffer.from('00800aff', 'hex'),
    timestamp: 1_002,
  },
  { partition: 0, key: '', value: null, timestamp: 1_003 },
  {
    partition: 0,
    key: 'k4',
    value: '{"a": 1}',
    timestamp: 1_004,
    headers: [
      ['h', 'x'],
      ['none', null],
      ['bin', Buffer.from('ff', 'hex')],
    ],
  },
  { partition: 0, key: 'k5', value: 'red \x1b[31m', timestamp: 1_005 },
  { partition: 1, key: 'other', value: 'elsewhere', timestamp: 1_006 },
]

/** The topic `kinds`, of two partitions. */
export async function createKinds(client: Client): Promise<void> {
  await client.admin.createTopic({ name: 'kinds', partitions: 2 })
  await send(client, 'kinds', KINDS)
}

export async function send(client: Client, topic: string, records: readonly Sent[]): Promise<void> {
  await using producer = client.producer({ topic })
  await producer.sendMany(records)
}

/** All that is printed up to the end of the topic; a character is a byte. */
export async function printed(suite: CommandSuite, ...words: string[]): Promise<string> {
  const { code, stdoutBytes, stderr } = await suite.run('consume', ...words, '-e', '-q')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdoutBytes.toString('latin1')
}
