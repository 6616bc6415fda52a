/**
 * What a command says and ends with when it can not do its work: nobody answers, a token is wanted,
 * something is missing, a stranger answers, stdout is closed or full. Each exit code, as text and as JSON.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { connect } from '../../client/index.ts'
import { onTerminal, SpoolCommand, spool, spoolLine } from '../rigs/spool-command.ts'

const TOKEN = 'a-token-of-this-test'

let directory: string
let broker: TestBroker
/** Wants a token. */
let closed: TestBroker
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'spool-failures-'))
  writeFileSync(join(directory, 'token'), `${TOKEN}\n`, { mode: 0o600 })
  writeFileSync(join(directory, 'wrong'), 'another-token\n')
  writeFileSync(join(directory, 'empty'), '\n')
  broker = await startBroker()
  closed = await startBroker({ authTokenFile: join(directory, 'token') })
})
afterAll(async () => {
  await broker[Symbol.asyncDispose]()
  await closed[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

async function listening(server: Server | ReturnType<typeof createNetServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An address where nobody listens. */
async function deadUrl(): Promise<string> {
  const server = createNetServer()
  const url = await listening(server)
  await new Promise((resolve) => server.close(resolve))
  return url
}

describe('nobody answers: exit code 6', () => {
  test('at once, with where it looked and what to do; every verb that asks a broker', async () => {
    const url = await deadUrl()
    const commands = [
      ['topics', 'list'],
      ['topics', 'create', 'x'],
      ['topics', 'describe', 'x'],
      ['topics', 'alter', 'x', '-p', '2'],
      ['topics', 'trim', 'x', '-p', '0', '--before', 'latest', '--yes'],
      ['topics', 'delete', 'x', '--yes'],
      ['offsets', 'x'],
      ['consume', 'x'],
      ['cat', 'x/0/0'],
    ]
    const ends = await Promise.all(commands.map((words) => spool(words, { url })))
    for (const [at, { code, stdout, stderr }] of ends.entries()) {
      const verb = commands[at]!.slice(0, commands[at]![0] === 'topics' ? 2 : 1).join(' ')
      expect({ code, stdout, stderr }).toEqual({
        code: 6,
        stdout: '',
        stderr: `spool ${verb}: no broker answers at ${url} (connection refused)\n  start one with: spool serve; or say where it is with --url or SPOOL_URL\n`,
      })
    }
  })

  test('as JSON it is retriable', async () => {
    const { code, stdout, stderr } = await spool(['offsets', 'x', '--json'], {
      url: await deadUrl(),
    })
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({
      verb: 'offsets',
      code: 'NETWORK_EXCEPTION',
      retriable: true,
      nextStep: expect.stringContaining('spool serve'),
    })
  })

  test('a server that never says a word, after --timeout', async () => {
    const silent = createNetServer()
    const url = await listening(silent)
    const { code, stderr } = await spool(['topics', 'list', '--timeout', '200ms'], { url })
    silent.close()
    expect(code).toBe(6)
    expect(stderr).toContain('within 200 ms')
    expect(stderr).toContain('--timeout 2m')
  })
})

describe('a token is wanted: exit code 8', () => {
  test('none and a wrong one are refused, the right one is let in, by option and by environment', async () => {
    const url = closed.url
    const [none, wrong, byOption, byEnvironment] = await Promise.all([
      spool(['topics', 'list'], { url }),
      spool(['topics', 'list', '--token-file', join(directory, 'wrong')], { url }),
      spool(['topics', 'list', '--token-file', join(directory, 'token')], { url }),
      spool(['topics', 'list'], {
        url,
        environment: { SPOOL_TOKEN_FILE: join(directory, 'token') },
      }),
    ])
    for (const { code, stderr } of [none, wrong]) {
      expect(code).toBe(8)
      expect(stderr).toContain(`spool topics list: the broker at ${url} wants a token: `)
      expect(stderr).toContain('--token-file FILE or SPOOL_TOKEN_FILE')
      expect(stderr).not.toContain('another-token')
    }
    for (const { code } of [byOption, byEnvironment]) expect(code).toBe(0)
  })

  test('a file that holds none is a wrong argument', async () => {
    const [missing, empty] = await Promise.all(
      ['missing', 'empty'].map((file) =>
        spool(['topics', 'list', '--token-file', join(directory, file)], { url: closed.url }),
      ),
    )
    expect(missing?.code).toBe(2)
    expect(missing?.stderr).toContain('can not be read (ENOENT)')
    expect(empty?.code).toBe(2)
    expect(empty?.stderr).toContain('is empty')
  })
})

describe('addresses', () => {
  test('with a scheme, without one, a port alone', async () => {
    const { port } = broker
    const words = [`http://127.0.0.1:${port}`, `127.0.0.1:${port}`, `localhost:${port}`, `:${port}`]
    for (const url of words) {
      const { code, stderr } = await spool(['topics', 'list', '-q', '-b', url])
      expect({ url, code, stderr: code === 0 ? '' : stderr }).toEqual({ url, code: 0, stderr: '' })
    }
  })

  test('what is none is told apart, and a password is not repeated', async () => {
    const cases: readonly (readonly [string, string])[] = [
      [
        '',
        'option --url is "", not the address of a broker: expected http://127.0.0.1:7766, or host:port',
      ],
      ['http://', 'option --url is "http://", not the address of a broker'],
      ['ftp://x', 'option --url is "ftp://x", not the address of a broker'],
      ['127.0.0.1:99999', 'option --url is "127.0.0.1:99999", not the address of a broker'],
      [
        'http://127.0.0.1:1/v1',
        'option --url goes on after host and port: expected http://127.0.0.1:1',
      ],
      ['http://me:secret@127.0.0.1', 'option --url has a user or password in it'],
    ]
    const ends = await Promise.all(cases.map(([url]) => spool(['topics', 'list', '--url', url])))
    for (const [at, { code, stderr }] of ends.entries()) {
      expect(code).toBe(2)
      expect(stderr).toContain(cases[at]![1])
      expect(stderr).not.toContain('secret')
    }
    const environment = await spool(['topics', 'list'], { url: 'http://x:y' })
    expect(environment.code).toBe(2)
    expect(environment.stderr).toContain('SPOOL_URL is "http://x:y"')
  })
})

describe('what is asked for is not there: exit code 7', () => {
  test('a topic: how to make one, and where to look, at the same broker', async () => {
    const { code, stderr } = await spool(['topics', 'describe', 'missing', '-b', broker.url])
    expect(code).toBe(7)
    expect(stderr).toBe(
      `spool topics describe: there is no topic missing\n  create it with: spool topics create missing -b ${broker.url}; see what there is with: spool topics list -b ${broker.url}\n`,
    )
    const json = await spool(['offsets', 'missing', '--json'], { url: broker.url })
    expect(json.code).toBe(7)
    expect(JSON.parse(json.stderr)).toMatchObject({
      verb: 'offsets',
      status: 404,
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    })
  })
})

describe('a stranger answers', () => {
  /** Posing as a broker: whatever is asked, this is the answer. */
  async function stranger(status: number, type: string, body: string) {
    const server = createServer((_request, response) =>
      response.writeHead(status, { 'content-type': type }).end(body),
    )
    const url = await listening(server)
    return { url, [Symbol.dispose]: () => void server.close() }
  }

  test('a page of some web server is exit code 1, and said to be none of a broker', async () => {
    using web = await stranger(200, 'text/html', '<h1>Welcome</h1>')
    const { code, stderr } = await spool(['topics', 'list'], { url: web.url })
    expect(code).toBe(1)
    expect(stderr).toContain('this is no Spool broker')
  })

  test('nothing it sends reaches a terminal as it is: names, sentences', async () => {
    const evil = '\x1b[2J\u009b31m\nforged\trow'
    const topic = {
      name: evil,
      topicId: evil,
      partitions: 1,
      replicationFactor: 1,
      isInternal: false,
    }
    using names = await stranger(200, 'application/json', JSON.stringify({ topics: [topic] }))
    const problem = {
      type: 'x',
      title: evil,
      status: 409,
      code: 'TOPIC_ALREADY_EXISTS',
      detail: evil,
    }
    using problems = await stranger(409, 'application/problem+json', JSON.stringify(problem))
    for (const { url } of [names, problems]) {
      const words = [
        'topics',
        url === names.url ? 'list' : 'create',
        ...(url === names.url ? [] : ['x']),
      ]
      const piped = await spool(words, { url })
      await using shown = onTerminal(spoolLine([...words, '--no-color']), { url })
      const { stdout: onScreen } = await shown.ended
      for (const text of [piped.stdout + piped.stderr, onScreen.replaceAll('\r\n', '\n')]) {
        expect(text).toContain('\\u001b[2J\\u009b31m\\nforged\\trow')
        expect(text).not.toContain('\x1b')
        expect(text).not.toContain('\u009b')
        expect(text).not.toMatch(/^forged/m)
      }
    }
  })
})

describe('stdout', () => {
  beforeAll(async () => {
    await using client = connect(broker.url)
    // More than a pipe holds.
    await client.admin.createTopic({ name: 'wide', partitions: 1_000 })
  })

  /** A line of `sh` with `spool` in it, and the exit code of `spool` in the end. */
  function inShell(line: string): Promise<{ stdout: string; stderr: string; code: number }> {
    const environment = { SPOOL: spoolLine([]) }
    const text = `eval "$SPOOL ${line}"`
    return new SpoolCommand(['-c', text], { url: broker.url, environment }, ['bash']).ended
  }

  test('a reader that has enough ends it quietly, with exit code 0', async () => {
    const json = 'topics describe wide --json'
    const { stdout, stderr } = await inShell(
      `${json} | head -c 100; echo; echo \\\${PIPESTATUS[0]}`,
    )
    expect(stderr).toBe('')
    expect(stdout.split('\n').at(-2)).toBe('0')
    expect(stdout.split('\n')[0]).toHaveLength(100)
  })

  test('one that is closed from the start is none of its business', async () => {
    expect(await inShell('topics describe wide >&-')).toMatchObject({ code: 0, stderr: '' })
    expect(await inShell('topics describe missing 2>&-')).toMatchObject({ code: 7, stdout: '' })
  })

  test('one that can not be written is said, with exit code 1', async () => {
    expect(await inShell('topics describe wide > /dev/full')).toMatchObject({
      code: 1,
      stderr: 'spool: stdout can not be written to: ENOSPC: no space left on device, write\n',
    })
  })
})
