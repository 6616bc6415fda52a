/**
 * Where settings come from: flags, then environment variables, then the file given with `--config`, then
 * the defaults; the first that names a setting wins. A flag or a key in the file that nobody knows is an
 * error. An unknown variable that begins with `SPOOL_` is only a warning: orchestrators put such names
 * into every container on their own.
 */

import { readFile } from 'node:fs/promises'
import { ConfigError, parseSettingValue, type SettingValue } from './setting-value.ts'
import { environmentOf, flagOf, type Setting } from './settings.ts'

/** Values as given, before any check. */
export interface SettingSources {
  /** By flag without dashes: text, or true for a switch without a value. */
  readonly flags?: Readonly<Record<string, unknown>>
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Path of a YAML file of flat keys; read only if given. */
  readonly configFile?: string | undefined
}

export interface FoundValue {
  readonly value: SettingValue
  /** Such as `environment SPOOL_PORT`; `default` when nobody set it. */
  readonly source: string
}

/** Variables of the command line tools, which are no settings of a broker. */
const OTHER_VARIABLES = new Set(['SPOOL_CONFIG', 'SPOOL_URL', 'SPOOL_TOKEN', 'SPOOL_TOKEN_FILE'])

/**
 * The value of every setting, by key, and sentences that somebody should read.
 *
 * @throws ConfigError for the first value or name that is wrong.
 */
export async function findSettings(
  settings: readonly Setting[],
  sources: SettingSources,
): Promise<{ values: ReadonlyMap<string, FoundValue>; warnings: string[] }> {
  const flags = sources.flags ?? {}
  const environment = sources.environment ?? {}
  const file = sources.configFile === undefined ? {} : await readConfigFile(sources.configFile)
  refuseUnknown(Object.keys(flags), settings.map(flagOf), (name) => `flag --${name}`)
  const keys = settings.map((setting) => setting.key)
  refuseUnknown(Object.keys(file), keys, (name) => `setting ${name} (file ${sources.configFile})`)

  const values = new Map<string, FoundValue>()
  for (const setting of settings) {
    const flag = flagOf(setting)
    const variable = environmentOf(setting)
    const named: readonly (readonly [unknown, string])[] = [
      [flags[flag], `flag --${flag}`],
      [environment[variable], `environment ${variable}`],
      [file[setting.key], `file ${sources.configFile}`],
    ]
    const given = named.find(([raw]) => raw !== undefined)
    values.set(
      setting.key,
      given === undefined
        ? { value: setting.default, source: 'default' }
        : { value: parseSettingValue(setting, given[0], given[1]), source: given[1] },
    )
  }
  return { values, warnings: unknownVariables(environment, settings) }
}

/** The keys of a YAML file. Its parser is loaded here, as most brokers run without a file. */
async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new ConfigError(
      `the file given with --config can not be read: ${(error as Error).message}`,
    )
  }
  const { parse } = await import('yaml')
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    throw new ConfigError(`file ${path} is not YAML: ${(error as Error).message}`)
  }
  if (content === null || content === undefined) return {}
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new ConfigError(`file ${path} must hold keys and values, such as "port: 7766"`)
  }
  return content as Record<string, unknown>
}

function refuseUnknown(
  names: readonly string[],
  known: readonly string[],
  describe: (name: string) => string,
): void {
  const set = new Set(known)
  for (const name of names) {
    if (set.has(name)) continue
    const near = nearest(name, known)
    const hint = near === undefined ? 'see docs/configuration.md' : `did you mean ${near}?`
    throw new ConfigError(`${describe(name)} is not known; ${hint}`)
  }
}

function unknownVariables(
  environment: Readonly<Record<string, string | undefined>>,
  settings: readonly Setting[],
): string[] {
  const known = settings.map(environmentOf)
  const set = new Set([...known, ...OTHER_VARIABLES])
  return Object.keys(environment)
    .filter((name) => name.startsWith('SPOOL_') && !set.has(name))
    .map((name) => {
      const near = nearest(name, known)
      return `environment variable ${name} is no setting and does nothing${near === undefined ? '' : `; did you mean ${near}?`}`
    })
}

/** The known name with the fewest edits from `name`, if there are few. */
function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestEdits = Math.max(2, Math.floor(name.length / 4)) + 1
  for (const candidate of known) {
    const edits = editDistance(name, candidate)
    if (edits < bestEdits) {
      best = candidate
      bestEdits = edits
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
