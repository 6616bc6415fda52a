/** The cheap reader of event streams sees the same events however the bytes were cut. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventStreamParser } from './event-stream.ts'

const HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const EVENTS = [
  'retry: 1000\nid: abc\n\n',
  'id: a\ndata: {"partition":0,"offset":1,"value":"é"}\n\n',
  'data: {"partition":1,"offset":7}\n\nevent: checkpoint\nid: b\ndata: "b"\n\n',
  ': nothing\n\nid: c\n\n',
  'data: {"partition":0,"offset":2}\n\nevent: end\nid: d\ndata: {"reason":"limit"}\n\n',
]

function seen(pieces: readonly Buffer[]) {
  const found: string[] = []
  const parser = new EventStreamParser({
    onHead: (status) => found.push(`head ${status}`),
    onRecord: (bytes, start, end) => found.push(bytes.toString('utf8', start, end)),
    onEvent: (name, data) => found.push(`${name} ${data}`),
  })
  for (const piece of pieces) parser.push(piece)
  return { found, isComplete: parser.isComplete }
}

test('whole or in any pieces, in chunks of any size', () => {
  const stream = Buffer.from(EVENTS.join(''))
  const numbers = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 })
  fc.assert(
    fc.property(numbers, numbers, (chunkSizes, pieceSizes) => {
      const chunks = cut(stream, chunkSizes).flatMap((chunk) => [
        Buffer.from(`${chunk.length.toString(16)}\r\n`),
        chunk,
        Buffer.from('\r\n'),
      ])
      const answer = Buffer.concat([Buffer.from(HEAD), ...chunks, Buffer.from('0\r\n\r\n')])
      expect(seen(cut(answer, pieceSizes))).toEqual({
        found: [
          'head 200',
          '{"partition":0,"offset":1,"value":"é"}',
          '{"partition":1,"offset":7}',
          'checkpoint "b"',
          '{"partition":0,"offset":2}',
          'end {"reason":"limit"}',
        ],
        isComplete: true,
      })
    }),
  )
})

/** The bytes in pieces of these sizes, over and over. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}
