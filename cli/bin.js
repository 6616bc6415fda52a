#!/usr/bin/env node
/**
 * The launcher of `spool`: plain JavaScript that Node reads from 14.8 on, so that an old one gets a clear sentence
 * instead of a syntax error. It owns what must happen before anything is imported (compile cache,
 * size of the thread pool, which warnings are shown) and which Node runs; all else is `main`.
 *
 * In a checkout it runs the TypeScript sources as they are; in the published package, where Node
 * strips no types, the JavaScript in `dist`.
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 22
const NODE_MINOR_MIN = 19

/**
 * Threads for file operations. Node's four are fewer than the syncs of a busy broker, and a cached
 * read queued behind them waits 40 ms; libuv reads the variable at its first use of the pool.
 */
const THREAD_POOL_SIZE = '32'

/** What we knowingly use although Node still calls it experimental. Other warnings are shown. */
const EXPECTED_WARNINGS = [
  /^SQLite is an experimental feature/,
  /^Type Stripping is an experimental/,
]

function isSupported(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN)
}

/** The Node that is a development dependency of a checkout: `npx` runs us with the system's. */
function nodeOfCheckout() {
  const path = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url))
  return existsSync(path) ? path : undefined
}

/** Runs this program again under `node`, passing on signals and the way it ended. */
function runUnder(node) {
  const arguments_ = [fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const child = spawn(node, arguments_, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('error', (error) => {
    process.stderr.write(`spool: can not run ${node}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function hideExpectedWarnings() {
  const emitWarning = process.emitWarning
  process.emitWarning = (warning, ...rest) => {
    const text = String(warning)
    if (EXPECTED_WARNINGS.some((expected) => expected.test(text))) return
    emitWarning.call(process, warning, ...rest)
  }
}

/** The cache is per user: in a shared temporary directory others could put code there for us to run. */
function enableCompileCache() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  nodeModule.enableCompileCache(process.env.NODE_COMPILE_CACHE || join(caches, 'spool', 'compile'))
}

if (isSupported(process.versions.node)) {
  enableCompileCache()
  if (!process.env.UV_THREADPOOL_SIZE) process.env.UV_THREADPOOL_SIZE = THREAD_POOL_SIZE
  hideExpectedWarnings()
  const source = new URL('./main.ts', import.meta.url)
  const built = new URL('../dist/cli/main.js', import.meta.url)
  const { main } = await import((existsSync(source) ? source : built).href)
  await main(process.argv.slice(2))
} else {
  const node = process.env.SPOOL_NODE_TRIED === undefined ? nodeOfCheckout() : undefined
  if (node !== undefined) {
    process.env.SPOOL_NODE_TRIED = '1'
    runUnder(node)
  } else {
    process.stderr.write(
      `spool needs Node.js ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer; this is ${process.versions.node} (${process.execPath})\n`,
    )
    process.exitCode = 1
  }
}
