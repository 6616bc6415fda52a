/**
 * One upload inside this process, against a real broker: what no process from outside can bring about at
 * will, such as records that arrive after somebody looked.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { Output } from '../../cli/output.ts'
import { type Input, openInputs } from '../../cli/produce/input.ts'
import { producePlan } from '../../cli/produce/plan.ts'
import { type Resuming, resumingOf } from '../../cli/produce/resuming.ts'
import { Session, type SessionOptions } from '../../cli/produce/session.ts'
import { Target } from '../../cli/produce/target.ts'
import { globalOptions } from '../../cli/verb.ts'
import { type Client, connect, string } from '../../client/index.ts'

let broker: TestBroker
let client: Client
let directory: string
beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
  directory = mkdtempSync(join(tmpdir(), 'spool-session-'))
})
afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const LINES = Array.from({ length: 300 }, (_, at) => `line ${at}`)

async function valuesOf(topic: string): Promise<string[]> {
  const values: string[] = []
  for await (const record of client.reader(topic, { value: string, until: 'latest' })) {
    values.push(record.value ?? '')
  }
  return values
}

/** An upload of LINES to a new topic of one partition; nothing is appended yet. */
async function begun(topic: string) {
  const file = join(directory, `${topic}.txt`)
  writeFileSync(file, LINES.join('\n'))
  const description = await client.admin.createTopic({ name: topic })
  const plan = producePlan(topic, { fromFile: [file], resume: true })
  const output = new Output({ isJson: false, isQuiet: true, hasColor: false })
  const inputs = await openInputs(plan.files)
  const { signal } = new AbortController()
  const question = { plan, inputs, description, client, output, signal, random: () => 0 }
  const resuming = (await resumingOf(question)) as Resuming
  const options: SessionOptions = {
    plan,
    global: globalOptions({}),
    inputs,
    target: new Target(description, plan.sending, 1),
    client,
    resuming,
    interrupted: signal,
    onRefused: () => {},
    random: () => 0,
  }
  /** As if an earlier process had sent it: records `from` to before `to`, in one batch. */
  const sendStray = async (from: number, to: number) => {
    const { producerId, producerEpoch, topicId } = resuming.state
    const sequences = { 0: from }
    const continues = { topicId, producerId, producerEpoch, sequences }
    const stray = client.producer({ topic, value: string, continues })
    for (const value of LINES.slice(from, to)) stray.enqueue({ value, partition: 0 })
    await stray.close()
  }
  return { options, sendStray, [Symbol.asyncDispose]: async () => inputs[0]?.close() }
}

/** The client, but the first to ask where the topic ends is told the place where it began. */
function withStaleEnd(run: () => Promise<void>): Client {
  let asked = 0
  const admin = new Proxy(client.admin, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (name !== 'offsets') return typeof value === 'function' ? value.bind(target) : value
      return async (...words: Parameters<typeof target.offsets>) => {
        const answer = await target.offsets(...words)
        asked += 1
        // What follows has arrived after the answer was given.
        if (asked === 1) await run()
        return answer
      }
    },
  })
  return new Proxy(client, {
    get(target, name) {
      if (name === 'admin') return admin
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** As it is for a process that finds the resume file: something may have arrived. */
function continued({ options }: { options: SessionOptions }, other: Client): Session {
  const { resuming } = options
  const state = { ...resuming!.state, isSettled: false }
  return new Session({ ...options, client: other, resuming: { ...resuming!, state } })
}

test('records that arrive after somebody looked are noticed, and not sent again', async () => {
  await using setup = await begun('late')
  await setup.sendStray(0, 50)
  const late = withStaleEnd(() => setup.sendStray(50, 120))
  const session = continued(setup, late)
  expect(await session.run()).toBe('done')
  expect(session.isSettled).toBe(true)
  expect(await valuesOf('late')).toEqual(LINES)
  const { count, earlier } = session.acknowledged
  expect([count, earlier]).toEqual([250, 50])
})

test('all of them, whatever batches they came in', async () => {
  await using setup = await begun('all-there')
  await setup.sendStray(0, 7)
  await setup.sendStray(7, 300)
  const session = continued(setup, client)
  expect(await session.run()).toBe('done')
  expect(await valuesOf('all-there')).toEqual(LINES)
  expect(session.acknowledged.earlier).toBe(300)
})

test('another record under a number is an error, and nothing is appended behind it', async () => {
  await using setup = await begun('other')
  await setup.sendStray(0, 10)
  const { producerId, producerEpoch, topicId } = setup.options.resuming!.state
  const continues = { topicId, producerId, producerEpoch, sequences: { 0: 10 } }
  const wrong = client.producer({ topic: 'other', value: string, continues })
  wrong.enqueue({ value: 'another line', partition: 0 })
  await wrong.close()
  const session = continued(setup, client)
  await expect(session.run()).rejects.toThrow(/other\.txt:11 is not what was appended before/)
  expect(await valuesOf('other')).toEqual([...LINES.slice(0, 10), 'another line'])
})

test('who writes from stdin for long learns of new partitions and other settings', async () => {
  const topic = 'growing'
  const description = await client.admin.createTopic({ name: topic, partitions: 1 })
  const plan = producePlan(topic, { lingerMs: 0, skipErrors: true })
  const pieces: ((piece: Buffer | undefined) => void)[] = []
  const stdin: Input = {
    name: undefined,
    sizeBytes: undefined,
    pieces: () => ({
      next: () =>
        new Promise((resolve) =>
          pieces.push((value) =>
            resolve(value === undefined ? { done: true, value } : { done: false, value }),
          ),
        ),
    }),
    close: async () => {},
  }
  const refused: string[] = []
  const session = new Session({
    plan,
    global: globalOptions({}),
    inputs: [stdin],
    target: new Target(description, plan.sending),
    client,
    resuming: undefined,
    interrupted: new AbortController().signal,
    onRefused: ({ detail }) => refused.push(detail),
    random: () => 0,
    refreshMs: 20,
  })
  const running = session.run()
  const give = async (text: string | undefined) => {
    while (pieces.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    pieces.shift()!(text === undefined ? undefined : Buffer.from(text))
  }
  const counts = async () =>
    (await client.admin.offsets(topic)).partitions.map(({ offset }) => offset)
  await give(`${'x'.repeat(5_000)}\n`)
  await client.admin.alterTopic(topic, {
    partitions: 3,
    config: { 'max.message.bytes': 2_000 },
  })
  for (let at = 0; (await counts()).some((count) => count === 0); at++) await give(`line ${at}\n`)
  await give(`${'x'.repeat(5_000)}\n`)
  await give(undefined)
  expect(await running).toBe('done')
  expect(session.isSettled).toBe(true)
  expect(refused).toEqual([expect.stringContaining('max.message.bytes 2000')])
  const total = (await counts()).reduce((sum, count) => sum + count, 0)
  expect(session.acknowledged.count).toBe(total)
})
