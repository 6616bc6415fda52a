/**
 * What may come next on a command line: verbs, options, values of options, arguments. Walks the declared
 * program, so that it knows exactly what the program knows. Names that only a broker has (topics, groups)
 * are asked for through `Surroundings`; nothing else here is slow.
 */

import type { Argument, Command, Option } from 'commander'
import { TOPIC_SETTINGS } from '../../broker/topics/topic-settings.ts'
import { serveOptions } from './serve-options.ts'

export interface Candidate {
  readonly word: string
  /** A few words about it. */
  readonly about: string
}

/** Stands for the names of files, which the shell knows best. */
export const FILES: Candidate = { word: '<file>', about: '' }

const HELP: Candidate = { word: '--help', about: 'show help' }

export interface Surroundings {
  topicNames(): Promise<readonly string[]>
  groupNames(): Promise<readonly string[]>
}

/** Candidates for the last of `words`, which may be empty; those that begin as it does. */
export async function candidates(
  program: Command,
  words: readonly string[],
  surroundings: Surroundings,
): Promise<readonly Candidate[]> {
  const place = placeOf(program, words.slice(0, -1))
  const word = words.at(-1) ?? ''
  const equals = /^(--[\w-]+)=(.*)$/.exec(word)
  if (place.option === undefined && equals !== null && !place.isOnlyArguments) {
    const option = findOption(place.command, equals[1]!)
    if (option === undefined) return []
    const values = await optionValues(option, equals[2]!, surroundings)
    return values.map((each) => prefixed(each, `${equals[1]}=`))
  }
  if (place.option !== undefined) return optionValues(place.option, word, surroundings)
  if (word.startsWith('-') && !place.isOnlyArguments) {
    return beginning(word, [...optionsOf(place.command).flatMap(optionCandidates), HELP])
  }
  const verbs = place.command.commands
  if (verbs.length > 0) {
    if (place.argumentsBefore.length > 0) return []
    return beginning(
      word,
      verbs.map((command) => ({ word: command.name(), about: command.description() })),
    )
  }
  return argumentValues(place, word, surroundings)
}

interface Place {
  readonly command: Command
  /** The option whose value comes next. */
  readonly option: Option | undefined
  /** Arguments typed already. */
  readonly argumentsBefore: readonly string[]
  /** True after `--`. */
  readonly isOnlyArguments: boolean
}

function placeOf(program: Command, words: readonly string[]): Place {
  let command = program
  let option: Option | undefined
  let isOnlyArguments = false
  const argumentsBefore: string[] = []
  for (const word of words) {
    if (option !== undefined) {
      option = undefined
    } else if (word === '--') {
      isOnlyArguments = true
    } else if (word.startsWith('-') && word !== '-' && !isOnlyArguments) {
      option = valueWanted(command, word)
    } else {
      const next = command.commands.find(
        (each) => each.name() === word || each.aliases().includes(word),
      )
      if (next !== undefined) command = next
      else if (word !== 'help' || command !== program) argumentsBefore.push(word)
    }
  }
  return { command, option, argumentsBefore, isOnlyArguments }
}

/** The option of `word` that still waits for its value: `-p`, `--url`, the last letter of `-ep`. */
function valueWanted(command: Command, word: string): Option | undefined {
  if (word.startsWith('--')) {
    const option = findOption(command, word)
    return option?.required === true ? option : undefined
  }
  for (let at = 1; at < word.length; at++) {
    const option = findOption(command, `-${word[at]}`)
    if (option?.required === true) return at === word.length - 1 ? option : undefined
  }
  return undefined
}

/** `serve` is declared without options: its flags are the settings. */
function optionsOf(command: Command): readonly Option[] {
  return command.name() === 'serve' ? serveOptions() : command.options
}

function findOption(command: Command, flag: string): Option | undefined {
  return optionsOf(command).find((option) => option.long === flag || option.short === flag)
}

function optionCandidates({ long, short, description, hidden }: Option): Candidate[] {
  const flag = long ?? short
  return flag === undefined || hidden ? [] : [{ word: flag, about: description }]
}

async function optionValues(
  option: Option,
  word: string,
  surroundings: Surroundings,
): Promise<readonly Candidate[]> {
  if (option.argChoices !== undefined) return beginning(word, option.argChoices.map(bare))
  switch (/<(.*)>/.exec(option.flags)?.[1]) {
    case 'topic':
    case 'topic[:partitions]':
      return topics(word, surroundings)
    case 'group':
      return groups(word, surroundings)
    case 'key=value':
      return configCandidates(word)
    case 'key':
      return beginning(word, TOPIC_SETTINGS.map(keyOf))
    case 'position':
      return beginning(word, POSITIONS)
    case 'file':
    case 'path':
    case 'dir':
      return [FILES]
    default:
      return []
  }
}

const POSITIONS: readonly Candidate[] = [
  { word: 'earliest', about: 'the first record kept' },
  { word: 'beginning', about: 'the same' },
  { word: 'latest', about: 'the end' },
  { word: 'end', about: 'the same' },
  { word: '-10', about: 'the last ten records' },
  { word: '-PT1H', about: 'an hour ago' },
]

function keyOf({ key, sentence }: { readonly key: string; readonly sentence: string }): Candidate {
  return { word: key, about: sentence }
}

/** `key=`, and after the `=` the values where they are a fixed set. */
function configCandidates(word: string): readonly Candidate[] {
  const equals = word.indexOf('=')
  if (equals < 0) {
    return beginning(
      word,
      TOPIC_SETTINGS.map(({ key, sentence }) => ({ word: `${key}=`, about: sentence })),
    )
  }
  const key = word.slice(0, equals)
  const setting = TOPIC_SETTINGS.find((each) => each.key === key)
  if (setting?.kind !== 'choice') return []
  return beginning(
    word,
    setting.choices.map((choice) => bare(`${key}=${choice}`)),
  )
}

async function argumentValues(
  { command, argumentsBefore }: Place,
  word: string,
  surroundings: Surroundings,
): Promise<readonly Candidate[]> {
  const declared = command.registeredArguments
  const argument: Argument | undefined =
    declared[argumentsBefore.length] ??
    (declared.at(-1)?.variadic === true ? declared.at(-1) : undefined)
  if (argument === undefined) return []
  if (argument.argChoices !== undefined) return beginning(word, argument.argChoices.map(bare))
  switch (argument.name()) {
    case 'topic':
    case 'topics':
    case 'record':
      return (await topics(word, surroundings)).filter(
        (each) => !argumentsBefore.includes(each.word),
      )
    case 'group':
    case 'groups':
      return (await groups(word, surroundings)).filter(
        (each) => !argumentsBefore.includes(each.word),
      )
    case 'path':
    case 'file':
    case 'files':
      return [FILES]
    default:
      return []
  }
}

async function groups(word: string, surroundings: Surroundings): Promise<readonly Candidate[]> {
  const names = await surroundings.groupNames()
  return beginning(
    word,
    names.map((name) => ({ word: name, about: 'group' })),
  )
}

async function topics(word: string, surroundings: Surroundings): Promise<readonly Candidate[]> {
  return beginning(
    word,
    (await surroundings.topicNames()).map((name) => ({ word: name, about: 'topic' })),
  )
}

function beginning(word: string, all: readonly Candidate[]): readonly Candidate[] {
  return all.filter((each) => each.word.startsWith(word))
}

function bare(word: string): Candidate {
  return { word, about: '' }
}

function prefixed({ word, about }: Candidate, prefix: string): Candidate {
  return word === FILES.word ? FILES : { word: `${prefix}${word}`, about }
}
