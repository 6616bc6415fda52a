/** Endless uploads: lines become records as they arrive, and the answer says exactly how far it got. */

import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { sendRaw } from '../raw-http.ts'
import { TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ httpIdleMsMax: 700 })
})
afterAll(() => broker[Symbol.asyncDispose]())

const NDJSON = { 'content-type': 'application/x-ndjson' }
const values = (topic: TestTopic) => topic.stored().then((all) => all.map(({ value }) => value))

/** A chunked request whose body the test sends piece by piece. */
class OpenUpload {
  readonly socket: Socket
  text = ''

  constructor(topic: TestTopic, query = '', headers = 'Content-Type: application/x-ndjson\r\n') {
    this.socket = createConnection({ port: topic.broker.port, host: '127.0.0.1' })
    this.socket.setEncoding('latin1').on('data', (chunk) => {
      this.text += chunk
    })
    this.socket.on('error', () => {})
    this.socket.write(
      `POST ${topic.path}${query} HTTP/1.1\r\nHost: localhost\r\n${headers}Transfer-Encoding: chunked\r\n\r\n`,
    )
  }

  send(text: string): void {
    this.socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
  }

  /** Ends the body properly; the document after it. */
  // biome-ignore lint/suspicious/noExplicitAny: a document the test looks into
  async end(): Promise<any> {
    this.socket.write('0\r\n\r\n')
    await expect.poll(() => /\n\r?\n?\{.*\}\n/s.test(this.text)).toBe(true)
    this.socket.destroy()
    return this.document()
  }

  // biome-ignore lint/suspicious/noExplicitAny: a document the test looks into
  document(): any {
    const lines = this.text.split('\n').filter((line) => line.startsWith('{'))
    return JSON.parse(lines.at(-1)!)
  }
}

describe('an upload', () => {
  test('answers with one document after the body ended', async () => {
    const topic = await TestTopic.create(broker, { partitions: 2 })
    const body = Array.from({ length: 100 }, (_, i) => `{"key":"k${i % 10}","value":${i}}\n`).join(
      '',
    )
    const { status, json } = await topic.post(body, '', NDJSON)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      topic: topic.name,
      lines: 100,
      appended: 100,
      refused: 0,
      resumeAtLine: 101,
      durability: 'flushed',
      errors: [],
    })
    let sum = 0
    for (const { partition, count, firstOffset, lastOffset } of json.partitions) {
      expect(lastOffset - firstOffset + 1).toBe(count)
      expect(await topic.stored(partition)).toHaveLength(count)
      sum += count
    }
    expect(sum).toBe(100)
  })

  test('stores the same whatever the chunks, with and without the last line end', async () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      .map((text) => text.replace(/[\r\n]/g, ' '))
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 5 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        async (lines, places, lineEnd, hasLastEnd) => {
          fc.pre(hasLastEnd || lines.at(-1) !== '')
          const topic = await TestTopic.create(broker)
          const text = lines.join(lineEnd) + (hasLastEnd ? lineEnd : '')
          const cuts = [
            0,
            ...places.map((place) => place % (text.length + 1)).sort((a, b) => a - b),
          ]
          const upload = new OpenUpload(topic, '?body=lines', '')
          for (const [i, from] of cuts.entries()) {
            const piece = text.slice(from, cuts[i + 1])
            if (piece.isWellFormed() && piece !== '') upload.send(piece)
            else if (piece !== '') fc.pre(false)
          }
          const { appended } = await upload.end()
          expect(appended).toBe(lines.length)
          const stored = (await values(topic)).map((value) =>
            Buffer.from(value!, 'latin1').toString(),
          )
          expect(stored).toEqual(lines.map((each) => each.replace(/\r$/, '')))
        },
      ),
      { numRuns: 25 },
    )
  })

  test('is appended while it goes on', async () => {
    const topic = await TestTopic.create(broker)
    const upload = new OpenUpload(topic)
    upload.send('{"value":"first"}\n{"value":"sec')
    await expect.poll(() => topic.count()).toBe(1)
    upload.send('ond"}\n')
    await expect.poll(() => topic.count()).toBe(2)
    expect(upload.text).toBe('')
    expect(await upload.end()).toMatchObject({ lines: 2, appended: 2, resumeAtLine: 3 })
  })

  test('of lines finds keys and times in them', async () => {
    const topic = await TestTopic.create(broker, { partitions: 4 })
    const line = (i: number) =>
      `{"ts":"2025-01-01T00:00:0${i % 10}.500Z","user":{"id":"u${i % 7}"},"n":${i}}`
    const body = Array.from({ length: 50 }, (_, i) => line(i)).join('\n')
    const reply = await topic.post(body, '?body=lines&keyFrom=/user/id&timestampFrom=/ts', {})
    expect(reply.json).toMatchObject({ lines: 50, appended: 50 })
    const all = (await Promise.all([0, 1, 2, 3].map((p) => topic.stored(p)))).flat()
    expect(all).toHaveLength(50)
    for (const { key, value, timestamp } of all) {
      const { user, ts, n } = JSON.parse(value!)
      expect(value).toBe(line(n))
      expect(key).toBe(user.id)
      expect(timestamp).toBe(Date.parse(ts))
    }
  })

  test('passes over blank lines between records and counts them', async () => {
    const topic = await TestTopic.create(broker)
    const { json } = await topic.post('{"value":1}\n\n  \r\n{"value":2}\n', '', NDJSON)
    expect(json).toMatchObject({ lines: 4, appended: 2, refused: 0, resumeAtLine: 5 })
  })

  test('of nothing is fine', async () => {
    const topic = await TestTopic.create(broker)
    expect((await topic.post('', '', NDJSON)).json).toMatchObject({ lines: 0, resumeAtLine: 1 })
  })

  test('with acks=0 is 202', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.post('{"value":1}\n', '?acks=0', NDJSON)
    expect(reply.status).toBe(202)
    expect(reply.json).toMatchObject({ lines: 1, appended: 1 })
    expect(reply.json.durability).toBeUndefined()
    expect(reply.json.partitions).toBeUndefined()
  })
})

describe('a malformed line', () => {
  const body = '{"value":1}\n{"value":\n{"value":3}\n{"valu":4}\n{"value":5}\n'

  test('stops the upload: what was before it stays, nothing after it comes', async () => {
    const topic = await TestTopic.create(broker)
    const { status, json } = await topic.post(body, '', NDJSON)
    expect(status).toBe(400)
    expect(json).toMatchObject({
      lines: 2,
      appended: 1,
      refused: 1,
      resumeAtLine: 2,
      errors: [{ line: 2, code: 'INVALID_REQUEST' }],
    })
    expect(await values(topic)).toEqual(['1'])
  })

  test('is passed over with onError=skip, and told', async () => {
    const topic = await TestTopic.create(broker)
    const { status, json } = await topic.post(body, '?onError=skip', NDJSON)
    expect(status).toBe(400)
    expect(json).toMatchObject({
      lines: 5,
      appended: 3,
      refused: 2,
      resumeAtLine: 6,
      errors: [
        { line: 2, code: 'INVALID_REQUEST' },
        { line: 4, code: 'INVALID_RECORD' },
      ],
    })
    expect(await values(topic)).toEqual(['1', '3', '5'])
  })

  test('is one of any kind: the first hundred are listed, all are counted', async () => {
    const topic = await TestTopic.create(broker, { config: { 'max.message.bytes': 2_000 } })
    const bad = [
      'x'.repeat(5_000),
      '{"value":1,"timestamp":99999999999999}',
      '{"value":1,"partition":4}',
      '{"value":"\\ud800"}',
      '[]',
      '\ufeff{"value":1}',
    ]
    const text = Array.from(
      { length: 150 },
      (_, i) => `${bad[i % bad.length]}\n{"value":${i}}\n`,
    ).join('')
    const { json } = await topic.post(text, '?onError=skip', NDJSON)
    expect(json).toMatchObject({ lines: 300, appended: 150, refused: 150, resumeAtLine: 301 })
    expect(json.errors).toHaveLength(100)
    expect(json.errors.slice(0, 6).map((each: { code: string }) => each.code)).toEqual([
      'MESSAGE_TOO_LARGE',
      'INVALID_TIMESTAMP',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'INVALID_RECORD',
      'INVALID_RECORD',
      'INVALID_REQUEST',
    ])
    expect(json.errors[1].line).toBe(3)
  })

  test('where keyFrom finds nothing is 422', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.post('{"a":1}\n{"b":2}\n{"a":3}', '?body=lines&keyFrom=/a', {})
    expect(reply.status).toBe(422)
    expect(reply.json).toMatchObject({ appended: 1, resumeAtLine: 2, errors: [{ line: 2 }] })
  })

  test('in the middle of a long body is answered although the rest still comes', async () => {
    const topic = await TestTopic.create(broker)
    const head = `POST ${topic.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 30000000\r\n\r\n`
    const filler = `${'{"value":1}\n'.repeat(10_000)}`
    const reply = await sendRaw(broker.port, [head, '{"value":0}\nnot json\n', filler, filler])
    expect(reply.status).toBe(400)
    expect(reply.headers.connection).toBe('close')
    expect(JSON.parse(reply.body)).toMatchObject({ lines: 2, appended: 1, refused: 1 })
    expect(reply.isClosed).toBe(true)
    expect(await values(topic)).toEqual(['0'])
  })
})

describe('a body that does not end properly', () => {
  test('keeps its whole lines and drops the one that was cut', async () => {
    const topic = await TestTopic.create(broker)
    const upload = new OpenUpload(topic)
    upload.send('{"value":"whole"}\n{"value":"cut"}')
    await expect.poll(() => topic.count()).toBe(1)
    upload.socket.destroy()
    await delay(50)
    expect(await values(topic)).toEqual(['whole'])
  })

  test('leaves nothing behind, however often', async () => {
    const topic = await TestTopic.create(broker)
    for (let i = 0; i < 20; i++) {
      const upload = new OpenUpload(topic)
      upload.send(`{"value":${i}}\n{"value":"cut`)
      await delay(5)
      upload.socket.destroy()
    }
    const { json } = await topic.post('{"value":"last"}', '', NDJSON)
    expect(json.appended).toBe(1)
    // The last of them may still be on their way to the disk.
    const metrics = () => fetch(`${broker.url}/metrics`).then((reply) => reply.text())
    await expect.poll(metrics, { timeout: 10_000 }).toMatch(/queued_bytes\S* 0\n/)
  })

  test('and is silent for too long is 408 with the line to go on from', async () => {
    const topic = await TestTopic.create(broker)
    const upload = new OpenUpload(topic)
    upload.send('{"value":1}\n{"value":2}\n{"val')
    await expect.poll(() => upload.text, { timeout: 5_000 }).toContain('resumeAtLine')
    expect(upload.text).toContain('HTTP/1.1 408')
    expect(upload.document()).toMatchObject({
      code: 'REQUEST_BODY_TIMEOUT',
      outcome: 'partial',
      lines: 2,
      appended: 2,
      resumeAtLine: 3,
    })
    upload.socket.destroy()
  })
})

describe('a failure on our side', () => {
  test('says from which line on to send again', async () => {
    const topic = await TestTopic.create(broker, { partitions: 3 })
    const upload = new OpenUpload(topic)
    upload.send('{"value":1,"partition":0}\n{"value":2,"partition":1}\n')
    await expect.poll(() => topic.count()).toBe(2)
    await broker.context.topics.delete(topic.name)
    upload.send('{"value":3,"partition":2}\n{"value":4,"partition":0}\n')
    await expect.poll(() => upload.text).toContain('resumeAtLine')
    expect(upload.document()).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      outcome: 'partial',
      lines: 4,
      appended: 2,
      resumeAtLine: 3,
    })
    upload.socket.destroy()
  })

  test('a broker that stops ends it, with the line to go on from', async () => {
    await using other = await startBroker()
    const topic = await TestTopic.create(other)
    const upload = new OpenUpload(topic)
    upload.send('{"value":1}\n{"value":2}\n')
    await expect.poll(() => topic.count()).toBe(2)
    const stopped = other.stop()
    await expect.poll(() => upload.text).toContain('resumeAtLine')
    expect(upload.document()).toMatchObject({
      code: 'BROKER_STOPPING',
      appended: 2,
      resumeAtLine: 3,
    })
    await stopped
  })
})

describe('progress', () => {
  test('begins at once, says how far it got, and ends with the document', async () => {
    const topic = await TestTopic.create(broker)
    const upload = new OpenUpload(
      topic,
      '',
      'Content-Type: application/x-ndjson\r\nAccept: application/x-ndjson\r\n',
    )
    upload.send('{"value":1}\n')
    await expect.poll(() => upload.text).toContain('HTTP/1.1 200')
    // Bytes must keep coming, or the idle limit of this broker ends it.
    const feeding = setInterval(() => upload.send('{"value":2}\n'), 100)
    await expect.poll(() => upload.text, { timeout: 4_000 }).toContain('"line":')
    clearInterval(feeding)
    upload.socket.write('0\r\n\r\n')
    await expect.poll(() => upload.text).toContain('"resumeAtLine":')
    const lines = upload.text.split('\n').filter((line) => line.startsWith('{'))
    const progress = JSON.parse(lines[0]!)
    expect(progress).toEqual({ line: progress.line, appended: progress.line, refused: 0 })
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ refused: 0, durability: 'flushed' })
    upload.socket.destroy()
  })

  test('tells a failure as its last line, under 200', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.post('{"value":1}\nx\n', '', {
      ...NDJSON,
      accept: 'application/x-ndjson',
    })
    expect(reply.status).toBe(200)
    expect(JSON.parse(reply.text.trimEnd().split('\n').at(-1)!)).toMatchObject({
      appended: 1,
      refused: 1,
    })
  })
})

test('memory of an upload does not follow its length', { timeout: 60_000 }, async () => {
  const topic = await TestTopic.create(broker, { partitions: 4 })
  const upload = new OpenUpload(topic, '?body=lines', '')
  const chunk = `${'x'.repeat(1_023)}\n`.repeat(1_024)
  let peak = 0
  for (let i = 0; i < 60; i++) {
    upload.send(chunk)
    if (upload.socket.writableLength > 4_000_000) {
      await new Promise((resolve) => upload.socket.once('drain', resolve))
    }
    const metrics = await fetch(`${broker.url}/metrics`).then((reply) => reply.text())
    peak = Math.max(peak, Number(/queued_bytes\S* (\d+)\n/.exec(metrics)?.[1]))
  }
  expect(peak).toBeLessThan(16 * 1024 * 1024)
  expect(await upload.end()).toMatchObject({ lines: 60 * 1_024, appended: 60 * 1_024 })
})
