// `hansard import irc`: logs of an IRC channel into a data directory that no server runs on.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { ALIAS } from '../actors/alias.ts'
import { ConfigError } from '../config.ts'
import { type IrcFile, importIrc } from '../import/import-irc.ts'
import { channelOf } from '../import/irc-log.ts'
import type { EventLog } from '../log/event-log.ts'
import { SecureChance } from '../secure-chance.ts'

export interface ImportCommand {
  readonly files: readonly string[]
  /** an alias; absent: the room of the channel's own */
  readonly room: string | undefined
  /** of a room that is opened; absent: the channel's */
  readonly name: string | undefined
  readonly log: EventLog
  readonly nameKey: string
  readonly node: string
  say(text: string): void
}

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
export const importCommand = async ({ files, say, room: given, name, ...rest }: ImportCommand): Promise<void> => {
  if (given !== undefined && !ALIAS.test(given))
    throw new ConfigError(`--room ${given}: a dialect and a number, e.g. moneypot:100`)
  const read = files.map(fileOf)
  const channels = new Set(read.map(({ text }) => channelOf(text)).filter((channel) => channel !== null))
  const [channel] = channels
  if (given === undefined && channels.size !== 1)
    throw new ConfigError(
      `${channels.size === 0 ? 'the files name no channel' : `several channels (${[...channels].join(', ')})`}: say where to with --room`,
    )
  const room = given ?? aliasOf(channel as string)
  let shown = 0
  const report = await importIrc({
    ...rest,
    room,
    roomName: name ?? channel ?? room,
    chance: (clock) => new SecureChance(clock),
    files: read,
    progress: (file, done, of) => {
      if (done < of && performance.now() - shown < 200) return
      shown = performance.now()
      say(`\r${file}: ${done} of ${of} lines${done === of ? '\n' : ''}`)
    },
  })
  const { lines, messages, known, bans, passedOver } = report
  say(`${lines} lines: ${messages} messages stored, ${known} lines stood in the log already, `)
  say(
    `${passedOver} passed over (modes, topics, notices), ${bans} bans of masks noted, which name nobody. Start the server to read them in ${room}.\n`,
  )
}
