// What a command is, and how what it finds is printed.

import { type Config, ConfigError, type Origin, readConfig, type SettingName } from '../config.ts'
import { type Answer, type Door, every, openDoor } from './door.ts'

export type Flags = Readonly<Record<string, string>>

/** Where a command runs: of a process, or of a test. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** is what is said seen on a terminal, where a line can be written over? */
  readonly terminal: boolean
  /** what was asked for */
  print(text: string): void
  /** beside it: progress, hints */
  say(text: string): void
  /** aborts, its reason the signal's name, when the command is told to stop; from then on that does not end the process */
  interrupted(): AbortSignal
}

export interface Task extends Surroundings {
  readonly words: readonly string[]
  /** the command's own options */
  readonly own: Flags
  readonly config: Config
  readonly origins: Readonly<Record<SettingName, Origin>>
}

export interface Command {
  /** what follows `hansard` */
  readonly usage: string
  readonly says: string
  /** paragraphs of its page of help */
  readonly more?: readonly string[]
  /** how many words follow, at least and at most; absent: none */
  readonly words?: readonly [least: number, most: number]
  /** options of its own → what they say; the rest are settings */
  readonly options?: Readonly<Record<string, string>>
  run(task: Task): Promise<void>
}

/** What a command that asks the API found: for people, and for a script. */
export interface Found {
  readonly text: string
  readonly json: unknown
}

export const DOOR_OPTIONS = {
  url: 'URL  the server to ask, else HANSARD_URL, else the one that runs on the data directory',
  token: 'TOKEN  whose rights, else HANSARD_TOKEN, else the owner of that directory',
} as const

const JSON_OPTION = { json: 'prints JSON' } as const

export interface Asking extends Omit<Command, 'run'> {
  ask(door: Door, words: readonly string[], own: Flags): Promise<Found>
}

/** A command that asks the API, of the server that runs or of one opened for it. */
export const asking = ({ ask, ...page }: Asking): Command => ({
  ...page,
  options: { ...page.options, ...JSON_OPTION, ...DOOR_OPTIONS },
  run: async (task) => {
    const { words, own, print } = task
    const door = await openDoor(task)
    try {
      const { text, json } = await ask(door, words, own)
      print('json' in own ? `${JSON.stringify(json)}\n` : text)
    } finally {
      await door.close()
    }
  },
})

/** Its words and options, checked; what are no options of its own are settings. @throws ConfigError */
export const taskOf = (command: Command, words: readonly string[], flags: Flags, around: Surroundings): Task => {
  const [least, most] = command.words ?? [0, 0]
  if (words.length < least || words.length > most) throw new ConfigError(`usage: hansard ${command.usage}`)
  const isOwn = (name: string) => Object.hasOwn(command.options ?? {}, name)
  const given = Object.entries(flags)
  const settings = Object.fromEntries(given.filter(([name]) => !isOwn(name)))
  const own = Object.fromEntries(given.filter(([name]) => isOwn(name)))
  return { ...around, words, own, ...readConfig(around.environment, settings) }
}

/** A listing of the API, whole. */
export const listed = async (door: Door, path: string, line: (item: Answer) => readonly string[]): Promise<Found> => {
  const items: Answer[] = []
  for await (const item of every(door, path)) items.push(item)
  return { text: rows(items.map(line)), json: items }
}

const SHOWN_EVERY_MS = 200

/** How far something is, on one line of a terminal; elsewhere only that it is done. */
export const progressOn = ({ terminal, say }: Surroundings, what: string, unit: string) => {
  let shown = Number.NEGATIVE_INFINITY
  return (done: number, of: number): void => {
    const now = performance.now()
    if (done < of && (!terminal || now - shown < SHOWN_EVERY_MS)) return
    shown = now
    const percent = of === 0 ? 100 : Math.floor((100 * done) / of)
    say(`${terminal ? '\r' : ''}${what}: ${done} of ${of} ${unit} (${percent} %)${done < of ? '' : '\n'}`)
  }
}

/** What people wrote does not write to the terminal. */
export const harmless = (cell: string): string =>
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
