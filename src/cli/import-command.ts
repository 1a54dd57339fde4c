// `hansard import irc`: logs of an IRC channel into a data directory that no server runs on.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { ALIAS } from '../actors/alias.ts'
import { ConfigError } from '../config.ts'
import { type IrcFile, importIrc } from '../import/import-irc.ts'
import { channelOf } from '../import/irc-log.ts'
import { openLog } from '../log/open-log.ts'
import { SecureChance } from '../secure-chance.ts'
import { progressOn, type Task } from './commands.ts'

/** @throws ConfigError */
export const dayOf = (path: string): { name: string; day: string } => {
  const name = basename(path)
  const [day] = /\d{4}-\d{2}-\d{2}/.exec(name) ?? []
  if (day === undefined) throw new ConfigError(`${path}: its name says no day, as 2006-06-01.log does`)
  return { name, day }
}

const fileOf = (path: string): IrcFile => ({ ...dayOf(path), text: readFileSync(path, 'utf8') })

/** The same each time, so that the next file of the channel comes into the same room. */
const aliasOf = (channel: string): string =>
  `irc:${createHash('sha256').update(channel).digest().readUInt32BE(0) % 1_000_000_000}`

/** @throws ConfigError, ImportRefused, LogUnavailable */
export const importCommand = async (task: Task): Promise<void> => {
  const { words, own, config, say } = task
  const { room: given, name } = own
  if (given !== undefined && !ALIAS.test(given))
    throw new ConfigError(`--room ${given}: a dialect and a number, e.g. moneypot:100`)
  const files = words.map(fileOf)
  const channels = new Set(files.map(({ text }) => channelOf(text)).filter((channel) => channel !== null))
  const [channel] = channels
  if (given === undefined && channels.size !== 1)
    throw new ConfigError(
      `${channels.size === 0 ? 'the files name no channel' : `several channels (${[...channels].join(', ')})`}: say where to with --room`,
    )
  const room = given ?? aliasOf(channel as string)
  const directory = resolve(config.DATA)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const log = await openLog(config.LOG, directory)
  try {
    const { lines, messages, known, bans, passedOver } = await importIrc({
      ...{ files, room, roomName: name ?? channel ?? room, log, nameKey: config.NAME_KEY, node: config.NODE },
      chance: (clock) => new SecureChance(clock),
      progress: progressOfFiles(task),
    })
    say(`${lines} lines: ${messages} messages stored, ${known} lines stood in the log already, `)
    say(
      `${passedOver} passed over (modes, topics, notices), ${bans} bans of masks noted, which name nobody. Start the server to read them in ${room}.\n`,
    )
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
