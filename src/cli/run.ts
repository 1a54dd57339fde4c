// One run of the command line, in a process or in a test: finds the command, runs it, says what went wrong.

import { readFileSync } from 'node:fs'
import { ConfigError } from '../config.ts'
import { meant } from '../nearest.ts'
import { parseArguments } from './arguments.ts'
import { catalogue } from './catalogue.ts'
import { type Surroundings, taskOf } from './commands.ts'
import { helpOf, helpOfAll } from './help.ts'

const DONE = 0
const FAULT = 1
const NOT_DONE = 2

/** Errors that say what to do; others are ours. */
const EXPECTED = [
  'AddressRefused',
  'ImportRefused',
  'CopyRefused',
  'DirectoryLocked',
  'LogHeld',
  'NoAddress',
  'WrongNameKey',
  'LogUnavailable',
  'ReadModelsUnavailable',
  'PoisonFact',
  'StageRefused',
  'WebhookLost',
]

/** Returns the exit code; `serve` goes on after it. */
export const run = async (args: readonly string[], around: Surroundings): Promise<number> => {
  try {
    await dispatch(args, around)
    return DONE
  } catch (error) {
    const { name, message, stack } = error as Error
    const expected = error instanceof ConfigError || EXPECTED.includes(name)
    const told = name === 'PoisonFact' ? `${message}; --rebuild-poison park leaves it out and goes on` : message
    around.say(`hansard: ${expected ? told : stack}\n`)
    return expected ? NOT_DONE : FAULT
  }
}

const dispatch = async (args: readonly string[], around: Surroundings): Promise<void> => {
  const { flags, words } = parseArguments(args)
  if ('version' in flags || words[0] === 'version') return around.print(`${version()}\n`)
  const isHelp = words[0] === 'help'
  if (isHelp || 'help' in flags) {
    const asked = isHelp ? words.slice(1) : words
    return around.print(asked.length === 0 ? helpOfAll() : helpOf(namesOf(asked)))
  }
  const given = words.length === 0 ? ['serve'] : words
  const [name, ...others] = namesOf(given)
  const command = name === undefined ? undefined : catalogue[name]
  if (!name || !command || others.length > 0)
    throw new ConfigError(`hansard ${alternatives(given[0] as string)}; see hansard help`)
  await command.run(taskOf(command, given.slice(name.split(' ').length), flags, around))
}

const verbsOf = (group: string): string[] =>
  Object.keys(catalogue)
    .filter((name) => name.startsWith(`${group} `))
    .map((name) => name.slice(group.length + 1))

const alternatives = (group: string): string => `${group} ${verbsOf(group).join(' | ')}`

/** The command that these words begin with, or those of a group. @throws ConfigError naming the nearest */
const namesOf = ([first = '', second]: readonly string[]): string[] => {
  if (second !== undefined && Object.hasOwn(catalogue, `${first} ${second}`)) return [`${first} ${second}`]
  if (Object.hasOwn(catalogue, first)) return [first]
  const verbs = verbsOf(first)
  if (verbs.length === 0) {
    const known = [
      ...new Set([...Object.keys(catalogue).map((name) => name.split(' ')[0] as string), 'help', 'version']),
    ]
    throw new ConfigError(`unknown command ${first}${meant(first, known)}; see hansard help`)
  }
  if (second === undefined) return verbs.map((verb) => `${first} ${verb}`)
  const near = meant(second, verbs, `${first} `)
  throw new ConfigError(`unknown command ${first} ${second}${near}: hansard ${alternatives(first)}; see hansard help`)
}

const version = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version
