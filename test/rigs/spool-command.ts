/**
 * The command `spool` as a process, as a person or a script runs it: to its end, or with somebody who
 * watches what it prints, sends it signals and stops reading. `onTerminal` gives it a real one.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

const BIN = join(import.meta.dirname, '../../cli/bin.js')
/** Generous: a busy machine is no failure. */
const WAIT_MS_MAX = 60_000

/** Commands that run now: none outlives the tests, however those end. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface SpoolOptions {
  /** `SPOOL_URL`. No other variable of ours reaches the command unless it is in `environment`. */
  readonly url?: string
  readonly environment?: Readonly<Record<string, string>>
  /** What stdin holds; nothing when absent. */
  readonly input?: string | Buffer
  /** True: stdin stays open, for `type`. */
  readonly isInteractive?: boolean
  /** False: nobody reads stdout until `read` is called. */
  readonly isRead?: boolean
}

export interface Ended {
  /** What a shell would show: 128 and the number of the signal after one. */
  readonly code: number
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stdoutBytes: Buffer
  readonly stderr: string
}

/** Runs it to its end. */
export function spool(words: readonly string[], options: SpoolOptions = {}): Promise<Ended> {
  return new SpoolCommand(words, options).ended
}

/** The words as one line of `sh`, with `spool` in front. */
export function spoolLine(words: readonly string[]): string {
  return [process.execPath, BIN, ...words].map(quoted).join(' ')
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}

export function spoolEnvironment({ url, environment }: SpoolOptions): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^SPOOL_|^NO_COLOR$|^FORCE_COLOR$/.test(name),
  )
  return {
    ...Object.fromEntries(inherited),
    ...(url === undefined ? {} : { SPOOL_URL: url }),
    ...environment,
  }
}

export class SpoolCommand implements AsyncDisposable {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Bytes it has printed to stdout, as far as they were read. */
  stdoutLength = 0
  readonly #out: Buffer[] = []
  #stderr = ''
  readonly #watchers = new Set<() => void>()

  /** `command` stands for `spool` itself where something else is to run it. */
  constructor(
    words: readonly string[],
    options: SpoolOptions = {},
    command: readonly string[] = [process.execPath, BIN],
  ) {
    this.child = spawn(command[0]!, [...command.slice(1), ...words], {
      env: spoolEnvironment(options),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    running.add(this.child)
    if (options.isRead !== false) this.read()
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#tell()
    })
    // A command that never reads its input may be gone before it is written.
    this.child.stdin?.on('error', () => {})
    if (options.isInteractive !== true) this.child.stdin?.end(options.input)
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        running.delete(this.child)
        resolve({
          code: code ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0),
          signal,
          stdout: this.stdout,
          stdoutBytes: Buffer.concat(this.#out),
          stderr: this.#stderr,
        })
        this.#tell()
      })
    })
  }

  /** Begins to take what it prints. */
  read(): void {
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#out.push(chunk)
      this.stdoutLength += chunk.length
      this.#tell()
    })
  }

  /** So far. */
  get stdout(): string {
    return Buffer.concat(this.#out).toString()
  }

  get stderr(): string {
    return this.#stderr
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Types on its terminal, or into its stdin. */
  type(text: string): void {
    this.child.stdin?.write(text)
  }

  /** Resolves once `isSo`, which may look at anything printed; rejects if the command ends before, or never. */
  until(isSo: (command: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const hasEnded = !this.isRunning && !running.has(this.child)
        if (!isSo(this) && !hasEnded) return
        this.#watchers.delete(look)
        clearTimeout(timer)
        if (isSo(this)) resolve()
        else reject(new Error(`it ended first; ${this.#shown()}`))
      }
      const timer = setTimeout(() => {
        this.#watchers.delete(look)
        reject(new Error(`not within ${WAIT_MS_MAX} ms; ${this.#shown()}`))
      }, WAIT_MS_MAX)
      this.#watchers.add(look)
      look()
    })
  }

  #shown(): string {
    return `stdout: ${JSON.stringify(this.stdout.slice(-500))}, stderr: ${JSON.stringify(this.#stderr.slice(-500))}`
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
}

/**
 * A command line of `sh` on a real terminal, made by util-linux's `script`: what it writes to either stream
 * comes out of `stdout`, what is typed goes in by `type`. Ends with the command's exit code.
 */
export function onTerminal(line: string, options: SpoolOptions = {}): SpoolCommand {
  const sized = `stty cols 100 rows 40; ${line}`
  const command = ['-qec', sized, '/dev/null']
  return new SpoolCommand(command, { ...options, isInteractive: true }, ['script'])
}

/** A line of bash with `spool` in it. */
export function inShell(line: string, options: SpoolOptions = {}): SpoolCommand {
  const command = `spool() { ${spoolLine([])} "$@"; }; ${line}`
  return new SpoolCommand(['-c', command], options, ['bash'])
}
