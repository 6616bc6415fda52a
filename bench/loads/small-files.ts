/**
 * Small files as people upload them, valid and the same for the same seed: PNG images, SVG drawings,
 * PDF pages. For raw values, content types and records of a few KiB that do not compress.
 *
 *     node bench/loads/small-files.ts --files 12 --seed 1 --into DIR
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32, deflateSync } from 'node:zlib'
import { SeededRandom } from '../../test/rigs/random.ts'

export interface SmallFile {
  readonly name: string
  readonly contentType: string
  readonly bytes: Buffer
}

/** `count` files, kinds in turn. */
export function* smallFiles(count: number, seed: number): Generator<SmallFile> {
  const random = new SeededRandom(seed)
  for (let at = 0; at < count; at++) {
    const name = `file-${String(at).padStart(5, '0')}`
    if (at % 3 === 0) yield { name: `${name}.png`, contentType: 'image/png', bytes: png(random) }
    else if (at % 3 === 1)
      yield { name: `${name}.svg`, contentType: 'image/svg+xml', bytes: svg(random) }
    else yield { name: `${name}.pdf`, contentType: 'application/pdf', bytes: pdf(random, at) }
  }
}

/** An image of 16 to 96 pixels a side: a gradient with noise. */
function png(random: SeededRandom): Buffer {
  const side = random.between(16, 96)
  const hue = random.below(256)
  const rows = Buffer.alloc(side * (1 + side * 3))
  let at = 0
  for (let y = 0; y < side; y++) {
    rows[at++] = 0
    for (let x = 0; x < side; x++) {
      rows[at++] = (hue + x * 2) & 0xff
      rows[at++] = (y * 2 + random.below(16)) & 0xff
      rows[at++] = (255 - hue) & 0xff
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, body: Buffer): Buffer {
  const chunk = Buffer.alloc(12 + body.length)
  chunk.writeUInt32BE(body.length, 0)
  chunk.write(type, 4, 'latin1')
  body.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + body.length)), 8 + body.length)
  return chunk
}

function svg(random: SeededRandom): Buffer {
  const shapes = Array.from({ length: random.between(3, 40) }, () => {
    const color = random.next32().toString(16).padStart(8, '0').slice(0, 6)
    return `  <circle cx="${random.below(200)}" cy="${random.below(200)}" r="${random.between(2, 40)}" fill="#${color}"/>`
  })
  const lines = [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">',
    `  <title>${shapes.length} circles</title>`,
    ...shapes,
    '</svg>',
  ]
  return Buffer.from(`${lines.join('\n')}\n`)
}

/** One page with a few lines of text. */
function pdf(random: SeededRandom, number: number): Buffer {
  const lines = Array.from({ length: random.between(1, 30) }, (_, at) => {
    return `BT /F1 12 Tf 72 ${720 - at * 20} Td (Invoice ${number}, line ${at + 1}: ${random.below(100_000)}) Tj ET`
  })
  const content = lines.join('\n')
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ]
  let text = '%PDF-1.4\n'
  const places = objects.map((object, at) => {
    const place = text.length
    text += `${at + 1} 0 obj\n${object}\nendobj\n`
    return `${String(place).padStart(10, '0')} 00000 n \n`
  })
  const tableAt = text.length
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.join('')}`
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${tableAt}\n%%EOF\n`
  return Buffer.from(text, 'latin1')
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      files: { type: 'string', default: '12' },
      seed: { type: 'string', default: '1' },
      into: { type: 'string', default: '.' },
    },
  })
  mkdirSync(values.into, { recursive: true })
  for (const file of smallFiles(Number(values.files), Number(values.seed))) {
    writeFileSync(join(values.into, file.name), file.bytes)
  }
}
