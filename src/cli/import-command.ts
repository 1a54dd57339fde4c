// `hansard import irc`: logs of an IRC channel into a data directory that no server runs on.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { ALIAS } from '../actors/alias.ts'
import { ConfigError } from '../config.ts'
import { type IrcFile, importIrc } from '../import/import-irc.ts'
import type { EventLog } from '../log/event-log.ts'
import { SecureChance } from '../secure-chance.ts'

export interface ImportCommand {
  readonly files: readonly string[]
  readonly room: string
  readonly roomName: string
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

/** @throws ConfigError, ImportRefused, LogUnavailable */
export const importCommand = async ({ files, say, ...rest }: ImportCommand): Promise<void> => {
  if (!ALIAS.test(rest.room)) throw new ConfigError(`--room ${rest.room}: a dialect and a number, e.g. moneypot:100`)
  const read = files.map(fileOf)
  let shown = 0
  const report = await importIrc({
    ...rest,
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
    `${passedOver} passed over (modes, topics, notices), ${bans} bans of masks noted, which name nobody. Start the server to read them in ${rest.room}.\n`,
  )
}
