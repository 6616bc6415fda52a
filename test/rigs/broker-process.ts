/**
 * A real broker as a child process: started from its launcher, stopped by signal, killed with -9. For
 * whatever needs the death of a process or a server that shares no memory with its client.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const BIN = join(import.meta.dirname, '../../cli/bin.js')
const READY_LINE = /^listening on (http:\/\/\S+)$/m
/** The most of its log that is kept for a failure's message. */
const LOG_CHARACTERS_KEPT = 16_384
const START_MS_MAX = 60_000

/** Brokers that run now: none outlives the tests, however those end. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface BrokerProcessOptions {
  readonly dataDir: string
  /** 0, the default, takes a free one. */
  readonly port?: number
  /** Further settings, such as `['--log-level', 'debug']`. */
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly startMsMax?: number
  /** Words before the script, such as `['--expose-gc']`. */
  readonly nodeFlags?: readonly string[]
  /** Files and sockets it may have open, as `ulimit -n` sets it. */
  readonly openFilesMax?: number
}

export class BrokerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exited: Promise<number | NodeJS.Signals | null>
  #log = ''
  #url = ''
  /** Rejects, with the broker's log, if it ends or takes too long. */
  readonly ready: Promise<void>
  /** From the call that started the process to its line on stdout. */
  readyAfterMs = Number.NaN

  private constructor(child: ChildProcess, startMsMax: number) {
    this.#child = child
    this.#exited = new Promise((resolve) => {
      running.add(child)
      child.on('exit', (code, signal) => {
        running.delete(child)
        resolve(code ?? signal)
      })
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS_KEPT)
    })
    const launchedAt = performance.now()
    this.ready = this.#listening(startMsMax).then((url) => {
      this.#url = url
      this.readyAfterMs = performance.now() - launchedAt
    })
    // Whoever kills a broker that is still starting does not wait for it to be ready.
    this.ready.catch(() => {})
  }

  /** Starts the process and returns at once; `ready` says when it listens. */
  static launch(options: BrokerProcessOptions): BrokerProcess {
    const words = ['serve', '--data-dir', options.dataDir, '--port', String(options.port ?? 0)]
    const command = [
      process.execPath,
      ...(options.nodeFlags ?? []),
      BIN,
      ...words,
      ...(options.flags ?? []),
    ]
    const { openFilesMax } = options
    const limited =
      openFilesMax === undefined
        ? command
        : ['sh', '-c', 'ulimit -n "$0" && exec "$@"', String(openFilesMax), ...command]
    const child = spawn(limited[0]!, limited.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
    })
    return new BrokerProcess(child, options.startMsMax ?? START_MS_MAX)
  }

  /** Starts a broker and waits until it says that it listens. Rejects, with its log, if it ends instead. */
  static async start(options: BrokerProcessOptions): Promise<BrokerProcess> {
    const broker = BrokerProcess.launch(options)
    await broker.ready
    return broker
  }

  #listening(startMsMax: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        this.#child.kill('SIGKILL')
        reject(new Error(`the broker ${reason}; its log:\n${this.#log}`))
      }
      const timer = setTimeout(() => fail(`was not ready after ${startMsMax} ms`), startMsMax)
      let output = ''
      this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text
        const url = READY_LINE.exec(output)?.[1]
        if (url === undefined) return
        clearTimeout(timer)
        resolve(url)
      })
      void this.#exited.then((how) => {
        clearTimeout(timer)
        // Its last words may still be in the pipe.
        setImmediate(() => fail(`ended with ${how}`))
      })
    })
  }

  /** Where it listens, such as `http://127.0.0.1:41234`. */
  get url(): string {
    return this.#url
  }

  get port(): number {
    return Number(new URL(this.#url).port)
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** The end of what it wrote to stderr. */
  get log(): string {
    return this.#log
  }

  /** True until the process has ended. */
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves to the exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals | null> {
    return this.#exited
  }

  /** SIGTERM, and the exit code. */
  async stop(): Promise<number | NodeJS.Signals | null> {
    this.signal('SIGTERM')
    return this.#exited
  }

  /** SIGKILL: nothing in the process runs any more. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#exited
  }

  /** Anonymous memory (`RssAnon`) in MiB: what the process itself holds, without the code it maps. */
  memoryMiB(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) await this.kill()
    if (this.#child.stderr?.readableEnded === false) await once(this.#child.stderr, 'close')
  }
}
