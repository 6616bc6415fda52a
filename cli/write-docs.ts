/** Writes `docs/configuration.md` from the tables of settings: `npm run docs`. */

import { writeFileSync } from 'node:fs'
import { configurationPage } from './settings-help.ts'

writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationPage())
