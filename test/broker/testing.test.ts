/**
 * `startBroker`, as a stranger's test uses it: what it starts, what it keeps, and that nothing is left of
 * it. What a broker leaves in a process is looked at in a process of its own.
 */

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startBroker } from '../../broker/testing.ts'
import { nodeFileSystem } from '../../storage/file/node-file-system.ts'

const run = promisify(execFile)
const TESTING = join(import.meta.dirname, '../../broker/testing.ts')

async function produce(url: string, topic: string, value: string): Promise<void> {
  await fetch(`${url}/v1/topics/${topic}`, { method: 'PUT' })
  const body = JSON.stringify({ value })
  const headers = { 'content-type': 'application/json' }
  const reply = await fetch(`${url}/v1/topics/${topic}/records`, { method: 'POST', body, headers })
  expect(reply.status).toBe(200)
}

async function values(url: string, topic: string): Promise<unknown[]> {
  const page = await fetch(`${url}/v1/topics/${topic}/partitions/0/records`)
  const { records } = (await page.json()) as { records: { value: unknown }[] }
  return records.map((record) => record.value)
}

/** Runs a program in which `startBroker` is at hand, with a temporary directory of its own. */
async function program(text: string) {
  const temporary = mkdtempSync(join(tmpdir(), 'spool-test-'))
  try {
    const source = `import { startBroker } from ${JSON.stringify(TESTING)}\n${text}`
    const flags = ['--input-type=module-typescript', '--conditions=spool-source']
    const environment = { ...process.env, TMPDIR: temporary }
    const ran = await run(process.execPath, [...flags, '--eval', source], { env: environment })
    return { ...ran, left: readdirSync(temporary) }
  } finally {
    rmSync(temporary, { recursive: true })
  }
}

test('is a real broker on a free port of this machine, gone at the end of its scope', async () => {
  let url: string
  let dataDir: string
  {
    await using broker = await startBroker()
    ;({ url, dataDir } = broker)
    expect(url).toBe(`http://127.0.0.1:${broker.port}`)
    await produce(url, 'orders', 'kept')
    expect(await values(url, 'orders')).toEqual(['kept'])
    expect(readdirSync(dataDir)).toContain('orders-0')
  }
  await expect(fetch(url)).rejects.toThrow()
  expect(existsSync(dataDir)).toBe(false)
})

test('stopped, a temporary directory stays for the next broker, and goes when it is disposed of', async () => {
  const first = await startBroker()
  await produce(first.url, 'orders', 'kept')
  await Promise.all([first.stop(), first.stop()])
  {
    await using second = await startBroker({ dataDir: first.dataDir })
    expect(await values(second.url, 'orders')).toEqual(['kept'])
  }
  expect(existsSync(first.dataDir)).toBe(true)
  await first[Symbol.asyncDispose]()
  expect(existsSync(first.dataDir)).toBe(false)
  await first[Symbol.asyncDispose]()
})

test('a directory that was given is kept', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'spool-test-'))
  const dataDir = join(parent, 'not', 'there', 'yet')
  try {
    for (const value of ['first', 'second']) {
      await using broker = await startBroker({ dataDir })
      expect(broker.dataDir).toBe(dataDir)
      await produce(broker.url, 'orders', value)
    }
    await using broker = await startBroker({ dataDir })
    expect(await values(broker.url, 'orders')).toEqual(['first', 'second'])
  } finally {
    rmSync(parent, { recursive: true })
  }
})

test('twenty at once are twenty brokers', async () => {
  const brokers = await Promise.all(Array.from({ length: 20 }, () => startBroker()))
  expect(new Set(brokers.map((it) => it.port)).size).toBe(20)
  expect(new Set(brokers.map((it) => it.dataDir)).size).toBe(20)
  await Promise.all(brokers.map(({ url, port }) => produce(url, 'orders', `of ${port}`)))
  for (const { url, port } of brokers) expect(await values(url, 'orders')).toEqual([`of ${port}`])
  await Promise.all(brokers.map((broker) => broker[Symbol.asyncDispose]()))
  expect(brokers.filter(({ dataDir }) => existsSync(dataDir))).toEqual([])
})

test('leaves no file, handle, timer or listener, and says nothing', async () => {
  const { stdout, stderr, left } = await program(`
    import { readdirSync, readlinkSync } from 'node:fs'
    import { setImmediate } from 'node:timers/promises'

    // The pipes of this process, if any.
    const others = process.getActiveResourcesInfo().length
    const listeners = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)])
    const handles = () => readdirSync('/proc/self/fd').filter((fd) => {
      try { return !readlinkSync('/proc/self/fd/' + fd).startsWith('anon_inode') } catch { return false }
    }).length

    async function once() {
      await using broker = await startBroker()
      await fetch(broker.url + '/v1/topics/orders', { method: 'PUT' })
      await (await fetch(broker.url + '/v1/topics')).text()
      // Those who still wait, and follow, when the broker goes.
      const records = broker.url + '/v1/topics/orders/partitions/0/records?from=latest'
      void fetch(records + '&waitMs=30000').then((page) => page.text()).catch(() => {})
      const headers = { accept: 'text/event-stream' }
      void (await fetch(records, { headers })).text().catch(() => {})
    }
    // What is loaded with the first is not counted.
    await once()
    await setImmediate()
    const before = { listeners: listeners(), handles: handles() }
    for (let i = 0; i < 5; i++) await once()
    // Connections that were cut are told so in turns of the loop.
    for (let i = 0; i < 1000 && process.getActiveResourcesInfo().length > others; i++) await setImmediate()
    const after = { listeners: listeners(), handles: handles() }
    const active = process.getActiveResourcesInfo().slice(others)
    console.log(JSON.stringify({ before, after, active }))
  `)
  const { before, after, active } = JSON.parse(stdout) as Record<string, unknown>
  expect(after).toEqual(before)
  expect(active).toEqual([])
  expect(stderr).toBe('')
  expect(left).toEqual([])
}, 120_000)

test('logs to stderr when it is given a level', async () => {
  const { stdout, stderr } = await program(`
    import { once } from 'node:events'
    import { connect } from 'node:net'
    await using broker = await startBroker({ logLevel: 'warn' })
    const stranger = connect(broker.port, '127.0.0.1').resume()
    stranger.end('this is no HTTP\\r\\n\\r\\n')
    await once(stranger, 'close')
  `)
  expect(stdout).toBe('')
  expect(JSON.parse(stderr)).toMatchObject({ level: 'warn' })
})

test('a setting that is not one, or not right, is refused', async () => {
  const wrong = { segmentBytes: 1 } as object
  await expect(startBroker(wrong)).rejects.toThrow('segmentBytes is no setting of a broker')
  await expect(startBroker({ port: 65_536 })).rejects.toThrow('65535')
})

test('one that can not start leaves nothing', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  await expect(startBroker({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  taken.close()

  // A disk that fails after the directory was made.
  const made: string[] = []
  const fileSystem = Object.create(nodeFileSystem, {
    createDirectory: {
      value: async (directory: string) => {
        await nodeFileSystem.createDirectory(directory)
        made.push(directory)
      },
    },
    rename: { value: () => Promise.reject(new Error('EIO')) },
  }) as typeof nodeFileSystem
  await expect(startBroker({ dependencies: { fileSystem } })).rejects.toThrow('EIO')
  expect(made).not.toEqual([])
  expect(made.filter((directory) => existsSync(directory))).toEqual([])
})
