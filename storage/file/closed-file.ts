/**
 * What a file object answers once `close` was called on it. Its own file because every implementation
 * of the disk says the same thing. Does not know how files are opened or closed.
 */

/** An operation was asked of a file after `close`. A defect of the caller, never of the disk. */
export class ClosedFileError extends Error {
  readonly code = 'ECLOSED'
  readonly path: string

  constructor(path: string) {
    super(`ECLOSED: the file is closed, '${path}'`)
    this.name = 'ClosedFileError'
    this.path = path
  }
}
