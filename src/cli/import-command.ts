// `hansard import irc`: logs of an IRC channel into a data directory that no server runs on.

import { mkdirSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { ALIAS } from '../actors/alias.ts'
import { ConfigError } from '../config.ts'
import { type IrcFile, importIrc } from '../import/import-irc.ts'
import { openLog } from '../log/open-log.ts'
import { SecureChance } from '../secure-chance.ts'
import { progressOn, type Task } from './commands.ts'

const fileOf = (path: string): IrcFile => {
  const name = basename(path)
  const [day] = /\d{4}-\d{2}-\d{2}/.exec(name) ?? []
  if (day === undefined) throw new ConfigError(`${path}: its name says no day, as 2006-06-01.log does`)
  return { name, day, text: readFileSync(path, 'utf8') }
}

/** @throws ConfigError, ImportRefused, LogUnavailable */
export const importCommand = async (task: Task): Promise<void> => {
  const { words, own, config, say } = task
  const { room, name = room } = own
  if (room === undefined || name === undefined) throw new ConfigError('hansard import irc: give --room ALIAS')
  if (!ALIAS.test(room)) throw new ConfigError(`--room ${room}: a dialect and a number, e.g. moneypot:100`)
  const files = words.map(fileOf)
  const directory = resolve(config.DATA)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const log = await openLog(config.LOG, directory)
  try {
    const { lines, messages, known, passedOver } = await importIrc({
      ...{ files, room, roomName: name, log, nameKey: config.NAME_KEY, node: config.NODE },
      chance: (clock) => new SecureChance(clock),
      progress: progressOfFiles(task),
    })
    say(`${lines} lines: ${messages} messages stored, ${known} lines stood in the log already, `)
    say(`${passedOver} passed over (modes, topics, notices). Start the server to read them in ${room}.\n`)
  } finally {
    await log.close()
  }
}

const progressOfFiles = (task: Task) => {
  const known = new Map<string, ReturnType<typeof progressOn>>()
  return (file: string, done: number, of: number): void => {
    const show = known.get(file) ?? progressOn(task, file, 'lines')
    known.set(file, show)
    show(done, of)
  }
}
