// `hansard import irc`: logs of an IRC channel into a log that no server has: the one in a data directory, or on a log server.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, resolve } from 'node:path'
import { ALIAS } from '../actors/alias.ts'
import { FactCodec } from '../actors/fact-codec.ts'
import { Holder, LogHeld } from '../actors/holder.ts'
import { Ledger } from '../actors/ledger.ts'
import { ConfigError } from '../config.ts'
import { type ImportReport, type IrcFile, importIrc } from '../import/import-irc.ts'
import { channelOf } from '../import/irc-log.ts'
import { directoryId, lockDirectory } from '../log/directory-lock.ts'
import type { EventLog } from '../log/event-log.ts'
import { openLog } from '../log/open-log.ts'
import { isServerAddress } from '../log/server-address.ts'
import { SecureChance } from '../secure-chance.ts'
import { WallClock } from '../wall-clock.ts'
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

/** @throws ConfigError, DirectoryLocked, ImportRefused, LogHeld, LogUnavailable */
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
  // The embedded log locks its directory itself.
  const lock = isServerAddress(config.LOG) ? lockDirectory(directory) : null
  try {
    const log = await openLog(config.LOG, directory)
    const importing = (): Promise<ImportReport> =>
      importIrc({
        ...{ files, room, roomName: name ?? channel ?? room, log, nameKey: config.NAME_KEY, node: config.NODE },
        chance: (clock) => new SecureChance(clock),
        progress: progressOfFiles(task),
      })
    const { lines, messages, known, bans, passedOver } = await (lock
      ? alone(task, log, directory, importing)
      : importing()
    ).finally(() => log.close())
    say(`${lines} lines: ${messages} messages stored, ${known} lines stood in the log already, `)
    say(
      `${passedOver} passed over (modes, topics, notices), ${bans} bans of masks noted, which name nobody. Start the server to read them in ${room}.\n`,
    )
  } finally {
    lock?.close()
  }
}

/** As the one node that the log on a server has meanwhile. @throws LogHeld, also when another took it */
const alone = async <Result>(
  { config, say }: Task,
  log: EventLog,
  directory: string,
  work: () => Promise<Result>,
): Promise<Result> => {
  const clock = new WallClock()
  const chance = new SecureChance(clock)
  const taken = Promise.withResolvers<never>()
  const self = { node: config.NODE, incarnation: chance.uuid(), machine: hostname() }
  try {
    const holder = await Holder.take({
      host: { clock, ledger: new Ledger(log, new FactCodec(), clock, chance) },
      log,
      self: { ...self, directory: directoryId(directory, () => chance.uuid()) },
      onWaiting: (text) => say(`${text}\n`),
      onLost: (by) => taken.reject(new LogHeld(by)),
      onFault: (_where, error) => taken.reject(error),
    })
    const working = work()
    try {
      return await Promise.race([working, taken.promise])
    } finally {
      working.catch(() => {})
      await holder.leave()
    }
  } finally {
    taken.promise.catch(() => {})
    clock.stop()
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
