/** `spool cat`: one record, its value byte for byte. */

import { RecordView } from '../broker/http/records/record-view.ts'
import { SpoolError } from '../client/api/errors.ts'
import { OFFSET_MAX } from '../storage/record/offsets.ts'
import { openClient } from './connection.ts'
import type { CatOptions } from './consume-options.ts'
import { jsonPrinter } from './consume-printer.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { interruption } from './interruption.ts'
import { printable } from './printable.ts'
import { type RecordPrinter, recordPrinter } from './record-format.ts'
import { cursorOf } from './record-pump.ts'
import { StandardOutput } from './standard-output.ts'
import { UsageError } from './usage-error.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export async function cat(call: VerbCall<CatOptions>): Promise<ExitCode> {
  const { options, global } = call
  if (options.headers === true && global.isJson) {
    throw new UsageError('--json prints the headers anyway: leave out --headers')
  }
  const place = placeOf(call.words.filter((word) => word !== undefined) as string[])
  const print = global.isJson
    ? jsonPrinter(new RecordView('auto', true))
    : recordPrinter('%s', { topic: place.topic, nullText: '' })
  const isNull = await printRecord(place, global, {
    print,
    hasHead: options.headers === true,
  })
  if (!isNull || global.isJson) return exitCodes.done
  call.output.remark(`the value of ${place.topic}/${place.partition}/${place.offset} is null`)
  return exitCodes.nullValue
}

/** `topic/partition/offset`, or the three as words. */
function placeOf(words: readonly string[]): Place {
  const parts = words.length === 1 ? words[0]!.split('/') : words
  const [topic = '', partition = '', offset = ''] = parts
  const isRight =
    parts.length === 3 && /^\d{1,6}$/.test(partition) && /^\d+$/.test(offset) && topic !== ''
  if (!isRight || Number(offset) > OFFSET_MAX) {
    throw new UsageError(
      `${JSON.stringify(words.join(' '))} is no record: expected topic/partition/offset, such as access/0/17`,
    )
  }
  return { topic, partition: Number(partition), offset: Number(offset) }
}

interface Printing {
  readonly print: RecordPrinter
  readonly hasHead: boolean
}

/** Prints the record; whether its value is null. Rejects with RECORD_GONE or RECORD_NOT_FOUND. */
async function printRecord(
  { topic, partition, offset }: Place,
  global: GlobalOptions,
  { print, hasHead }: Printing,
): Promise<boolean> {
  await using client = await openClient(global, { isPatient: false })
  const signal = interruption()
  const { partitions } = await client.admin.offsets(topic, { at: 'latest', signal })
  const bounds = partitions.find((each) => each.partition === partition)
  if (bounds === undefined) {
    throw new SpoolError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `${topic} has no partition ${partition}; it has ${partitions.length}, counted from 0`,
    )
  }
  const { logStartOffset, highWatermark } = bounds
  const range = `${topic}/${partition} has offsets from ${logStartOffset} to before ${highWatermark}`
  if (offset >= highWatermark) {
    throw new SpoolError('RECORD_NOT_FOUND', `offset ${offset} is not written yet: ${range}`)
  }
  if (offset < logStartOffset) {
    throw new SpoolError('RECORD_GONE', `offset ${offset} is no longer kept: ${range}`)
  }
  const reader = client.reader(topic, {
    partitions: [partition],
    from: { [partition]: offset },
    until: { [partition]: offset + 1 },
    signal,
  })
  const output = new StandardOutput(signal)
  for await (const batch of reader.batches()) {
    const cursor = cursorOf(batch)
    while (cursor.next()) {
      if (cursor.offset !== offset) continue
      if (hasHead) output.writer.raw(Buffer.from(headOf(partition, cursor)))
      print(output.writer, partition, cursor)
      await output.flush()
      return cursor.valueStart < 0
    }
  }
  throw new SpoolError('RECORD_GONE', `offset ${offset} was removed by compaction: ${range}`)
}

/** Lines like those above the body of an HTTP answer, and an empty one. */
function headOf(partition: number, cursor: ReturnType<typeof cursorOf>): string {
  const key = cursor.key()
  const lines = [
    `partition: ${partition}`,
    `offset: ${cursor.offset}`,
    `timestamp: ${cursor.timestamp}`,
    ...(key === null ? [] : [`key: ${printable(key.toString())}`]),
    ...cursor
      .headers()
      .map(({ name, value }) =>
        printable(`header ${name}: ${value === null ? 'NULL' : value.toString()}`),
      ),
  ]
  return `${lines.join('\n')}\n\n`
}
