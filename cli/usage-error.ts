/** A command that can not be run as it was typed; the message is one sentence for the person who typed it. */

export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}
