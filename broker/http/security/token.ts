/**
 * The bearer token of `auth.token.file`. Only its hash is kept; comparing hashes of equal length takes
 * the same time whatever the guess. The token is never part of an error or a log line.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { SpoolError } from '../../../client/api/errors.ts'

/** Longer than any token: hashing is not worth it. */
const AUTHORIZATION_CHARACTERS_MAX = 8 * 1024

export class TokenCheck {
  readonly #expected: Buffer

  constructor(token: string) {
    this.#expected = hash(token)
  }

  /** Throws UNAUTHORIZED (401) unless the header is `Bearer` and the token. */
  check(authorization: string | undefined): void {
    if (authorization === undefined) throw unauthorized('send Authorization: Bearer TOKEN')
    if (authorization.length > AUTHORIZATION_CHARACTERS_MAX) throw unauthorized(WRONG)
    const found = /^Bearer +([^\s]+)$/i.exec(authorization)
    if (found?.[1] === undefined) throw unauthorized('the scheme must be Bearer')
    if (!timingSafeEqual(hash(found[1]), this.#expected)) throw unauthorized(WRONG)
  }
}

const WRONG = 'the token is not the one of auth.token.file'

function hash(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}

function unauthorized(detail: string): SpoolError {
  return new SpoolError('UNAUTHORIZED', detail, { headers: { 'www-authenticate': 'Bearer' } })
}
