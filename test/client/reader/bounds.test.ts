/** What a reader holds, over Node: as much memory as it was allowed, and nothing once it ended. */

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../../broker/testing.ts'
import { connect, type Reader } from '../../../client/index.ts'
import { ReadyBatches } from '../../../client/node/ready-batches.ts'
import type { SourceBatch } from '../../../client/transport.ts'
import { FETCH, newTopic, until, write } from './doors.ts'
import { batchOf, fetchAnswer, type Script, StandInBroker, send, TOPIC } from './stand-in-broker.ts'

const KIB = 1024

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

describe('prefetching', () => {
  const BATCH_BYTES = 50 * KIB
  const PREFETCH_BYTES = 300 * KIB

  test('stops at its bound, and goes on when there is room', async () => {
    let sentBytes = 0
    const script: Script = ({ offset }, response, { maxBytes }) => {
      // As many batches as were asked for, but one in any case.
      const batches = Array.from(
        { length: Math.max(1, Math.floor(maxBytes / BATCH_BYTES)) },
        (_, at) => batchOf(offset + at, ['x'.repeat(BATCH_BYTES - 100)]),
      )
      const bytes = Buffer.concat(batches)
      sentBytes += bytes.length
      send(response, fetchAnswer(bytes, { highWatermark: 10_000 }))
    }
    await using broker = await StandInBroker.start(script)
    await using client = connect(broker.url)
    const reader = client.reader(TOPIC, { prefetchBytes: PREFETCH_BYTES })
    let takenBytes = 0
    for await (const record of reader) {
      takenBytes += record.valueBytes!.length
      if (record.offset % 20 !== 0) continue
      await until(() => sentBytes - takenBytes > PREFETCH_BYTES / 2)
      await new Promise((resolve) => setTimeout(resolve, 20))
      // The record's own batch, and one that is always taken, come on top.
      expect(sentBytes - takenBytes).toBeLessThanOrEqual(PREFETCH_BYTES + 2 * BATCH_BYTES)
      if (record.offset >= 60) break
    }
    expect(takenBytes).toBeGreaterThan(2 * PREFETCH_BYTES)
  })

  test('keeps no batch that was handed out, also where it never runs empty', async () => {
    const ready = new ReadyBatches(1_000_000)
    const push = (count: number) =>
      ready.push(Array.from({ length: count }, () => ({ sizeBytes: 10 }) as SourceBatch))
    const refs: WeakRef<SourceBatch>[] = []
    push(10)
    for (let round = 0; round < 1_000; round++) {
      push(1)
      refs.push(new WeakRef(ready.poll()!))
    }
    expect(ready.roomBytes).toBe(1_000_000 - 10 * 10)
    // What a WeakRef showed stays until the turn is over.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([])
    for (let left = 0; left < 10; left++) expect(ready.poll()).toBeDefined()
    expect(ready.poll()).toBeUndefined()
    expect(ready.roomBytes).toBe(1_000_000)
  })

  test('begins with little, for who wants little', async () => {
    const sizes: number[] = []
    const script: Script = ({ offset }, response, { maxBytes }) => {
      sizes.push(maxBytes)
      send(response, fetchAnswer(batchOf(offset, 1), { highWatermark: 10 }))
    }
    await using broker = await StandInBroker.start(script)
    await using client = connect(broker.url)
    let count = 0
    for await (const _ of client.reader(TOPIC, { until: 10 })) count++
    expect(count).toBe(10)
    expect(sizes[0]).toBeLessThanOrEqual(128 * KIB)
    expect(sizes.at(-1)).toBeGreaterThan(sizes[0]!)
  })
})

describe('once a loop ended', () => {
  const waiting: Script = ({ offset }, response) => {
    if (offset === 0) send(response, fetchAnswer(batchOf(0, 10), { highWatermark: 10 }))
  }
  const endings: [string, (reader: Reader, abort: AbortController) => Promise<unknown>][] = [
    [
      'by break',
      async (reader) => {
        for await (const _ of reader) break
      },
    ],
    [
      'by break, out of batches',
      async (reader) => {
        for await (const _ of reader.batches()) break
      },
    ],
    [
      'by an error in its body',
      async (reader) => {
        for await (const _ of reader) throw new Error('on purpose')
      },
    ],
    [
      'by its signal',
      async (reader, abort) => {
        for await (const { offset } of reader) if (offset === 9) setTimeout(() => abort.abort(), 10)
      },
    ],
    [
      'by close()',
      async (reader) => {
        for await (const { offset } of reader) {
          if (offset === 9) setTimeout(() => void reader.close(), 10)
        }
      },
    ],
  ]
  test.each(endings)('%s, its connection is closed', async (_, end) => {
    await using broker = await StandInBroker.start(waiting)
    await using client = connect(broker.url)
    const abort = new AbortController()
    const reader = client.reader(TOPIC, { signal: abort.signal, maxWaitMs: 30_000 })
    await end(reader, abort).catch(() => {})
    // What is left is the one of the plain request that asked for offsets.
    while ((await broker.connections()) > 1) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await broker.connections()).toBe(1)
  })

  test('at its end, its connection is closed before what lies ready is read', async () => {
    await using broker = await StandInBroker.start(waiting)
    await using client = connect(broker.url)
    const loop = client.reader(TOPIC, { until: 10 })[Symbol.asyncIterator]()
    await loop.next()
    while ((await broker.connections()) > 1) await new Promise((resolve) => setTimeout(resolve, 5))
    for (let offset = 1; offset < 10; offset++) {
      expect(await loop.next()).toMatchObject({ value: { offset } })
    }
    expect(await loop.next()).toMatchObject({ done: true })
  })

  test('over fetch, its stream is closed', async () => {
    await using broker = await startBroker()
    await using writer = connect(broker.url)
    const topic = await newTopic(writer, 2)
    await write(writer, topic, 100, { partitions: 2 })
    const streams = async (count: number) => {
      for (;;) {
        const metrics = await (await fetch(`${broker.url}/metrics`)).text()
        if (metrics.includes(`\nspool_streams ${count}\n`)) return
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    await using client = FETCH.connect(broker.url)
    const reader = client.reader(topic)
    for await (const record of reader) {
      await streams(1)
      if (record.offset === 49) break
    }
    await streams(0)
    const loop = reader[Symbol.asyncIterator]()
    const waiting = Promise.all(Array.from({ length: 100 }, () => loop.next()))
    await until(() => Object.values(reader.position()).every((next) => next === 50))
    await streams(1)
    await reader.close()
    expect((await waiting).at(-1)).toMatchObject({ done: true })
    await streams(0)
  })

  test('and its client is closed, nothing keeps the process', async () => {
    await using broker = await startBroker()
    await using client = connect(broker.url)
    const topic = await newTopic(client, 2)
    await write(client, topic, 100, { partitions: 2 })
    const program = join(import.meta.dirname, 'ending-program.ts')
    const child = execFile(process.execPath, [program, broker.url, topic])
    let output = ''
    child.stdout?.on('data', (text: string) => {
      output += text
    })
    child.stderr?.on('data', (text: string) => {
      output += text
    })
    const [code] = await once(child, 'exit')
    expect({ code, output }).toEqual({ code: 0, output: 'broken off, aborted, closed\n' })
  })
})
