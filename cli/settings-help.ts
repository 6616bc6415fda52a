/**
 * The tables of settings as text: what `spool serve --help` prints and what `docs/configuration.md`
 * holds. Both are made from the settings themselves and nothing else, so that they can not lie.
 */

import { allowedValues } from '../broker/config/setting-value.ts'
import { type BrokerField, environmentOf, flagOf, type Setting } from '../broker/config/settings.ts'
import { BROKER_SETTINGS, SECTIONS } from '../broker/config/settings-table.ts'
import { TOPIC_DEFAULTS } from '../broker/config/topic-defaults.ts'
import { TOPIC_SETTINGS } from '../broker/topics/topic-settings.ts'
import { exitCodeRows } from './exit-codes.ts'

const HELP_WIDTH = 96
const TOPIC_SECTION = 'Defaults of topics that do not say otherwise'

/** Everything `spool serve --help` prints. */
export function serveHelp(): string {
  const lines = [
    'Usage: spool serve [--config FILE] [settings]',
    '',
    'Runs one broker until SIGTERM or SIGINT. When it is ready, one line on stdout says where it listens;',
    'its log goes to stderr. A setting comes from its flag, else its environment variable, else the file',
    'given with --config or SPOOL_CONFIG (YAML: key: value), else its default. The variable of --data-dir',
    'is SPOOL_DATA_DIR, and so on for every flag.',
  ]
  for (const [heading, settings] of sections()) {
    lines.push('', `${heading}:`)
    for (const setting of settings) lines.push(...helpEntry(setting))
  }
  lines.push('', 'Exit codes:')
  for (const [code, meaning] of exitCodeRows('serve')) {
    lines.push(`  ${code}  ${meaning}`)
  }
  return `${lines.join('\n')}\n`
}

/** The whole of `docs/configuration.md`. */
export function configurationPage(): string {
  const parts = [
    '# Settings',
    '',
    '<!-- Made by `npm run docs` from the tables in the code: change those. -->',
    '',
    'A broker takes each setting from the first of: its flag, its environment variable, the file given with',
    '`--config FILE` or `SPOOL_CONFIG` (YAML, one `key: value` a line), its default. A name nobody knows or a value out of bounds',
    'stops it with one sentence saying which, from where, and what is allowed. A variable that begins with',
    '`SPOOL_` but is no setting is only warned about.',
    '',
    'Times are in milliseconds, sizes in bytes. A true-or-false flag needs no value (`--insecure`).',
  ]
  for (const [heading, settings] of sections()) {
    parts.push(
      '',
      `## ${heading}`,
      '',
      '| key | flag, variable | default | allowed | |',
      '|---|---|---|---|---|',
    )
    for (const setting of settings) parts.push(tableRow(setting))
  }
  parts.push('', '## Settings of one topic', '')
  parts.push(
    'Set when a topic is created or changed (`config`); what is not set follows the broker.',
    '',
  )
  parts.push('| key | default | allowed | |', '|---|---|---|---|')
  for (const topic of TOPIC_SETTINGS) {
    parts.push(
      `| \`${topic.key}\` | ${shownDefault(topic)} | ${cell(allowedValues(topic))} | ${cell(topic.sentence)} |`,
    )
  }
  parts.push('', '## Exit codes of `spool serve`', '', '| code | |', '|---|---|')
  for (const [code, meaning] of exitCodeRows('serve')) {
    parts.push(`| ${code} | ${meaning} |`)
  }
  return `${parts.join('\n')}\n`
}

/** Headings with their settings, in the order of the tables. */
function sections(): [string, Setting[]][] {
  const found: [string, Setting[]][] = []
  for (const field of Object.keys(BROKER_SETTINGS) as BrokerField[]) {
    const heading = SECTIONS[field]
    if (heading !== undefined) found.push([heading, []])
    found.at(-1)?.[1].push(BROKER_SETTINGS[field])
  }
  found.push([TOPIC_SECTION, TOPIC_DEFAULTS.map((entry) => entry.setting)])
  return found
}

function helpEntry(setting: Setting): string[] {
  const value = setting.kind === 'switch' ? '' : ` ${placeholder(setting)}`
  const facts = [shownDefault(setting) === '' ? '' : `default ${plainDefault(setting)}`]
  if (setting.kind === 'number' || setting.kind === 'choice') facts.push(allowedValues(setting))
  const known = facts.filter((fact) => fact !== '').join('; ')
  const text = known === '' ? setting.sentence : `${setting.sentence} (${known})`
  return [
    `  --${flagOf(setting)}${value}`,
    ...wrapped(text, HELP_WIDTH).map((line) => `      ${line}`),
  ]
}

function tableRow(setting: Setting): string {
  const names = `\`--${flagOf(setting)}\`<br>\`${environmentOf(setting)}\``
  return `| \`${setting.key}\` | ${names} | ${shownDefault(setting)} | ${cell(allowedValues(setting))} | ${cell(setting.sentence)} |`
}

function placeholder(setting: Setting): string {
  if (setting.kind === 'number') return setting.unit === 'count' ? 'N' : setting.unit.toUpperCase()
  return 'placeholder' in setting ? setting.placeholder : 'NAME'
}

function plainDefault(setting: Pick<Setting, 'default'>): string {
  return Array.isArray(setting.default) ? setting.default.join(',') : String(setting.default ?? '')
}

function shownDefault(setting: Pick<Setting, 'default'>): string {
  const text = plainDefault(setting)
  return text === '' ? '' : `\`${text}\``
}

/** A table cell must not hold the character that ends it. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}
