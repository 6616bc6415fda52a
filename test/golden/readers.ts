/** Other people's Kafka clients as programs that read a file of batches and print its records. */

import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ForeignReader {
  readonly name: string
  readonly command: string
  readonly before: readonly string[]
  /** Why it cannot be run here, if so. */
  readonly absent: string | undefined
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export const READERS: readonly ForeignReader[] = [python(), java()]

function python(): ForeignReader {
  const command = ['/usr/bin/python3', 'python3'].find(
    (path) => spawnSync(path, ['-c', 'import kafka, lz4, snappy, zstandard']).status === 0,
  )
  return {
    name: 'kafka-python',
    command: command ?? '',
    before: [here('make.py'), 'read'],
    absent:
      command === undefined
        ? 'no python3 here has the modules kafka, lz4, snappy and zstandard'
        : undefined,
  }
}

function java(): ForeignReader {
  const classpath = process.env.KAFKA_CLASSPATH
  return {
    name: 'kafka-java',
    command: 'java',
    before: ['-cp', classpath ?? '', here('MakeGolden.java'), 'read'],
    absent: classpath === undefined ? 'KAFKA_CLASSPATH is not set' : undefined,
  }
}

/** The records in `file`, one a line as `printedLine` writes them. */
export function linesReadBy(reader: ForeignReader, file: string): string[] {
  const output = execFileSync(reader.command, [...reader.before, file], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, PYTHONIOENCODING: 'utf8' },
  })
  return output.trimEnd().split('\n')
}
