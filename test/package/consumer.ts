/**
 * A project that is not ours and uses the package: packs the sources as `npm pack` publishes them,
 * makes a directory outside the checkout, installs the tarball there with npm and runs commands in it.
 *
 * The build happens in a copy, so that a `dist/` somebody works with is left alone. Where the registry
 * can not be reached nothing can be installed: `registryProblem` says so, and with `CI` set it is an error.
 */

import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'

export const ROOT = join(import.meta.dirname, '../..')

/** What `npm pack` and the build read. */
const SOURCES = [
  'package.json',
  'README.md',
  'LICENSE',
  'build.ts',
  'tsconfig.json',
  'tsconfig.build.json',
  'docs',
  'storage',
  'client',
  'broker',
  'cli',
]
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024
const UNREACHABLE = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|network/
/** Of the environment of `npm test`, what would make another npm believe it is at work on our project. */
const OUR_NPM =
  /^(npm_(package|lifecycle|command|execpath|node_execpath|config_(local_)?prefix)|INIT_CWD)/

export interface Packed {
  readonly tarball: string
  /** Paths inside the package. */
  readonly files: readonly string[]
  readonly sizeBytes: number
  readonly unpackedBytes: number
}

export interface Ran {
  readonly stdout: string
  readonly stderr: string
}

/** The environment for a command of a project that is not ours. */
function environment(more: Readonly<Record<string, string>>): Record<string, string | undefined> {
  const ours = Object.entries(process.env).filter(([name]) => !OUR_NPM.test(name))
  return { ...Object.fromEntries(ours), ...more }
}

/** Runs a command; rejects with everything it said unless it ends with 0. */
export function run(
  cwd: string,
  [command = '', ...arguments_]: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const options = { cwd, env: environment(more), maxBuffer: OUTPUT_BYTES_MAX }
  return new Promise((resolve, reject) => {
    execFile(command, arguments_, options, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr })
      else reject(new Error(`${command} ${arguments_.join(' ')}\n${stdout}\n${stderr}`))
    })
  })
}

/** Builds and packs a copy of the sources, in `directory`. */
export async function pack(directory: string): Promise<Packed> {
  const copy = join(directory, 'sources')
  for (const path of SOURCES) cpSync(join(ROOT, path), join(copy, path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  await run(copy, [process.execPath, 'build.ts'])
  const { stdout } = await run(copy, ['npm', 'pack', '--json', '--ignore-scripts'])
  const answer: unknown = JSON.parse(stdout)
  const [packed] = (Array.isArray(answer) ? answer : Object.values(answer as object)) as {
    filename: string
    size: number
    unpackedSize: number
    files: { path: string }[]
  }[]
  if (packed === undefined) throw new Error(`npm pack said nothing: ${stdout}`)
  return {
    tarball: join(copy, packed.filename),
    files: packed.files.map((file) => file.path),
    sizeBytes: packed.size,
    unpackedBytes: packed.unpackedSize,
  }
}

/** Why nothing can be installed here, or undefined. */
export async function registryProblem(): Promise<string | undefined> {
  try {
    await run(tmpdir(), ['npm', 'ping', '--fetch-retries=1', '--fetch-timeout=20000'])
    return undefined
  } catch (error) {
    const text = String(error)
    // A registry that answers, if only that it knows no ping, is one.
    if (!UNREACHABLE.test(text) || process.env.CI) return undefined
    return `the package registry can not be reached: ${text.split('\n').find((line) => UNREACHABLE.test(line))}`
  }
}

/** A project in a directory outside every checkout, removed at the end. */
export class Consumer implements Disposable {
  readonly directory: string
  readonly #removed: string
  /** What its commands find in their environment beside the usual. */
  readonly environment: Record<string, string> = {}

  /** The project at `path` inside `directory`, which is what will be removed. */
  constructor(directory: string, path = '') {
    this.#removed = directory
    this.directory = join(directory, path)
  }

  /** A project with nothing in it yet. */
  static empty(name: string, manifest: object = {}): Consumer {
    const consumer = new Consumer(mkdtempSync(join(tmpdir(), `spool-${name}-`)))
    const text = JSON.stringify({ name, private: true, ...manifest }, null, 2)
    consumer.write({ 'package.json': text })
    return consumer
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.directory, path)), { recursive: true })
      writeFileSync(join(this.directory, path), text)
    }
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), 'utf8')
  }

  run(...command: string[]): Promise<Ran> {
    return run(this.directory, command, this.environment)
  }

  /** Starts a program that does not end by itself. */
  start(...[command = '', ...arguments_]: string[]): ChildProcessByStdio<null, Readable, null> {
    const env = environment(this.environment)
    const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit']
    return spawn(command, arguments_, { cwd: this.directory, env, stdio })
  }

  /** Resolves to how long it took. */
  async npm(verb: 'install' | 'ci', ...arguments_: string[]): Promise<number> {
    const startedAt = performance.now()
    await this.run('npm', verb, '--prefer-offline', '--no-audit', '--no-fund', ...arguments_)
    return performance.now() - startedAt
  }

  [Symbol.dispose](): void {
    rmSync(this.#removed, { recursive: true, force: true })
  }
}

export interface LockedPackage {
  readonly version: string
  readonly hasInstallScript?: boolean
  readonly optional?: boolean
}

/** What npm wrote down of an installed project: path → package, the project itself left out. */
export function lockedPackages(consumer: Consumer): Map<string, LockedPackage> {
  const { packages } = JSON.parse(consumer.read('package-lock.json')) as {
    packages: Record<string, LockedPackage>
  }
  return new Map(Object.entries(packages).filter(([path]) => path !== ''))
}
