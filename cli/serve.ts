/**
 * `spool serve`: one broker from its settings to its end. It owns what a process has around a broker:
 * the line on stdout that says it is ready, signals, and exit codes. The broker itself is `broker/`.
 */

import * as nodeModule from 'node:module'
import { parseArgs } from 'node:util'
import { flagOf } from '../broker/config/settings.ts'
import {
  ALL_SETTINGS,
  type BrokerSettings,
  ConfigError,
  checkBind,
  type ResolvedSettings,
  resolveSettings,
} from '../broker/config.ts'
import { type BrokerLogger, createLogger } from '../broker/logging.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'

/** The little that `serve` asks of a broker. */
interface RunningBroker {
  readonly url: string
  stop(): Promise<void>
}

/** Runs a broker with these words until a signal. Sets the exit code; does not throw. */
export async function serve(words: readonly string[]): Promise<void> {
  if (words.includes('--help') || words.includes('-h')) {
    const { serveHelp } = await import('./settings-help.ts')
    process.stdout.write(serveHelp())
    return
  }
  let resolved: ResolvedSettings
  try {
    resolved = await settingsFrom(words)
    checkBind(resolved.settings)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`spool serve: ${error.message}\n`)
    process.exitCode = exitCodes.usage
    return
  }
  const logger = createLogger({ level: resolved.settings.logLevel })
  for (const warning of resolved.warnings) logger.warn({}, warning)
  await run(resolved.settings, logger)
}

/** @throws ConfigError for words that are no flags, and for settings that are wrong. */
async function settingsFrom(words: readonly string[]): Promise<ResolvedSettings> {
  const { config = process.env.SPOOL_CONFIG, ...flags } = parseFlags(words)
  return resolveSettings({
    flags,
    environment: process.env,
    configFile: config as string | undefined,
  })
}

/** The flags by name; unknown ones are left for `resolveSettings`, which knows what was probably meant. */
function parseFlags(words: readonly string[]): Record<string, string | boolean> {
  const options: Record<string, { type: 'string' | 'boolean' }> = { config: { type: 'string' } }
  for (const setting of ALL_SETTINGS) {
    options[flagOf(setting)] = { type: setting.kind === 'switch' ? 'boolean' : 'string' }
  }
  const { tokens } = parseArgs({ args: [...words], options, strict: false, tokens: true })
  const flags: Record<string, string | boolean> = {}
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    if (options[token.name]?.type === 'string' && token.value === undefined) {
      throw new ConfigError(`flag ${token.rawName} needs a value`)
    }
    if (Object.hasOwn(flags, token.name)) {
      throw new ConfigError(`flag ${token.rawName} is given twice`)
    }
    flags[token.name] = token.value ?? true
  }
  // A name nobody knows explains the stray word after it, so it is left to be reported first.
  const stray = tokens.find((token) => token.kind === 'positional')
  if (stray !== undefined && Object.keys(flags).every((name) => name in options)) {
    throw new ConfigError(`"${stray.value}" is not expected; settings are given as --name value`)
  }
  return flags
}

async function run(settings: BrokerSettings, logger: BrokerLogger): Promise<void> {
  process.on('uncaughtException', (error) => {
    logger.fatal({ error }, 'a fault in the broker: stopping without marking the data clean')
    process.exit(exitCodes.failed)
  })
  const { Broker } = await import('../broker/broker.ts')
  let broker: RunningBroker
  try {
    broker = await Broker.start(settings, { logger })
  } catch (error) {
    logger.fatal(failureValues(error), (error as Error).message)
    process.exitCode = exitCodeOf(error)
    return
  }
  stopOnSignal(broker, settings, logger)
  process.stdout.write(`listening on ${broker.url}\n`)
  const readyAfterMs = Math.round(performance.now())
  logger.info({ url: broker.url, 'log.dir': settings.dataDir, readyAfterMs }, 'ready')
  // The cache is otherwise written when the process ends, which kill -9 never lets it do.
  setTimeout(() => nodeModule.flushCompileCache(), COMPILE_CACHE_AFTER_MS).unref()
}

/** Late enough to be out of the way of the first requests. */
const COMPILE_CACHE_AFTER_MS = 2_000

/** The first signal stops in order, a second one at once. */
function stopOnSignal(broker: RunningBroker, settings: BrokerSettings, logger: BrokerLogger): void {
  let stopping = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) {
      logger.warn({ signal }, 'second signal: stopping at once, the next start will check the tail')
      process.exit(exitCodes.stoppedUnclean)
    }
    stopping = true
    logger.info({ signal }, 'stopping')
    const late = setTimeout(() => {
      logger.error({ 'shutdown.timeout.ms': settings.shutdownTimeoutMs }, 'could not stop in time')
      process.exit(exitCodes.stoppedUnclean)
    }, settings.shutdownTimeoutMs + STOP_MARGIN_MS)
    broker.stop().then(
      () => {
        clearTimeout(late)
        logger.info({}, 'stopped')
        process.exit(exitCodes.done)
      },
      (error: unknown) => {
        logger.fatal({ error }, 'stopping failed')
        process.exit(exitCodes.stoppedUnclean)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}

/** What flushing and marking clean may take on top of the time that requests are given. */
const STOP_MARGIN_MS = 10_000

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

/** System calls that fail when the address of the broker is taken, foreign or unknown. */
const ADDRESS_CALLS = new Set<unknown>(['listen', 'bind', 'getaddrinfo'])

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ConfigError || codeOf(error) === 'INVALID_CONFIG') return exitCodes.usage
  if (codeOf(error) === 'DATA_DIRECTORY_LOCKED') return exitCodes.locked
  const { syscall } = error as NodeJS.ErrnoException
  return ADDRESS_CALLS.has(syscall) ? exitCodes.address : exitCodes.failed
}

/** What has a code (of the system or of ours) is a sentence for the operator; a fault brings its stack. */
function failureValues(error: unknown): object {
  return error instanceof ConfigError || typeof codeOf(error) === 'string'
    ? { code: codeOf(error) }
    : { error }
}
