/** Writes `docs/configuration.md` and `docs/cli.md` from the tables and declarations in the code: `npm run docs`. */

import { writeFileSync } from 'node:fs'
import { cliPage } from './cli-page.ts'
import { configurationPage } from './settings-help.ts'

const PAGES = { 'configuration.md': configurationPage, 'cli.md': cliPage }

for (const [name, page] of Object.entries(PAGES)) {
  writeFileSync(new URL(`../docs/${name}`, import.meta.url), page())
}
