/** `spool cat`: one record, its value byte for byte. */

import { RecordView } from '../broker/http/records/record-view.ts'
import { SpoolError } from '../client/api/errors.ts'
import type { Client, ReadBatch } from '../client/index.ts'
import type { RecordCursor } from '../storage/record/batch-reader.ts'
import { OFFSET_MAX } from '../storage/record/offsets.ts'
import { openClient } from './connection.ts'
import type { CatOptions } from './consume-options.ts'
import { jsonPrinter } from './consume-printer.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { interruption } from './interruption.ts'
import { noPartition } from './missing-partition.ts'
import { isTopicName } from './option-values.ts'
import { printable } from './printable.ts'
import { type RecordPrinter, recordPrinter } from './record-format.ts'
import { StandardOutput } from './standard-output.ts'
import { openBatch, readFailure } from './stored-records.ts'
import { UsageError } from './usage-error.ts'
import type { GlobalOptions, VerbCall } from './verb.ts'

/** As long as any request may take that was not told otherwise. */
const READ_MS_MAX = 30_000
/** One batch is all there is to read. */
const PREFETCH_BYTES = 64 * 1024

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
    parts.length === 3 && isTopicName(topic) && /^\d{1,6}$/.test(partition) && /^\d+$/.test(offset)
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
  if (bounds === undefined) throw noPartition(topic, partition, partitions.length)
  const { logStartOffset, highWatermark } = bounds
  const range = `${topic}/${partition} has offsets from ${logStartOffset} to before ${highWatermark}`
  if (offset >= highWatermark) {
    throw new SpoolError('RECORD_NOT_FOUND', `offset ${offset} is not written yet: ${range}`)
  }
  if (offset < logStartOffset) {
    throw new SpoolError('RECORD_GONE', `offset ${offset} is no longer kept: ${range}`)
  }
  const isNull = await printAt(client, { topic, partition, offset }, global, { print, hasHead })
  if (isNull !== undefined) return isNull
  throw new SpoolError('RECORD_GONE', `offset ${offset} was removed by compaction: ${range}`)
}

/** As `printRecord`, of a record within bounds; undefined where there is none. */
async function printAt(
  client: Client,
  { topic, partition, offset }: Place,
  { timeoutMs = READ_MS_MAX }: GlobalOptions,
  { print, hasHead }: Printing,
): Promise<boolean | undefined> {
  // A reader waits for ever for a broker that is away; who wants one record does not.
  const late = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([interruption(), late])
  const reader = client.reader(topic, {
    partitions: [partition],
    from: { [partition]: offset },
    until: { [partition]: offset + 1 },
    prefetchBytes: PREFETCH_BYTES,
    signal,
  })
  const output = new StandardOutput(signal)
  try {
    for await (const batch of reader.batches()) {
      const cursor = openRecord(batch, offset)
      if (cursor === undefined) continue
      if (hasHead) output.writer.raw(Buffer.from(headOf(partition, cursor)))
      print(output.writer, partition, cursor)
      await output.finish()
      return cursor.valueStart < 0
    }
  } catch (error) {
    if (!late.aborted || interruption().aborted) throw error
    throw new SpoolError('REQUEST_TIMED_OUT', `the record did not come within ${timeoutMs} ms`)
  }
  return undefined
}

/** A cursor at the record, where the batch has it. */
function openRecord(batch: ReadBatch, offset: number): RecordCursor | undefined {
  try {
    const cursor = openBatch(batch)
    while (cursor.next()) if (cursor.offset === offset) return cursor
    return undefined
  } catch (error) {
    throw readFailure(error, batch)
  }
}

/** Lines like those above the body of an HTTP answer, and an empty one. */
function headOf(partition: number, cursor: RecordCursor): string {
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
