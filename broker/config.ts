/**
 * The door to a broker's settings: from flags, environment, file and defaults to one checked
 * `BrokerSettings`. The table is `config/settings-table.ts`; nothing else in the broker reads the environment.
 */

import { checkGroupSessions } from './config/group-settings.ts'
import { ConfigError, parseSettingValue, type SettingValue } from './config/setting-value.ts'
import type { BrokerField, BrokerSettings, Setting } from './config/settings.ts'
import { BROKER_SETTINGS } from './config/settings-table.ts'
import { findSettings, type SettingSources } from './config/sources.ts'
import { TOPIC_DEFAULTS } from './config/topic-defaults.ts'

export { checkBind, isLoopback, readAuthToken } from './config/access.ts'
export { ConfigError } from './config/setting-value.ts'
export type { BrokerSettings, LogLevel } from './config/settings.ts'

const FIELDS = Object.keys(BROKER_SETTINGS) as BrokerField[]

/** Every setting a broker takes, its own first, then the defaults of topics. */
export const ALL_SETTINGS: readonly Setting[] = [
  ...FIELDS.map((field) => BROKER_SETTINGS[field]),
  ...TOPIC_DEFAULTS.map((entry) => entry.setting),
]

export interface ResolvedSettings {
  readonly settings: BrokerSettings
  /** Key → where its value came from (`flag --port`, `default`…), for the log and for questions. */
  readonly sources: ReadonlyMap<string, string>
  /** Sentences that somebody should read. */
  readonly warnings: readonly string[]
}

/**
 * Reads and checks every setting.
 *
 * @throws ConfigError for the first unknown name or value out of bounds.
 */
export async function resolveSettings(from: SettingSources): Promise<ResolvedSettings> {
  const { values, warnings } = await findSettings(ALL_SETTINGS, from)
  const fields: Partial<Record<BrokerField, SettingValue>> = {}
  for (const field of FIELDS) fields[field] = values.get(BROKER_SETTINGS[field].key)?.value
  const topicDefaults: Record<string, number | string> = {}
  for (const { topicKey, setting } of TOPIC_DEFAULTS) {
    const found = values.get(setting.key)
    if (found === undefined || found.source === 'default') continue
    topicDefaults[topicKey] = found.value as number | string
  }
  const settings = { ...fields, topicDefaults } as unknown as BrokerSettings
  checkGroupSessions(settings)
  return {
    settings,
    sources: new Map([...values].map(([key, found]) => [key, found.source])),
    warnings,
  }
}

/**
 * Settings for a broker inside another program: `given`, checked like any other, over the defaults.
 *
 * @throws ConfigError for an unknown field or a value out of bounds.
 */
export function settingsWith(given: Partial<BrokerSettings>): BrokerSettings {
  const found: Record<string, unknown> = { topicDefaults: {} }
  for (const field of FIELDS) found[field] = BROKER_SETTINGS[field].default
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (name !== 'topicDefaults' && !(name in BROKER_SETTINGS)) {
      throw new ConfigError(`${name} is no setting of a broker`)
    }
    found[name] =
      name === 'topicDefaults'
        ? checkedTopicDefaults(value as BrokerSettings['topicDefaults'])
        : parseSettingValue(BROKER_SETTINGS[name as BrokerField], value, `option ${name}`)
  }
  const settings = found as unknown as BrokerSettings
  checkGroupSessions(settings)
  return settings
}

function checkedTopicDefaults(
  given: BrokerSettings['topicDefaults'],
): BrokerSettings['topicDefaults'] {
  const checked: Record<string, number | string> = {}
  for (const [topicKey, value] of Object.entries(given)) {
    const entry = TOPIC_DEFAULTS.find((candidate) => candidate.topicKey === topicKey)
    if (entry === undefined) throw new ConfigError(`${topicKey} is no setting of a topic`)
    checked[topicKey] = parseSettingValue(entry.setting, value, 'topicDefaults') as number | string
  }
  return checked
}
