/** What a page loads when it loads the client: no module of Node's, and none of the globals only Node has. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { startBroker } from '../../../broker/testing.ts'
import { webBundle } from './web-bundle.ts'

const run = promisify(execFile)

test('it is one file, with nothing of Node in it', async () => {
  const code = await webBundle({ minify: true })
  expect(code).not.toMatch(/\bnode:/)
  const kib = (bytes: number) => (bytes / 1024).toFixed(1)
  console.log(`minified ${kib(code.length)} KiB, gzip ${kib(gzipSync(code).length)} KiB`)
})

test('it works where there is no Buffer, no process and no setImmediate', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'spool-bundle-'))
  try {
    writeFileSync(join(directory, 'client.mjs'), await webBundle())
    writeFileSync(
      join(directory, 'program.mjs'),
      `const url = process.argv[2]
      const node = process
      // Node's own fetch needs them: they are gone for the client alone, by who asks.
      for (const name of ['Buffer', 'process', 'setImmediate', 'clearImmediate', 'global']) {
        const there = globalThis[name]
        const isForClient = () => new Error().stack.split('\\n')[3].includes('/client.mjs:')
        Object.defineProperty(globalThis, name, { get: () => (isForClient() ? undefined : there) })
      }
      const { connect } = await import('./client.mjs')
      const client = connect(url)
      await client.admin.createTopic({ name: 'there', partitions: 3 })
      const producer = client.producer({ topic: 'there' })
      await producer.sendMany([1, 2, 3].map((value) => ({ key: 'k' + value, value: { id: value } })))
      await producer.send({ value: Uint8Array.of(255), headers: { h: 'x' } })
      const values = []
      for await (const { value } of client.reader('there', { until: 'latest' })) values.push(value)
      await client.close()
      console.log(JSON.stringify([values.flatMap((it) => it.id ?? []).sort(), values.length]))
      node.exit()`,
    )
    await using broker = await startBroker()
    const { stdout } = await run(process.execPath, [join(directory, 'program.mjs'), broker.url])
    expect(JSON.parse(stdout)).toEqual([[1, 2, 3], 4])
  } finally {
    rmSync(directory, { recursive: true })
  }
})
