// Commands that ask the API, as a table: what is printed by `hansard help` and what is run are the same.

import { ConfigError } from '../config.ts'
import type { Door } from './door.ts'

export interface Command {
  readonly usage: string
  readonly says: string
  /** how many words follow; absent: none */
  readonly words?: number
  /** options of its own; the rest are settings */
  readonly flags?: readonly string[]
  /** returns what is printed */
  run(door: Door, words: readonly string[], flags: Readonly<Record<string, string>>): Promise<string>
}

/** The command, its words and its own options; what remains of the options are settings. @throws ConfigError */
export const chosen = (
  commands: Readonly<Record<string, Command>>,
  group: string,
  [verb, ...words]: readonly string[],
  flags: Readonly<Record<string, string>>,
) => {
  const command = verb !== undefined && Object.hasOwn(commands, verb) ? commands[verb] : undefined
  if (!command) throw new ConfigError(`hansard ${group} ${Object.keys(commands).join(' | ')}; see hansard help`)
  if (words.length !== (command.words ?? 0)) throw new ConfigError(`usage: hansard ${command.usage}`)
  const isOwn = ([name]: [string, string]) => command.flags?.includes(name) ?? false
  const given = Object.entries(flags)
  return {
    command,
    words,
    own: Object.fromEntries(given.filter(isOwn)),
    settings: Object.fromEntries(given.filter((entry) => !isOwn(entry))),
  }
}

/** What people wrote does not write to the terminal. */
const harmless = (cell: string): string =>
  cell.replace(/[\p{Cc}\p{Cf}]/gu, (unit) => `\\u{${unit.codePointAt(0)?.toString(16)}}`)

/** Columns as wide as their widest cell. */
export const rows = (given: readonly (readonly string[])[]): string => {
  const cells = given.map((row) => row.map(harmless))
  const widths = cells.reduce<number[]>(
    (widest, row) => row.map((cell, at) => Math.max(widest[at] ?? 0, [...cell].length)),
    [],
  )
  return cells
    .map((row) =>
      row
        .map((cell, at) => (at === row.length - 1 ? cell : cell + ' '.repeat((widths[at] ?? 0) - [...cell].length)))
        .join('  ')
        .trimEnd(),
    )
    .map((text) => `${text}\n`)
    .join('')
}
