/**
 * The broker's log: structured lines on stderr by pino, one JSON object a line, or one readable line when
 * a person watches on a terminal. It owns how lines look and what may never be in them; what is worth
 * a line is decided where it happens. stdout is not ours: it carries only the line with the address.
 */

import { pino } from 'pino'
import type { Logger } from '../storage/logger.ts'
import type { LogLevel } from './config.ts'

/** Fields that carry secrets if somebody logs a request or the settings whole. */
const NEVER_LOGGED = ['token', 'authorization', 'headers.authorization', '*.headers.authorization']

/** A child of a logger adds its fields to every line. */
export interface BrokerLogger extends Logger {
  readonly level: string
  fatal(values: object, sentence: string): void
  child(fields: object): BrokerLogger
}

export interface LoggingOptions {
  readonly level: LogLevel
  /** Fields of every line, such as the node id. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/**
 * A logger writing to stderr. Lines are written before the call returns, so that the last words before
 * a crash are there; a reader of stderr that went away is no error.
 */
export function createLogger(options: LoggingOptions): BrokerLogger {
  const destination = process.stderr.isTTY
    ? { write: (line: string) => void process.stderr.write(readableLine(line)) }
    : pino.destination({ fd: 2, sync: true })
  return pino(
    {
      level: options.level,
      base: options.fields ?? null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: NEVER_LOGGED, censor: '[secret]' },
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  )
}

/** `12:00:01.234 INFO  sentence key=value …`: values as JSON, so that no value can forge a line. */
export function readableLine(line: string): string {
  const { level, time, msg, ...values } = JSON.parse(line) as Record<string, unknown>
  const clock = String(time).slice(11, 23)
  const pairs = Object.entries(values).map(([name, value]) => ` ${name}=${readableValue(value)}`)
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${escaped(String(msg))}${pairs.join('')}\n`
}

/** A stack is shown on its own lines; it comes from our own errors and their messages are escaped. */
function readableValue(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'stack' in value) {
    const frames = String(value.stack).split('\n').map(escaped)
    return frames.join('\n    ')
  }
  return JSON.stringify(value)
}

/** Control characters (also ANSI escapes) as their JSON escapes. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll('\x7f', '\\u007f')
}
