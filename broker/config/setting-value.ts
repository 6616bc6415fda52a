/**
 * One value of one setting: from text (flag, environment) or from what YAML made of it, to the typed
 * value, or one sentence naming the setting, where the value came from, the value and the bounds.
 */

import type { ChoiceSetting, NumberSetting, Setting } from './settings.ts'

export type SettingValue = number | string | boolean | readonly string[] | undefined

/** A setting that can not be used. The message is for the person who wrote it; no stack needed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** The largest piece of a wrong value that is repeated in an error. */
const SHOWN_CHARACTERS_MAX = 80

/**
 * The typed value of `raw` for `setting`.
 *
 * @param raw text, or a number, boolean or list as YAML reads it.
 * @param source where it stands, such as `flag --port`, for the message.
 * @throws ConfigError naming setting, source, value and bounds.
 */
export function parseSettingValue(setting: Setting, raw: unknown, source: string): SettingValue {
  const value = parse(setting, raw)
  if (value !== undefined) return value
  throw new ConfigError(
    `setting ${setting.key} (${source}): ${shown(raw)} is not ${allowedValues(setting)}`,
  )
}

/** What the setting takes, in words: `an integer between 0 and 65535`. */
export function allowedValues(setting: Setting): string {
  switch (setting.kind) {
    case 'number': {
      const kind = setting.isFraction === true ? 'a number' : 'an integer'
      const range = `${kind} between ${setting.min} and ${setting.max}`
      return setting.minusOne === undefined ? range : `${range}, or -1 (${setting.minusOne})`
    }
    case 'choice':
      return `one of ${setting.choices.join(', ')}`
    case 'switch':
      return 'true or false'
    case 'text':
      return 'a text that is not empty'
    case 'list':
      return 'a list of texts (separated by commas)'
  }
}

function parse(setting: Setting, raw: unknown): SettingValue {
  switch (setting.kind) {
    case 'number':
      return numberFrom(setting, raw)
    case 'choice':
      return choiceFrom(setting, raw)
    case 'switch':
      if (raw === true || raw === 'true') return true
      return raw === false || raw === 'false' ? false : undefined
    case 'text':
      return typeof raw === 'string' && raw !== '' && !raw.includes('\0') ? raw : undefined
    case 'list':
      return parseList(raw)
  }
}

/** The number that `raw` is, itself or as decimal text; `undefined` when the setting does not take it. */
export function numberFrom(
  setting: Pick<NumberSetting, 'min' | 'max' | 'minusOne' | 'isFraction'>,
  raw: unknown,
): number | undefined {
  // Digits only: no `1e3`, no `0x10`, no spaces, so that a typing error is never a value.
  const isFraction = setting.isFraction === true
  const pattern = isFraction ? /^-?\d{1,16}(\.\d{1,16})?$/ : /^-?\d{1,16}$/
  const value = typeof raw === 'string' && pattern.test(raw) ? Number(raw) : raw
  if (typeof value !== 'number') return undefined
  if (isFraction ? !Number.isFinite(value) : !Number.isSafeInteger(value)) return undefined
  if (value === -1 && setting.minusOne !== undefined) return value
  return value >= setting.min && value <= setting.max ? value : undefined
}

/** The choice that `raw` names, also by another word for it; `undefined` when there is none. */
export function choiceFrom(
  { choices, synonyms = {} }: Pick<ChoiceSetting, 'choices' | 'synonyms'>,
  raw: unknown,
): string | undefined {
  if (typeof raw !== 'string') return undefined
  const choice = Object.hasOwn(synonyms, raw) ? synonyms[raw]! : raw
  return choices.includes(choice) ? choice : undefined
}

function parseList(raw: unknown): readonly string[] | undefined {
  const items: unknown[] = typeof raw === 'string' ? raw.split(',') : Array.isArray(raw) ? raw : []
  const texts = items.filter((item): item is string => typeof item === 'string')
  const trimmed = texts.map((text) => text.trim())
  if (trimmed.length !== items.length || trimmed.includes('') || items.length === 0) {
    return Array.isArray(raw) && raw.length === 0 ? [] : undefined
  }
  return trimmed
}

function shown(raw: unknown): string {
  const text = typeof raw === 'bigint' ? String(raw) : (JSON.stringify(raw) ?? String(raw))
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`
}
