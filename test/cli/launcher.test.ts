/**
 * The launcher: which Node runs, from wherever it is called, and what an old one is told. Everything here
 * runs as a person would run it.
 */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const BIN = join(ROOT, 'cli/bin.js')

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(command: string, words: string[], options: object = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, words, { cwd: ROOT, ...options }, (error, stdout, stderr) =>
      resolve({
        code: error === null ? 0 : Number(error.code),
        stdout: String(stdout),
        stderr: String(stderr),
      }),
    )
  })
}

test('npm scripts run the Node that is pinned as a development dependency', async () => {
  const { stdout } = await run('npm', ['exec', '--', 'node', '--version'])
  const pinned = JSON.parse(readFileSync(join(ROOT, 'node_modules/node/package.json'), 'utf8'))
  expect(stdout.trim()).toBe(`v${pinned.version}`)
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  expect(manifest.devDependencies.node).toMatch(/^\^24\./)
})

test('`npx spool` works in a checkout that was never built', async () => {
  const { code, stdout } = await run('npx', ['spool', 'serve', '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('--data-dir DIR')
})

test('the help lists every verb, and an unknown one is a usage error', async () => {
  expect((await run(process.execPath, [BIN, '--help'])).stdout).toContain('serve')
  const unknown = await run(process.execPath, [BIN, 'nonsense'])
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('nonsense')
})

test('a wrong setting is one line on stderr and exit code 2', async () => {
  const { code, stdout, stderr } = await run(process.execPath, [BIN, 'serve', '--port', '99999'])
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toBe(
    'spool serve: setting port (flag --port): "99999" is not an integer between 0 and 65535\n',
  )
})

test('other machines are not served by accident', async () => {
  const { code, stderr } = await run(process.execPath, [BIN, 'serve', '--host', '0.0.0.0'])
  expect(code).toBe(2)
  expect(stderr).toContain('--auth-token-file')
  expect(stderr).toContain('--insecure')
})

test('the launcher is JavaScript that Node 14 can read, and says what it needs', async () => {
  const text = readFileSync(BIN, 'utf8')
  expect(text).toContain('needs Node.js')
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '18.20.0' })`
  const environment = { ...process.env, SPOOL_NODE_TRIED: '1' }
  const words = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, BIN, '--help']
  const { code, stderr } = await run(process.execPath, words, { env: environment })
  expect(code).toBe(1)
  expect(stderr).toMatch(/^spool needs Node\.js 22\.19 or newer; this is 18\.20\.0/)
})

test('an old system Node hands over to the one in the checkout', async () => {
  const pretend = `if (process.env.SPOOL_NODE_TRIED === undefined) Object.defineProperty(process.versions, 'node', { value: '18.20.0' })`
  const words = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, BIN]
  const { code, stdout } = await run(process.execPath, [...words, 'serve', '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('--data-dir DIR')
})
