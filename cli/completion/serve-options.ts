/** The flags of `spool serve` as options to complete: made from the tables of settings, which alone know them. */

import { Option } from 'commander'
import { flagOf, type Setting } from '../../broker/config/settings.ts'
import { ALL_SETTINGS } from '../../broker/config.ts'

export function serveOptions(): readonly Option[] {
  return [new Option('--config <file>', 'settings in a file'), ...ALL_SETTINGS.map(optionOf)]
}

function optionOf(setting: Setting): Option {
  const flag = `--${flagOf(setting)}`
  if (setting.kind === 'switch') return new Option(flag, setting.sentence)
  const placeholder = 'placeholder' in setting ? setting.placeholder.toLowerCase() : 'value'
  const option = new Option(`${flag} <${placeholder}>`, setting.sentence)
  return setting.kind === 'choice' ? option.choices(setting.choices) : option
}
