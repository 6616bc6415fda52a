/**
 * The two rules about who may reach a broker that are checked before it listens: where it may bind, and
 * what a token file must look like. Checking a request's token belongs to the HTTP face.
 */

import { readFile, stat } from 'node:fs/promises'
import { ConfigError } from './setting-value.ts'
import type { BrokerSettings } from './settings.ts'

const READABLE_BY_ALL = 0o004
const WRITABLE_BY_OTHERS = 0o022
const READABLE_BY_GROUP = 0o040

/** A token is one line of visible ASCII: it must fit into a header. Short ones can be guessed. */
const TOKEN_PATTERN = /^[\x21-\x7e]{16,4096}$/

/** True for the names and addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '')
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/** @throws ConfigError when the broker would serve other machines without a token or a clear word. */
export function checkBind(
  settings: Pick<BrokerSettings, 'host' | 'insecure' | 'authTokenFile'>,
): void {
  if (isLoopback(settings.host) || settings.insecure || settings.authTokenFile !== undefined) return
  throw new ConfigError(
    `host ${settings.host} can be reached by other machines: give --auth-token-file FILE so that only holders of the token may use the broker, or --insecure if everyone may`,
  )
}

/**
 * The token in `path`, and sentences that somebody should read.
 *
 * @throws ConfigError when the file can not be read, everyone may read or others may write it, or it
 *   holds no usable token. The token itself is never part of a message.
 */
export async function readAuthToken(path: string): Promise<{ token: string; warnings: string[] }> {
  let text: string
  let mode: number
  try {
    mode = (await stat(path)).mode
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`setting auth.token.file: can not be read: ${(error as Error).message}`)
  }
  const octal = (mode & 0o777).toString(8)
  if ((mode & (READABLE_BY_ALL | WRITABLE_BY_OTHERS)) !== 0) {
    throw new ConfigError(
      `setting auth.token.file: others may read or write ${path} (mode ${octal}); run: chmod 600 ${path}`,
    )
  }
  const token = text.replace(/\r?\n$/, '')
  if (!TOKEN_PATTERN.test(token)) {
    throw new ConfigError(
      `setting auth.token.file: ${path} must hold one line of 16 to 4096 visible ASCII characters without spaces`,
    )
  }
  const warnings =
    (mode & READABLE_BY_GROUP) === 0
      ? []
      : [`auth.token.file ${path} can be read by its group (mode ${octal})`]
  return { token, warnings }
}
