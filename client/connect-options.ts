/**
 * The options of `connect`: checked once, here, where the defaults stand too. Knows no environment and
 * opens nothing.
 */

import { invalid } from './option-checks.ts'

export interface ConnectOptions {
  /** Scheme, host and port: `http://localhost:7766`. A path is not allowed. */
  readonly url?: string | URL
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string
  /** How long one request may take, its answer included. */
  readonly requestTimeoutMs?: number
  /** How long connecting may take (Node). */
  readonly connectTimeoutMs?: number
  /** Connections for plain requests at one time (Node); reading and producing have their own. */
  readonly connectionsMax?: number
  /** An answer larger than this is refused: nobody may fill our memory. */
  readonly responseBytesMax?: number
  /** What one record batch may become when it is decompressed. */
  readonly decompressedBytesMax?: number
  /** After this long, what is known of a topic (its partitions) is asked for again. */
  readonly metadataMaxAgeMs?: number
  /** The first wait before a retry; each further one is twice as long. */
  readonly retryBackoffMs?: number
  readonly retryBackoffMsMax?: number
}

/** Where a broker listens that was told nothing. */
export const DEFAULT_URL = 'http://127.0.0.1:7766'

const NUMBERS = {
  requestTimeoutMs: { default: 30_000, min: 1, max: 3_600_000 },
  connectTimeoutMs: { default: 10_000, min: 1, max: 3_600_000 },
  connectionsMax: { default: 8, min: 1, max: 1_024 },
  // The broker gives at most 64 MiB to one fetch by default, and an envelope of 8 MiB.
  responseBytesMax: { default: 128 * 1024 * 1024, min: 64 * 1024, max: 2 ** 31 - 1 },
  decompressedBytesMax: { default: 64 * 1024 * 1024, min: 1, max: 2 ** 31 - 1 },
  metadataMaxAgeMs: { default: 300_000, min: 1, max: 2 ** 31 - 1 },
  retryBackoffMs: { default: 100, min: 1, max: 3_600_000 },
  retryBackoffMsMax: { default: 1_000, min: 1, max: 3_600_000 },
} as const

type NumberName = keyof typeof NUMBERS

/** Every option with its value. */
export type ConnectSettings = Readonly<Record<NumberName, number>> & {
  /** Scheme, host and port, without a slash at the end. */
  readonly url: string
  readonly token: string | undefined
}

/**
 * Checks the options and fills in what is not given.
 *
 * @throws SpoolError INVALID_CONFIG naming the option, its value and what is allowed.
 */
export function connectSettings(given: string | URL | ConnectOptions = {}): ConnectSettings {
  const options = typeof given === 'string' || given instanceof URL ? { url: given } : given
  for (const name of Object.keys(options)) {
    if (!(name in NUMBERS) && name !== 'url' && name !== 'token') {
      const known = ['url', 'token', ...Object.keys(NUMBERS)].join(', ')
      throw invalid(`there is no option ${name}; there are ${known}`)
    }
  }
  const numbers = Object.fromEntries(
    Object.keys(NUMBERS).map((name) => [name, checkedNumber(name as NumberName, options)]),
  ) as Record<NumberName, number>
  return { ...numbers, url: checkedUrl(options.url ?? DEFAULT_URL), token: checkedToken(options) }
}

function checkedNumber(name: NumberName, options: ConnectOptions): number {
  const bounds = NUMBERS[name]
  const value = options[name] ?? bounds.default
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value
  throw invalid(`${name} is ${value}, not an integer from ${bounds.min} to ${bounds.max}`)
}

function checkedUrl(given: string | URL): string {
  const url = URL.parse(String(given))
  // The text may hold a password: it is not repeated.
  if (url === null) {
    throw invalid(`the url is not one; it looks like ${DEFAULT_URL}, with the scheme in front`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(
      `the url begins with ${url.protocol}, and must begin with http:// or https://, such as ${DEFAULT_URL}`,
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('the url has a user or password in it: give the token as the option token')
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw invalid(`the url goes on after host and port: give ${url.origin}`)
  }
  return url.origin
}

/** What may stand after `Bearer ` (RFC 6750, b64token, generously). */
const TOKEN = /^[\x21-\x7e]{1,4096}$/

function checkedToken({ token }: ConnectOptions): string | undefined {
  if (token === undefined || (typeof token === 'string' && TOKEN.test(token))) return token
  throw invalid('the token is not 1 to 4096 visible ASCII characters without a space')
}
