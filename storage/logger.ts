/** The little of a structured logger (pino's shape) that the engine uses. Values first, sentence second. */
export interface Logger {
  debug(values: object, sentence: string): void
  info(values: object, sentence: string): void
  warn(values: object, sentence: string): void
  error(values: object, sentence: string): void
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
