/**
 * The words of `spool produce`: declared here, its work loaded when it is called. Letters mean what they
 * mean to kcat. What the words say together is checked in `produce-plan.ts`.
 */

import type { Command } from 'commander'

/** The options as commander gives them: texts, unchecked. */
export interface ProduceWords {
  readonly keyDelimiter?: string
  readonly key?: string
  readonly header?: readonly string[]
  readonly partition?: string
  readonly delimiter?: string
  readonly null?: boolean
  readonly fromFile?: readonly string[]
  readonly keyFrom?: string
  readonly timestampFrom?: string
  readonly format?: string
  readonly valueFile?: string
  readonly contentType?: string
  readonly compression?: string
  readonly acks?: string
  readonly lingerMs?: string
  readonly deliveryTimeoutMs?: string
  readonly rate?: string
  readonly skipErrors?: boolean
  readonly resume?: boolean
  readonly restart?: boolean
  readonly resumeFile?: string
  readonly progress?: boolean
  readonly json?: boolean
}

/** Declares `spool produce` on the program. */
export function declareProduce(program: Command): Command {
  return program
    .command('produce')
    .description('append records to a topic: lines of stdin or of files')
    .argument('<topic>', 'the topic; it must exist')
    .option('-l, --from-file <file>', 'load a file instead of stdin; may be repeated', collect)
    .option('-K, --key-delimiter <text>', 'key and value of a line are separated by this')
    .option('-k, --key <text>', 'the key of records that have none of their own')
    .option('--key-from <pointer>', 'the key stands in the JSON line, at /this/pointer')
    .option('--timestamp-from <pointer>', 'the timestamp stands in the JSON line')
    .option('-H, --header <name=value>', 'a header of every record; may be repeated', collect)
    .option('-p, --partition <number>', 'append to this partition, whatever the key')
    .option('-D, --delimiter <text>', 'what ends a record, such as "\\0" or "\\r\\n"; "\\n"')
    .option('-Z, --null', 'an empty value is null (a tombstone), an empty key none')
    .option('--format <name>', 'lines: each is a value; json: each is a record {key, value, …}')
    .option('--value-file <file>', 'the whole file is the value of one record')
    .option('--content-type <type>', 'of --value-file; guessed from its name')
    .option('-z, --compression <codec>', 'none, gzip, snappy, lz4 or zstd; lz4')
    .option('--acks <acks>', 'who must have it: all, 1 or 0; all')
    .option('--linger-ms <ms>', 'how long a line of stdin waits for others; 5')
    .option('--delivery-timeout-ms <ms>', 'how long to try again while the broker is away; 120000')
    .option('--rate <records>', 'at most so many records a second')
    .option('--skip-errors', 'name lines that can not be taken and go on')
    .option('--resume', 'go on where an interrupted upload of the file stopped')
    .option('--restart', 'load the file from its beginning though an upload of it was interrupted')
    .option('--resume-file <path>', 'where the progress of the upload is kept')
    .option('--progress', 'report progress though stderr is no terminal')
    .option('--json', 'the report as one JSON document')
    .action(async (topic: string, _words: ProduceWords, command: Command) => {
      const { produce } = await import('./produce.ts')
      process.exitCode = await produce(topic, command.optsWithGlobals())
    })
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
