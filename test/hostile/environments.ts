/**
 * A world that is against the broker: no room on the disk, no right to write, no descriptors left, another
 * broker in its directory, files of secrets that everybody can read. Each case has a broker of its own.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { BrokerProcess, type BrokerProcessOptions } from '../rigs/broker-process.ts'
import { answersInWords, answersOf, floodMany, hangUp } from './flood-client.ts'

export interface EnvironmentResult {
  readonly answer: string
  readonly problems: readonly string[]
  /** Why it could not be tried here. */
  readonly skipped?: string
}

export interface EnvironmentCase {
  readonly name: string
  run(directory: string): Promise<EnvironmentResult>
}

const MIB = 1 << 20
const FILLER_BYTES = 3 * MIB
const VALUE = 'x'.repeat(200_000)
/** What refuses before it listens says why and ends. */
const EXIT_SETTING = 2
const EXIT_DIRECTORY_IN_USE = 3

interface Asked {
  readonly status: number
  readonly text: string
}

async function ask(broker: BrokerProcess, line: string, body?: string): Promise<Asked> {
  const [method, path] = line.split(' ') as ['GET', string]
  const { statusCode, body: answer } = await request(`${broker.url}${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body ?? null,
  })
  return { status: statusCode, text: await answer.text() }
}

const inWords = ({ status, text }: Asked) =>
  `${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`.trim()
const produce = (broker: BrokerProcess, value: string, topic = 't') =>
  ask(broker, `POST /v1/topics/${topic}/records`, JSON.stringify({ value }))
const endOf = async (broker: BrokerProcess) =>
  JSON.parse((await ask(broker, 'GET /v1/topics/t/offsets?at=latest')).text).partitions[0]
    .offset as number

/** Runs `work` on a file system of 8 MiB, where this machine lets us mount one. */
async function onSmallDisk(
  directory: string,
  work: (disk: string) => Promise<EnvironmentResult>,
): Promise<EnvironmentResult> {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory])
  if (mounted.status !== 0) {
    const why = mounted.stderr?.toString().trim() ?? 'no mount here'
    return { answer: 'not tried', problems: [], skipped: `no small disk: ${why}` }
  }
  try {
    return await work(directory)
  } finally {
    spawnSync('umount', ['-l', directory])
  }
}

const diskFull: EnvironmentCase = {
  name: 'the disk fills up, and is emptied again',
  run: (directory) =>
    onSmallDisk(directory, async (disk) => {
      const problems: string[] = []
      const filler = join(disk, 'filler')
      const dataDir = join(disk, 'data')
      writeFileSync(filler, Buffer.alloc(FILLER_BYTES))
      const flags = ['--disk-reserve-bytes', '0']
      let acknowledged = 0
      let refused: Asked
      {
        await using broker = await BrokerProcess.start({ dataDir, flags })
        await ask(broker, 'PUT /v1/topics/t', '{"config":{"compression.type":"none"}}')
        do {
          refused = await produce(broker, VALUE)
          if (refused.status === 200) acknowledged++
        } while (refused.status === 200 && acknowledged < 100)
        if (!/"outcome":"refused"/.test(refused.text)) problems.push(`not refused: ${refused.text}`)
        const read = await ask(broker, 'GET /v1/topics/t/partitions/0/records?limit=1')
        if (read.status !== 200) problems.push(`reading is ${read.status} while the disk is full`)
        rmSync(filler)
        const later = await produce(broker, VALUE)
        if (later.status !== 200) problems.push(`still ${inWords(later)} with room again`)
        else acknowledged++
        if ((await endOf(broker)) !== acknowledged)
          problems.push(`the log ends at ${await endOf(broker)}`)
      }
      // Disposing kills it with -9.
      await using broker = await BrokerProcess.start({ dataDir, flags })
      const end = await endOf(broker)
      if (end !== acknowledged) problems.push(`${acknowledged} acknowledged, ${end} found`)
      return { answer: `${inWords(refused)} after ${acknowledged} records, then 200`, problems }
    }),
}

const diskReserve: EnvironmentCase = {
  name: 'the disk has less room than disk.reserve.bytes',
  run: (directory) =>
    onSmallDisk(directory, async (disk) => {
      const dataDir = join(disk, 'data')
      const flags = ['--disk-reserve-bytes', String(5 * MIB)]
      await using broker = await BrokerProcess.start({ dataDir, flags })
      await ask(broker, 'PUT /v1/topics/t')
      await produce(broker, 'kept')
      writeFileSync(join(disk, 'filler'), Buffer.alloc(FILLER_BYTES + MIB / 2))
      let refused = await produce(broker, VALUE)
      // The room is looked up a second after a write, not at each.
      for (let i = 0; i < 50 && refused.status === 200; i++) {
        await delay(100)
        refused = await produce(broker, 'x')
      }
      const created = await ask(broker, 'PUT /v1/topics/other')
      const read = await ask(broker, 'GET /v1/topics/t/partitions/0/records/0')
      const problems = [refused, created]
        .filter(({ status }) => status !== 507)
        .map((asked) => `${inWords(asked)} instead of 507`)
      if (read.text !== 'kept') problems.push(`reading gives ${read.status}`)
      return { answer: inWords(refused), problems }
    }),
}

const readOnly: EnvironmentCase = {
  name: 'a data directory that can not be written',
  run: (directory) =>
    onSmallDisk(directory, async (disk) => {
      mkdirSync(join(disk, 'data'))
      spawnSync('mount', ['-o', 'remount,ro', disk])
      return refusesToStart({ dataDir: join(disk, 'data') }, /data directory .* can not be written/)
    }),
}

const noDirectory: EnvironmentCase = {
  name: 'a data directory that is a file',
  run: (directory) => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    return refusesToStart({ dataDir: file }, /file|ENOTDIR|EEXIST|director/i)
  },
}

const secondBroker: EnvironmentCase = {
  name: 'a second broker in the same directory',
  run: async (dataDir) => {
    await using first = await BrokerProcess.start({ dataDir })
    const second = await refusesToStart(
      { dataDir },
      new RegExp(String(first.pid)),
      EXIT_DIRECTORY_IN_USE,
    )
    const alive = await ask(first, 'GET /health/ready')
    return alive.status === 200 ? second : { ...second, problems: ['the first one is not ready'] }
  },
}

const TOPICS = 80
const DESCRIPTORS = 1_120

/** Three files a log, and each of the connections: far more than it may have open. */
const noDescriptors: EnvironmentCase = {
  name: `${TOPICS} topics and 1,300 connections with ${DESCRIPTORS} descriptors`,
  run: async (dataDir) => {
    await using broker = await BrokerProcess.start({ dataDir, openFilesMax: DESCRIPTORS })
    const names = Array.from({ length: TOPICS }, (_, i) => `t${i}`)
    const problems: string[] = []
    const touchAll = async (when: string) => {
      const wrong = new Set<string>()
      for (const name of names) {
        const done = await produce(broker, 'v', name)
        const read = await ask(broker, `GET /v1/topics/${name}/partitions/0/records`)
        for (const asked of [done, read]) if (asked.status !== 200) wrong.add(inWords(asked))
      }
      if (wrong.size > 0) problems.push(`${when}: ${[...wrong]}`)
    }
    for (const name of names) await ask(broker, `PUT /v1/topics/${name}`)
    await touchAll('before')
    const connections = await floodMany(
      1_300,
      broker.port,
      () => 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n',
    )
    await delay(500)
    const answers = answersOf(connections)
    hangUp(connections)
    if (!broker.isRunning) return { answer: 'ended', problems: [broker.log] }
    await delay(500)
    await touchAll('after')
    return { answer: `${answersInWords(answers)}; then 200 everywhere`, problems }
  },
}

/** A start that must fail, with a sentence and no stack. */
async function refusesToStart(
  options: BrokerProcessOptions,
  why: RegExp,
  code?: number,
): Promise<EnvironmentResult> {
  await using broker = BrokerProcess.launch({ ...options, startMsMax: 10_000 })
  await broker.ready.catch(() => {})
  const ended = broker.isRunning ? 'running' : await broker.ended()
  await delay(50)
  const problems: string[] = []
  if (typeof ended !== 'number' || ended === 0) problems.push(`ended with ${ended}`)
  if (code !== undefined && ended !== code) problems.push(`exit code ${ended} instead of ${code}`)
  if (!why.test(broker.log)) problems.push(`does not say why: ${broker.log}`)
  if (/\n\s+at /.test(broker.log)) problems.push(`says it with a stack: ${broker.log}`)
  return { answer: `exit code ${ended}`, problems }
}

/** A start with settings that must be refused. */
function setting(
  name: string,
  why: RegExp,
  flags: (directory: string) => string[],
): EnvironmentCase {
  return {
    name,
    run: (directory) =>
      refusesToStart(
        { dataDir: join(directory, 'data'), flags: flags(directory) },
        why,
        EXIT_SETTING,
      ),
  }
}

function tokenFile(directory: string, text: string, mode: number): string[] {
  const path = join(directory, 'token')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return ['--auth-token-file', path]
}

function configFile(directory: string, text: string): string[] {
  const path = join(directory, 'spool.yaml')
  writeFileSync(path, text)
  return ['--config', path]
}

/** Each of ten names stands for ten of the one before: ten thousand million at the end. */
const LAUGHS = Array.from({ length: 10 }, (_, i) =>
  i === 0
    ? 'a0: &a0 [x]'
    : `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join()}]`,
).join('\n')

export const ENVIRONMENTS: readonly EnvironmentCase[] = [
  diskFull,
  diskReserve,
  readOnly,
  noDirectory,
  secondBroker,
  noDescriptors,
  setting('a token that everybody can read', /others may read/, (directory) =>
    tokenFile(directory, 'a-token-of-sixteen-or-more', 0o644),
  ),
  setting('a token of three characters', /16 to 4096/, (directory) =>
    tokenFile(directory, 'abc', 0o600),
  ),
  setting('a token file that is a link to itself', /can not be read/, (directory) => {
    symlinkSync(join(directory, 'token'), join(directory, 'token'))
    return ['--auth-token-file', join(directory, 'token')]
  }),
  setting('every address, and no token', /--auth-token-file/, () => ['--host', '0.0.0.0']),
  setting('a configuration file that is a directory', /can not be read/, (directory) => {
    mkdirSync(join(directory, 'spool.yaml'))
    return ['--config', join(directory, 'spool.yaml')]
  }),
  setting('a configuration file of a list', /keys and values/, (directory) =>
    configFile(directory, '- 1\n'),
  ),
  setting('a key nobody knows', /not known/, (directory) =>
    configFile(directory, '__proto__: 1\n'),
  ),
  setting('a value out of bounds', /topics\.max/, (directory) =>
    configFile(directory, 'topics.max: 1e9\n'),
  ),
  setting('a billion laughs', /not YAML|not known/, (directory) => configFile(directory, LAUGHS)),
]

/** Runs one case in a directory of its own. */
export async function runEnvironment(each: EnvironmentCase): Promise<EnvironmentResult> {
  const directory = mkdtempSync(join(tmpdir(), 'spool-environment-'))
  try {
    return await each.run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
