/**
 * Every story goes as it is written. After a change on purpose, `WRITE_STORIES=1 npx vitest run` this file
 * writes them anew: what has changed is then to be read and judged in the difference.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { playStory } from './story.ts'

const FOLDER = join(import.meta.dirname, 'stories')
const FILES = readdirSync(FOLDER).sort()

test.each(FILES)('%s', (file) => {
  const path = join(FOLDER, file)
  const written = readFileSync(path, 'utf8')
  const played = playStory(written)
  if (process.env.WRITE_STORIES !== undefined) writeFileSync(path, played)
  else expect(played).toBe(written)
})
