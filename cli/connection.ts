/**
 * Which broker a verb talks to, and as whom: `--url` or SPOOL_URL, `--token-file` or SPOOL_TOKEN_FILE,
 * `--timeout`. Checks what was typed; the client itself is loaded when a verb opens it.
 */

import { readFileSync } from 'node:fs'
import type { Client } from '../client/index.ts'
import { UsageError } from './usage-error.ts'

const DEFAULT_PORT = 7766
export const DEFAULT_URL = `http://127.0.0.1:${DEFAULT_PORT}`

export interface ConnectionOptions {
  /** Scheme, host and port. */
  readonly url: string
  readonly tokenFile: string | undefined
  /** How long a request may take; the client's own limit when absent. */
  readonly timeoutMs: number | undefined
}

/** Longer than any request may take: the first failure is the answer. */
const NO_RETRY_MS = 3_600_000

/**
 * A client of the broker the options name. It connects when it is first asked for something. Patient, it
 * waits for a broker that is away for a moment, as a long upload or a reader that follows must; a person
 * who asked one question is told at once that nobody answers.
 */
export async function openClient(
  options: ConnectionOptions,
  { isPatient }: { readonly isPatient: boolean },
): Promise<Client> {
  const token = readToken(options.tokenFile)
  const { connect } = await import('../client/index.ts')
  return connect({
    url: options.url,
    ...(token === undefined ? {} : { token }),
    ...(options.timeoutMs === undefined ? {} : { requestTimeoutMs: options.timeoutMs }),
    ...(isPatient ? {} : { retryBackoffMs: NO_RETRY_MS, retryBackoffMsMax: NO_RETRY_MS }),
  })
}

/**
 * The URL of a broker as people type it: with its scheme, or as kcat's `-b` takes it, `host:port`,
 * `host` or `:port`. `source` is where the word came from.
 *
 * @throws UsageError that names the source, and the word unless it may hold a password.
 */
export function brokerUrl(word: string, source: string): string {
  if (word.includes(',')) {
    throw new UsageError(
      `${source} names several brokers: give one, any of them serves every request`,
    )
  }
  const url = URL.parse(withScheme(word))
  if (url === null || url.hostname === '' || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(
      `${source} is ${JSON.stringify(word)}, not the address of a broker: expected ${DEFAULT_URL}, or host:port`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      `${source} has a user or password in it: the token is given with --token-file`,
    )
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new UsageError(`${source} goes on after host and port: expected ${url.origin}`)
  }
  return url.origin
}

function withScheme(word: string): string {
  if (/^\w+:\/\//.test(word)) return word
  const found = /^(\[[0-9a-fA-F:.]+\]|[\w.-]*)(?::(\d{1,5}))?$/.exec(word)
  if (found === null || word === '') return ''
  return `http://${found[1] || '127.0.0.1'}:${found[2] ?? DEFAULT_PORT}`
}

/** The token in a file, without the line break at its end. */
export function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    const token = readFileSync(file, 'utf8').trim()
    if (token !== '') return token
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`the token file ${JSON.stringify(file)} can not be read (${code})`)
  }
  throw new UsageError(`the token file ${JSON.stringify(file)} is empty`)
}
