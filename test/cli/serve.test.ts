/**
 * `spool serve` as a process: its line on stdout, its answers to signals, its exit codes. What it serves
 * is tested with the broker.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BrokerProcess } from '../rigs/broker-process.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'spool-serve-'))
})
afterEach(() => rmSync(dataDir, { recursive: true }))

test('says where it listens, serves there, and ends in order on SIGTERM and on SIGINT', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await using broker = await BrokerProcess.start({ dataDir })
    expect(broker.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${broker.url}/health/ready`)).status).toBe(200)
    broker.signal(signal)
    expect(await broker.ended()).toBe(0)
    expect(broker.log).toContain('stopped')
  }
})

test('a second broker on the same data directory is refused with exit code 3, naming the first', async () => {
  await using first = await BrokerProcess.start({ dataDir })
  const second = BrokerProcess.launch({ dataDir })
  await expect(second.ready).rejects.toThrow()
  expect(await second.ended()).toBe(3)
  expect(second.log).toContain(String(first.pid))
  expect(first.isRunning).toBe(true)
})

test('an address in use is exit code 4', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const broker = BrokerProcess.launch({ dataDir, port })
  expect(await broker.ended()).toBe(4)
  expect(broker.log).toContain(String(port))
  other.close()
})

test('after kill -9 it starts again on the same directory', async () => {
  const first = await BrokerProcess.start({ dataDir })
  await first.kill()
  await using second = await BrokerProcess.start({ dataDir })
  expect(await second.stop()).toBe(0)
})

test('a second signal ends it at once, with a code of its own', async () => {
  await using broker = await BrokerProcess.start({
    dataDir,
    flags: ['--shutdown-timeout-ms', '60000'],
  })
  const created = await fetch(`${broker.url}/v1/topics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'slow' }),
  })
  expect(created.status).toBe(201)
  // An upload that never ends keeps the first signal waiting.
  const endless = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('a line\n')),
  })
  const upload = fetch(`${broker.url}/v1/topics/slow/records?body=lines`, {
    method: 'POST',
    body: endless,
    duplex: 'half',
  } as RequestInit).catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 200))
  broker.signal('SIGTERM')
  await new Promise((resolve) => setTimeout(resolve, 200))
  if (broker.isRunning) broker.signal('SIGTERM')
  const code = await broker.ended()
  // Where nothing kept it waiting it was faster than the second signal.
  expect([0, 5]).toContain(code)
  await upload
})
