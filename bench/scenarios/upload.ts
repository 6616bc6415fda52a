/** A plain log file loaded by curl, one record a line, keyed and dated by fields of each line. */

import { execFile } from 'node:child_process'
import { createWriteStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { promisify } from 'node:util'
import { TOPIC, withBroker } from '../broker-under-test.ts'
import { accessLog } from '../loads/access-log.ts'
import { writeLines } from '../loads/write-lines.ts'
import type { Scenario } from '../scenario.ts'

const LINES = 1_000_000
const PARTITIONS = 4
const SEED = 1

const run = promisify(execFile)

interface UploadReply {
  readonly lines: number
  readonly appended: number
}

export const scenario: Scenario = {
  name: 'upload',
  sentence: 'an access log, by curl -X POST -T …?body=lines&keyFrom=/user&timestampFrom=/ts',
  trials: [
    {
      name: 'access log, lines',
      run: async ({ directory, scale }) => {
        const lines = Math.ceil(LINES * scale)
        const path = join(directory, 'access.ndjson')
        const file = createWriteStream(path)
        await writeLines(file, accessLog(lines, SEED))
        file.end()
        await finished(file)
        return withBroker(join(directory, 'data'), PARTITIONS, async (broker) => {
          const query = 'body=lines&keyFrom=/user&timestampFrom=/ts'
          const url = `${broker.url}/v1/topics/${TOPIC}/records?${query}`
          const startedAt = performance.now()
          const { stdout } = await run('curl', ['-sS', '-X', 'POST', '-T', path, url])
          const seconds = (performance.now() - startedAt) / 1_000
          const reply = JSON.parse(stdout) as UploadReply
          if (reply.appended !== lines) throw new Error(`of ${lines} lines: ${stdout}`)
          return [
            { name: 'loaded', value: statSync(path).size / 1e6 / seconds, unit: 'MB/s' },
            { name: 'lines', value: lines / seconds, unit: '1/s' },
            { name: 'memory', value: broker.memoryMiB(), unit: 'MiB' },
          ]
        })
      },
    },
  ],
}
